"""The HTTP layer with raw sockets and aiohttp's client: identity, limits, streams, connections that change protocol."""

import asyncio
import json
import ssl
from contextlib import asynccontextmanager

import aiohttp
import pytest

from .conftest import ADMIN, BOB

NODE = """
metadata: {{name: node-1}}
status:
  addresses: [{{type: InternalIP, address: 127.0.0.1}}]
  daemonEndpoints: {{kubeletEndpoint: {{Port: {port}}}}}
"""
POD = "{metadata: {name: web-0}, spec: {nodeName: node-1, containers: [{name: web, image: web}]}}"
EXEC = "/api/v1/namespaces/default/pods/web-0/exec?command=sh&stdin=true&stdout=true"


@asynccontextmanager
async def client(server, token="", certificate=None):
    context = server.trust()
    if certificate is not None:
        context.load_cert_chain(certificate.certificate, certificate.key)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(server.url, connector=connector, headers=headers) as session:
        yield session


OPEN = ["/healthz", "/livez", "/readyz", "/version"]
CLOSED = ["/api", "/apis", "/openapi/v2", "/metrics", "/api/v1/namespaces", "/nope", "/readyzz"]


@pytest.mark.parametrize("path", OPEN)
async def test_health_and_version_are_for_everybody(server, path):
    async with client(server) as session, session.get(path) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("path", CLOSED)
async def test_the_rest_is_for_those_who_say_who_they_are(server, path):
    async with client(server) as session, session.get(path) as answer:
        assert answer.status == 401
        body = await answer.json()
    assert body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }


async def test_a_wrong_token_is_nobody(server):
    async with client(server, "wrong") as session, session.get("/api") as answer:
        assert answer.status == 401


REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def test_a_client_certificate_names_its_user_and_groups(server):
    certificate = server.pki.node("node-1")
    async with client(server, certificate=certificate) as session, session.post(REVIEWS, json=REVIEW) as answer:
        user = (await answer.json())["status"]["userInfo"]
    assert user == {"username": "system:node:node-1", "groups": ["system:nodes", "system:authenticated"]}


async def test_a_token_names_its_user_and_groups(server):
    async with client(server, BOB) as session, session.post(REVIEWS, json=REVIEW) as answer:
        user = (await answer.json())["status"]["userInfo"]
    assert user == {"username": "bob", "uid": "2", "groups": ["devs", "system:authenticated"]}


async def test_a_body_may_not_be_larger_than_three_megabytes(server):
    big = b" " * (3 * 1024 * 1024 + 1)
    async with client(server, ADMIN) as session, session.post("/api/v1/namespaces", data=big) as answer:
        assert answer.status == 413
        assert (await answer.json())["reason"] == "RequestEntityTooLarge"


async def test_a_watch_shows_events_and_ends_properly_when_the_server_stops(server):
    async with client(server, ADMIN) as session, session.get("/api/v1/configmaps?watch=true") as stream:
        assert stream.status == 200
        await server.create("/api/v1/namespaces/default/configmaps", "{metadata: {name: a}}")
        event = json.loads(await stream.content.readline())
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")
        await server.listening.close()
        assert await stream.content.read() == b""


async def test_a_watch_ends_after_its_timeout(server):
    async with client(server, ADMIN) as session, session.get("/api/v1/pods?watch=true&timeoutSeconds=1") as stream:
        assert await stream.content.read() == b""


async def test_a_watch_as_tables_names_its_columns_once(server):
    await server.create("/api/v1/namespaces/default/configmaps", "{metadata: {name: a}}")
    await server.create("/api/v1/namespaces/default/configmaps", "{metadata: {name: b}}")
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    path = "/api/v1/configmaps?watch=true"
    async with client(server, ADMIN) as session, session.get(path, headers=headers) as stream:
        first, second = [json.loads(await stream.content.readline())["object"] for _ in range(2)]
    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["columnDefinitions"] is None
    assert [table["rows"][0]["cells"][0] for table in (first, second)] == ["a", "b"]


async def test_several_requests_share_a_connection_even_in_pieces(server):
    reader, writer = await server.dial()
    head = f"GET /api/v1/namespaces/default HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\r\n".encode()
    for pieces in ([head], [head[:20], head[20:]], [head[:-1], head[-1:]]):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        length = next(
            int(line.split(b":")[1]) for line in answer.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        assert json.loads(await reader.readexactly(length))["metadata"]["name"] == "default"
    writer.close()


class Agent:
    """A node's agent that upgrades whatever it is asked and echoes."""

    def __init__(self, pki):
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pki.ca)
        self.context.load_cert_chain(pki.node("node-1").certificate, pki.node("node-1").key)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.heads: list[str] = []

    async def serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        if "upgrade:" in head.lower():
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\n")
        writer.close()


