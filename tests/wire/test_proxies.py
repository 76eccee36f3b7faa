"""Requests carried on to pods and services by way of their node's agent, and to the agents themselves."""

import asyncio
import ssl

import aiohttp
import pytest

from tests.wire.conftest import ADMIN

POD = """
metadata: {name: web-0}
spec: {nodeName: node-1, containers: [{name: web, image: img, ports: [{name: http, containerPort: 8080}]}]}
"""
NODE = """
metadata: {{name: node-1}}
status:
  addresses: [{{type: InternalIP, address: 127.0.0.1}}]
  daemonEndpoints: {{kubeletEndpoint: {{Port: {port}}}}}
"""
SERVICE = "{metadata: {name: web}, spec: {ports: [{name: main, port: 80}]}}"
ENDPOINTS = """
metadata: {name: web}
subsets:
- addresses: [{ip: 10.244.0.7, targetRef: {kind: Pod, namespace: default, name: web-0}}]
  ports: [{name: main, port: 8080}]
"""
PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"


class Agent:
    """An agent that connects whoever asks with a small web server; `seen` are the heads that the server was sent."""

    def __init__(self, pki):
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pki.ca)
        self.context.load_cert_chain(pki.node("node-1").certificate, pki.node("node-1").key)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.dialed, self.seen = [], []

    async def serve(self, reader, writer):
        first = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[0]
        if "/dial/" in first:
            self.dialed.append(first)
            if "port=81" in first:
                body = b"dial tcp 10.244.0.7:81: connect: connection refused"
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            elif "port=82" in first:
                await reader.read()  # as if it had died
            else:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
                await self.answer(reader, writer)
        elif "/containerLogs/" in first:
            writer.write(b"HTTP/1.1 404 Not Found\r\n\r\n" + b"x" * 200_000)
            await reader.read()  # and more to come
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagent")
        writer.close()

    async def answer(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.seen.append(head)
        if "transfer-encoding: chunked" in head.lower() or "/back" in head:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n" + head.split("\r\n")[0].encode() + b"|")
            while data := await reader.read(65536):  # byte for byte, chunks' heads included
                writer.write(data)
                await writer.drain()
                if data.endswith((b"0\r\n\r\n", b"END")):
                    return
        if "/full" in head:
            writer.write(b"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 4\r\n\r\nfull")
            return
        length = next((int(line[15:]) for line in head.lower().splitlines() if line.startswith("content-length:")), 0)
        body = await reader.readexactly(length)
        if "upgrade: websocket" in head.lower():
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello ")
            while data := await reader.read(65536):
                writer.write(data)
        elif "/moved" in head:
            writer.write(
                b"HTTP/1.1 302 Found\r\nLocation: http://10.244.0.7:8080/there?a=b\r\nContent-Length: 0\r\n\r\n"
            )
        elif "/hints" in head:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
            await writer.drain()
            writer.write(b"HTTP/1.1 404 Not Found\r\nX-Is: final\r\nContent-Length: 4\r\n\r\ngone")
        elif "/cut" in head:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        else:
            text = b"you said " + body
            cookies = b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
            writer.write(b"HTTP/1.1 200 OK\r\n%bTransfer-Encoding: chunked\r\n\r\n" % cookies)
            writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(text), text))
        await writer.drain()


@pytest.fixture
async def agent(server):
    agent = Agent(server.pki)
    listening = await asyncio.start_server(agent.serve, "127.0.0.1", 0, ssl=agent.context)
    await server.create("/api/v1/nodes", NODE.format(port=listening.sockets[0].getsockname()[1]))
    await server.create(PODS, POD)
    async with client(server) as session:
        status = {"status": {"phase": "Running", "podIP": "10.244.0.7", "podIPs": [{"ip": "10.244.0.7"}]}}
        headers = {"content-type": "application/merge-patch+json"}
        async with session.patch(f"{PODS}/web-0/status", json=status, headers=headers) as answer:
            assert answer.status == 200
    await server.create(SERVICES, SERVICE)
    await server.create("/api/v1/namespaces/default/endpoints", ENDPOINTS)
    yield agent
    listening.close()


