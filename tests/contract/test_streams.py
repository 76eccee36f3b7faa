"""Every kubectl on this machine, old ones over SPDY and new ones over WebSocket, against the node's streams."""

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

import pytest

from tests.contract.standin import StandIn

FOLDERS = [*os.environ.get("PATH", "").split(os.pathsep), *os.environ.get("KNARR_TEST_KUBECTLS", "").split(os.pathsep)]
FIRST = shutil.which("kubectl")
PLACES = [
    path
    for folder in [*([Path(FIRST).resolve().parent] if FIRST else []), *map(Path, filter(None, FOLDERS))]
    for path in (folder / "kubectl", *folder.glob("kubectl.1.*"))
    if path.is_file()
]
KUBECTLS = sorted({path.resolve() for path in PLACES})
pytestmark = pytest.mark.skipif(not KUBECTLS, reason="no kubectl here")


@pytest.fixture(params=KUBECTLS, ids=[f"{path.parent.parent.name}-{path.name}" for path in KUBECTLS])
def kubectl(request, tmp_path):
    async def run(standin, *arguments, stdin=b"", tty=False):
        process = await start(standin, *arguments)
        async with asyncio.timeout(60):
            out, err = await process.communicate(stdin)
        return process.returncode, out, err

    async def start(standin, *arguments):
        return await asyncio.create_subprocess_exec(
            request.param,
            "--server",
            standin.url,
            "--kubeconfig",
            "/dev/null",
            "--cache-dir",
            str(tmp_path),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    run.start = start
    return run


async def test_output_and_error_come_apart_and_the_exit_code_arrives(kubectl):
    async with StandIn() as standin:
        code, out, err = await kubectl(standin, "exec", "a", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (code, out, err.splitlines()[0]) == (7, b"out\n", b"err")
    assert b"command terminated with exit code 7" in err


async def test_input_reaches_the_command_and_its_end_does_too(kubectl):
    text = os.urandom(300_000)
    async with StandIn() as standin:
        code, out, _ = await kubectl(standin, "exec", "-i", "a", "--", "cat", stdin=text)
    assert (code, out) == (0, text)


async def test_a_large_output_arrives_whole(kubectl):
    async with StandIn() as standin:
        code, out, _ = await kubectl(standin, "exec", "a", "--", "head", "-c", "5000000", "/dev/zero")
    assert (code, len(out)) == (0, 5_000_000)


async def test_attach_carries_both_ways(kubectl):
    async with StandIn() as standin:
        code, out, _ = await kubectl(standin, "attach", "-i", "a", stdin=b"hello\n")
    assert code == 0 and out.startswith(b"attached") and out.rstrip().endswith(b"hello")


async def test_a_forwarded_port_answers_several_connections(kubectl):
    async def echo(reader, writer):
        writer.write(b"echo:" + await reader.read(100))
        await writer.drain()
        writer.close()

    echoing = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = echoing.sockets[0].getsockname()[1]
    async with StandIn() as standin, echoing:
        process = await kubectl.start(standin, "port-forward", "--address", "127.0.0.1", "pod/a", f":{port}")
        try:
            async with asyncio.timeout(60):
                line = await process.stdout.readline()
                local = int(line.split(b":")[1].split()[0])
                for word in (b"one", b"two", b"three"):
                    reader, writer = await asyncio.open_connection("127.0.0.1", local)
                    writer.write(word)
                    assert await reader.read() == b"echo:" + word
                    writer.close()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
