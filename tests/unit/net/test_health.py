"""What a balancer is told about a node."""

import asyncio
import json
import socket
from contextlib import suppress

import pytest

from knarr.net import health
from knarr.net.health import HealthPorts, answer

WEB = ("default", "web")
PORT = 31_000
PORTS: dict[int, int] = {}  #: what each number listens on in fact


@pytest.mark.parametrize("count, status", [(2, "200 OK"), (0, "503 Service Unavailable")], ids=["there", "none"])
def test_answer(count, status):
    head, _, body = answer(WEB, count).decode().partition("\r\n\r\n")
    assert head.splitlines()[0] == f"HTTP/1.1 {status}"
    assert f"X-Load-Balancing-Endpoint-Weight: {count}" in head
    assert json.loads(body) == {
        "service": {"namespace": "default", "name": "web"},
        "localEndpoints": count,
        "serviceProxyHealthy": True,
    }


@pytest.fixture
def ports(monkeypatch):
    """Health ports on loopback."""

    def listen(space, number):
        if space == "taken":
            raise OSError("address already in use")
        made = socket.create_server(("127.0.0.1", 0))  # any port stands for this one
        made.setblocking(False)
        PORTS[number] = made.getsockname()[1]
        return made

    monkeypatch.setattr(health, "_listen", listen)
    return HealthPorts()


async def ask(number: int, text: bytes = b"GET / HTTP/1.1\r\n\r\n") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", PORTS[number])
    writer.write(text)
    said = await reader.read()
    writer.close()
    return said


async def test_a_port_says_what_it_was_last_told_and_is_shut_when_nobody_wants_it(ports):
    place = ("a", PORT)
    await ports.serve({place: (WEB, 1)})
    assert b"200 OK" in await ask(PORT)
    await ports.serve({place: (WEB, 0)})
    assert b"503" in await ask(PORT)
    await ports.close()
    with pytest.raises(ConnectionRefusedError):
        await ask(PORT)


async def test_a_port_that_is_taken_leaves_the_others_alone(ports, caplog):
    await ports.serve({("taken", 1): (WEB, 1), ("a", PORT): (WEB, 1)})
    assert b"200 OK" in await ask(PORT)
    assert "health check port 1 of taken: address already in use" in caplog.text
    await ports.close()


async def test_a_request_without_end_is_dropped(ports):
    await ports.serve({("a", PORT): (WEB, 1)})
    with suppress(ConnectionResetError):  # it need not have read all of it
        assert await ask(PORT, b"x" * 20_000) == b""
    assert b"200 OK" in await ask(PORT)
    await ports.close()


async def test_a_node_that_came_anew_is_listened_on_anew(ports, monkeypatch):
    made, listen = [], health._listen
    monkeypatch.setattr(health, "_listen", lambda *port: made.append(port) or listen(*port))
    wanted = {("node", PORT): (WEB, 1)}
    await ports.serve(wanted)
    ports.forget(["node", "another"])
    await ports.serve(wanted)
    assert made == [("node", PORT)] * 2
    assert (await ask(PORT)).startswith(b"HTTP/1.1 200")
    await ports.close()
