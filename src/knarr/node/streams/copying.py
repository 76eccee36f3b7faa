"""Copies between a client and a runtime's session, and tells the client how it ended."""

import asyncio
import contextlib
import json
from typing import Any

from knarr.node.runtimes.runtime import ByteReader, ByteWriter, RuntimeFailure, Session
from knarr.node.streams.remote import Remote

CHUNK = 32 * 1024
LINGER = 2.0  #: seconds output may still come after the process has ended: a child may hold the pipe


async def serve(remote: Remote, session: Session, *, attached: bool = False) -> None:
    """Copy until the session ends or the client hangs up. How a container one is attached to ends is no result."""
    outputs = [
        asyncio.create_task(copy(reader, writer))
        for reader, writer in ((session.stdout, remote.stdout), (session.stderr, remote.stderr))
        if reader is not None and writer is not None
    ]
    inputs = [
        asyncio.create_task(feed(remote.stdin, session.stdin)),
        asyncio.create_task(resize(remote.resize, session)),
    ]
    ended = asyncio.create_task(session.wait())
    try:
        await asyncio.wait([ended, remote.gone], return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            if outputs:
                await asyncio.wait(outputs, timeout=LINGER)
            await tell(remote, verdict(ended, remote.version, attached))
    finally:
        for task in (*inputs, *outputs, ended):
            task.cancel()
        await asyncio.gather(*inputs, *outputs, ended, return_exceptions=True)
        await session.close()
        await remote.close()


def verdict(ended: "asyncio.Task[int]", version: int, attached: bool) -> bytes:
    """How the command ended, or why it did not start, which some runtimes learn late."""
    try:
        code = ended.result()
    except RuntimeFailure as error:
        message = f"error executing command in container: {error}"
        return failure(message) if version >= 4 else message.encode()
    return status(0 if attached else code, version)


async def fail(remote: Remote, message: str) -> None:
    """Tell that the command could not even be started."""
    await tell(remote, failure(message) if remote.version >= 4 else message.encode())
    await remote.close()


async def tell(remote: Remote, text: bytes) -> None:
    """Say the last word on the error stream; end all streams."""
    with contextlib.suppress(OSError):
        for stream in (remote.stdout, remote.stderr):
            if stream is not None:
                await stream.close()
        if remote.error is not None:
            if text:
                await remote.error.write(text)
            await remote.error.close()


def status(code: int, version: int) -> bytes:
    """The Status that says how a command ended; older protocols get words for a failure, nothing for success."""
    message = f"command terminated with non-zero exit code: exit status {code}"
    if version < 4:
        return message.encode() if code else b""
    if code == 0:
        return json.dumps({"metadata": {}, "status": "Success"}).encode()
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return encoded("NonZeroExitCode", message, {"causes": causes})


def failure(message: str) -> bytes:
    details = {"causes": [{"message": message}]}
    return encoded("InternalError", f"Internal error occurred: {message}", details, 500)


def encoded(reason: str, message: str, details: dict[str, Any], code: int = 0) -> bytes:
    tree = {"metadata": {}, "status": "Failure", "message": message, "reason": reason, "details": details}
    return json.dumps(tree | ({"code": code} if code else {})).encode()


async def copy(reader: ByteReader, writer: ByteWriter) -> None:
    """Everything, to the end; a client that is gone ends it."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            await writer.write(data)


async def feed(reader: ByteReader | None, writer: ByteWriter | None) -> None:
    """The client's input, and its end."""
    if reader is None or writer is None:
        return
    await copy(reader, writer)
    with contextlib.suppress(OSError):
        await writer.close()


async def resize(reader: ByteReader | None, session: Session) -> None:
    """Terminal sizes as the client tells them: JSON objects, one after the other."""
    text = ""
    decoder = json.JSONDecoder()
    while reader is not None and (data := await reader.read()):
        text = (text + data.decode(errors="replace")).lstrip()
        while text:
            try:
                size, end = decoder.raw_decode(text)
            except ValueError:
                break
            text = text[end:].lstrip()
            if isinstance(size, dict):
                await session.resize(int(size.get("Width", 0)), int(size.get("Height", 0)))