def client(server):
    headers = {"Authorization": f"Bearer {ADMIN}"}
    return aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(ssl=server.trust()), headers=headers)


@pytest.mark.parametrize("path", [f"{PODS}/web-0/proxy/x%20y/?q=1", f"{PODS}/web-0:http/proxy/x%20y/?q=1"])
async def test_a_request_reaches_a_pod_as_it_was_sent(server, agent, path):
    from yarl import URL

    async with client(server) as session, session.post(URL(path, encoded=True), data=b"this") as answer:
        assert (answer.status, await answer.text()) == (200, "you said this")
        assert answer.headers.getall("set-cookie") == ["a=1", "b=2"]
    assert agent.dialed == ["GET /dial/default/web-0?port=8080 HTTP/1.1"]
    lines = agent.seen[0].lower().splitlines()
    assert lines[0] == "post /x%20y/?q=1 http/1.1"
    assert f"host: {server.url.removeprefix('https://').rstrip('/')}" in lines
    assert f"x-forwarded-uri: {path.partition('?')[0]}" in lines
    assert "x-forwarded-for: 127.0.0.1" in lines
    assert not any(line.startswith("authorization") for line in lines)


@pytest.mark.parametrize("name", ["web", "web:main", "web:80", "http:web:main"])
async def test_a_service_leads_to_one_of_its_pods(server, agent, name):
    async with client(server) as session, session.get(f"{SERVICES}/{name}/proxy/") as answer:
        assert (answer.status, await answer.text()) == (200, "you said ")
    assert agent.dialed == ["GET /dial/default/web-0?port=8080 HTTP/1.1"]


async def test_a_service_whose_only_port_has_no_name_leads_there_too(server, agent):
    await server.create(SERVICES, "{metadata: {name: bare}, spec: {ports: [{port: 80}]}}")
    bare = ENDPOINTS.replace("name: web}\nsubsets", "name: bare}\nsubsets").replace("name: main, ", "")
    await server.create("/api/v1/namespaces/default/endpoints", bare)
    async with client(server) as session, session.get(f"{SERVICES}/bare/proxy/") as answer:
        assert (answer.status, await answer.text()) == (200, "you said ")


