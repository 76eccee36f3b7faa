"""The control socket of the server process: how `knarr node` reaches simulated nodes.

One JSON object a line in, one out: {ACTION: NODE} -> {"result": ...} or {"error": text}. The actions are `stop`,
`start`, `partition`, `heal`, each of a node, `scale`, whose argument is the number of simulated nodes, `nodes`, which
tells of these, and `snapshot`, whose argument is a name.
Only the cluster's owner can open it (0600 in a 0700 folder).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

Action = Callable[[str], Awaitable[object]]


async def listen(path: Path, actions: Mapping[str, Action]) -> asyncio.Server:
    """Serve `actions` on the Unix socket at `path`; a stale one is replaced."""
    await asyncio.to_thread(path.unlink, missing_ok=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await _carry_out(line, actions)).encode() + b"\n")
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, path)
    await asyncio.to_thread(path.chmod, 0o600)
    return server


async def _carry_out(line: bytes, actions: Mapping[str, Action]) -> dict[str, object]:
    try:
        ((verb, node),) = json.loads(line).items()
        return {"result": await actions[verb](node)}
    except KeyError as error:
        return {"error": f"unknown node or action {error}"}
    except ValueError as error:
        return {"error": f"refused: {error}"}