@pytest.fixture
async def agent(server):
    agent = Agent(server.pki)
    listening = await asyncio.start_server(agent.serve, "127.0.0.1", 0, ssl=agent.context)
    await server.create("/api/v1/nodes", NODE.format(port=listening.sockets[0].getsockname()[1]))
    await server.create("/api/v1/namespaces/default/pods", POD)
    yield agent
    listening.close()


async def test_nothing_is_lost_when_a_connection_changes_its_protocol(server, agent):
    reader, writer = await server.dial()
    head = (
        f"POST {EXEC} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\nConnection: Upgrade\r\n"
        "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\nContent-Length: 0\r\n\r\n"
    )
    early = b"early " * 5000
    writer.write(head.encode() + early[:9])
    writer.write(early[9:])
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert await reader.readexactly(len(early)) == early
    late = b"\x00\xff" * 200_000
    writer.write(late)
    assert await reader.readexactly(len(late)) == late
    writer.close()
    first = agent.heads[0].splitlines()[0]
    assert first == "POST /exec/default/web-0/web?command=sh&input=1&output=1&error=1 HTTP/1.1"
    assert "x-stream-protocol-version: v4.channel.k8s.io" in agent.heads[0]


async def test_a_log_is_streamed_from_the_agent(server, agent):
    path = "/api/v1/namespaces/default/pods/web-0/log?tailLines=2&follow=true"
    async with client(server, ADMIN) as session, session.get(path) as stream:
        assert (stream.status, stream.content_type) == (200, "text/plain")
        assert await stream.content.read() == b"one\ntwo\n"
    assert agent.heads[0].startswith("GET /containerLogs/default/web-0/web?follow=true&tailLines=2 HTTP/1.1")


async def test_a_node_proxy_reaches_the_agent(server, agent):
    path = "/api/v1/nodes/node-1/proxy/stats/summary"
    async with client(server, ADMIN) as session, session.get(path) as answer:
        assert (answer.status, await answer.read()) == (200, b"one\ntwo\n")
    assert agent.heads[0].startswith("GET /stats/summary HTTP/1.1")


async def test_an_exec_that_is_no_upgrade_is_refused(server, agent):
    async with client(server, ADMIN) as session, session.post(EXEC) as answer:
        assert (answer.status, (await answer.json())["message"]) == (400, "Upgrade request required")


async def test_an_agent_that_is_gone_is_an_error_that_says_so(server):
    await server.create("/api/v1/nodes", NODE.format(port=1))
    await server.create("/api/v1/namespaces/default/pods", POD)
    async with client(server, ADMIN) as session, session.get("/api/v1/namespaces/default/pods/web-0/log") as answer:
        assert answer.status == 500
        assert "error dialing backend: dial tcp 127.0.0.1:1: connect: " in (await answer.json())["message"]


async def test_openapi_documents_keep_by_their_hash(server):
    async with client(server, ADMIN) as session:
        async with session.get("/openapi/v3") as answer:
            url = (await answer.json())["paths"]["api/v1"]["serverRelativeURL"]
        async with session.get(url) as answer:
            assert answer.headers["cache-control"] == "public, immutable"
            document, tag = await answer.json(), answer.headers["etag"]
        async with session.get(url, headers={"If-None-Match": tag}) as answer:
            assert answer.status == 304
        stale = url.partition("=")[0] + "=0"
        async with session.get(stale, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["location"]) == (301, url)
    assert document["components"]["schemas"]["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"] == [
        {"group": "", "kind": "Pod", "version": "v1"}
    ]


MADE_UP = {
    "a review of another type": ("authorization.k8s.io/v1/selfsubjectaccessreviews", '{"spec": "all"}'),
    "a token review of another type": ("authentication.k8s.io/v1/tokenreviews", '{"spec": {"token": 1}}'),
}


@pytest.mark.parametrize(("path", "body"), MADE_UP.values(), ids=MADE_UP)
async def test_a_body_of_a_wrong_type_is_a_bad_request(server, path, body):
    headers = {"Content-Type": "application/json"}
    async with client(server, ADMIN) as session, session.post(f"/apis/{path}", data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (400, "BadRequest")


async def test_a_token_that_is_no_text_is_nobody(server):
    reader, writer = await server.dial()
    writer.write(b"GET /api HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff.\xff.\xff\r\n\r\n")
    assert b"401" in await reader.readline()
    writer.close()


async def test_made_up_names_do_not_make_the_metrics_grow(server):
    async with client(server) as session:
        for name in ('a"b', "c", "d"):
            async with session.get(f"/api/v1/{name}") as answer:
                assert answer.status == 401
    async with client(server, ADMIN) as session, session.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    refused = [line for line in lines if line.startswith("apiserver_request_total") and 'code="401"' in line]
    assert refused == ['apiserver_request_total{verb="",group="",resource="",code="401"} 3']