async def test_a_redirect_leads_back_through_the_proxy(server, agent):
    path = f"{PODS}/web-0/proxy/moved"
    async with client(server) as session, session.get(path, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (302, f"{PODS}/web-0/proxy/there?a=b")


async def test_a_proxy_without_a_path_leads_to_its_root(server, agent):
    async with client(server) as session, session.get(f"{PODS}/web-0/proxy", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (301, f"{PODS}/web-0/proxy/")


async def test_a_proxy_without_a_path_keeps_the_question_on_the_way(server, agent):
    path = f"{PODS}/web-0/proxy?a=b&c=d"
    async with client(server) as session, session.get(path, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (301, f"{PODS}/web-0/proxy/?a=b&c=d")


async def test_what_is_sent_to_a_proxy_without_a_path_reaches_the_root(server, agent):
    async with client(server) as session, session.post(f"{PODS}/web-0/proxy", data=b"this") as answer:
        assert (answer.status, await answer.text()) == (200, "you said this")
    assert agent.seen[0].startswith("POST / HTTP/1.1\r\n")


async def test_what_only_announces_an_answer_is_not_the_answer(server, agent):
    async with client(server) as session, session.get(f"{PODS}/web-0/proxy/hints") as answer:
        assert (answer.status, await answer.text()) == (404, "gone")
        assert (answer.headers["x-is"], "link" in answer.headers) == ("final", False)


async def test_an_agent_that_does_not_reach_a_port_in_time_is_an_error(server, agent, monkeypatch):
    monkeypatch.setattr("knarr.server.agents.DIAL_SECONDS", 0.05)
    async with client(server) as session, session.get(f"{PODS}/web-0:82/proxy/") as answer:
        message = (await answer.json())["message"]
    assert (answer.status, message) == (503, "error trying to reach service: dial tcp 10.244.0.7:82: i/o timeout")


async def test_no_more_of_an_agents_error_is_read_than_a_message_needs(server, agent):
    async with client(server) as session, session.get(f"{PODS}/web-0/log") as answer:
        assert answer.status == 400
        assert len((await answer.json())["message"]) == 64 * 1024


@pytest.mark.parametrize("rest", ["exec?command=sh", "proxy/", "attach", "portforward", "log"])
async def test_permission_to_watch_opens_no_connection(server, agent, rest):
    path = f"/api/v1/watch/namespaces/default/pods/web-0/{rest}"
    async with client(server) as session, session.get(path) as answer:
        assert (answer.status, await answer.text()) == (404, "404 page not found\n")
    assert agent.dialed == []


def head_of(path, *headers):
    lines = [f"POST {PODS}/web-0/proxy/{path} HTTP/1.1", "Host: x", f"Authorization: Bearer {ADMIN}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


async def test_a_body_of_any_size_goes_on_while_it_comes(server, agent):
    body = bytes(5_000_000) + b"END"
    async with client(server) as session, session.post(f"{PODS}/web-0/proxy/back", data=body) as answer:
        assert (answer.status, await answer.read()) == (200, b"POST /back HTTP/1.1|" + body)
    assert f"content-length: {len(body)}" in agent.seen[0].lower()


async def test_an_answer_begins_before_its_body_has_ended(server, agent):
    reader, writer = await server.dial()
    writer.write(head_of("talk", "Transfer-Encoding: chunked") + b"3\r\none\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"3\r\none\r\n" in await reader.readuntil(b"one\r\n")
    writer.write(b"5\r\nthree\r\n0\r\n\r\n")
    assert b"5\r\nthree\r\n" in await reader.readuntil(b"three\r\n")
    assert (await reader.read()).endswith(b"0\r\n\r\n\r\n0\r\n\r\n")


async def test_an_answer_before_the_body_ends_the_connection(server, agent):
    reader, writer = await server.dial()
    writer.write(head_of("full", "Content-Length: 9000000") + bytes(100_000))
    assert b"connection: close" in (await reader.readuntil(b"\r\n\r\n")).lower()
    assert await reader.readexactly(4) == b"full"


async def test_a_body_that_is_cut_off_is_not_answered(server, agent):
    reader, writer = await server.dial()
    writer.write(head_of("talk", "Transfer-Encoding: chunked") + b"3\r\none\r\n")
    await reader.readuntil(b"one\r\n")
    writer.write(b"no chunk\r\n")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await reader.readuntil(b"0\r\n\r\n")


async def test_other_bodies_stay_limited(server, agent):
    async with client(server) as session, session.post(PODS, data=bytes(4_000_000)) as answer:
        assert answer.status == 413


async def test_a_websocket_is_carried_byte_for_byte(server, agent):
    reader, writer = await server.dial()
    head = (
        f"GET {PODS}/web-0/proxy/ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    writer.write(head.encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"upgrade: websocket" in head.lower()
    sent = b"\x00\xff" * 100_000
    writer.write(sent)
    assert await reader.readexactly(len(sent) + 6) == b"hello " + sent
    writer.close()
    assert "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==" in agent.seen[0]


async def test_a_port_that_nobody_listens_on_is_an_error_that_says_so(server, agent):
    async with client(server) as session, session.get(f"{PODS}/web-0:81/proxy/") as answer:
        message = (await answer.json())["message"]
        assert answer.status == 503
    assert message == "error trying to reach service: dial tcp 10.244.0.7:81: connect: connection refused"


async def test_an_answer_that_breaks_off_does_not_look_whole(server, agent):
    async with client(server) as session, session.get(f"{PODS}/web-0/proxy/cut") as answer:
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


async def test_a_node_proxy_reaches_the_agent_itself(server, agent):
    async with client(server) as session, session.get("/api/v1/nodes/node-1/proxy/stats/summary") as answer:
        assert (answer.status, await answer.text()) == (200, "agent")
