"""The kubelet API over plain HTTP: who gets in, what it answers, in which words it refuses."""

import asyncio
import contextlib
import json

import pytest

from knarr.node.api import KubeletApi
from knarr.node.http_server import BadHead, identity, parse_head
from tests.unit.node.test_agent import World


@contextlib.asynccontextmanager
async def kubelet(**pod):
    world = World()
    async with world.agent() as agent:
        await world.apply(**pod)
        await world.until(lambda: world.phase() in ("Running", "Pending") and world.server.statuses)
        if not pod:
            await world.until(lambda: world.phase() == "Running")
        agent.config = agent.config.__class__(name="n0", node_ip="127.0.0.1", folder=agent.config.folder, port=0)
        api = KubeletApi(agent)
        port = await api.start()
        try:
            yield port
        finally:
            await api.stop()


async def get(port, path, headers=""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode())
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


ANSWERS = {
    "it is healthy": ("/healthz", 200, b"ok"),
    "a simulated log": ("/containerLogs/default/a/main", 200, b"simulated: this container has no process"),
    "a pod that is not here": ("/containerLogs/default/b/main", 404, b'pod "default/b" not found'),
    "a container the pod does not have": (
        "/containerLogs/default/a/x",
        404,
        b'container "x" in pod "a" not found',
    ),
    "a previous attempt there was not": (
        "/containerLogs/default/a/main?previous=true",
        400,
        b'previous terminated container "main" in pod "a" not found',
    ),
    "a number that is none": ("/containerLogs/default/a/main?tailLines=x", 200, b"simulated"),
    "exec without an upgrade": ("/exec/default/a/main?command=x&output=1", 400, b"Upgrade request required"),
    "exec of nothing": ("/exec/default/a/main?command=x", 400, b"you must specify at least 1 of stdin, stdout"),
    "exec in no container": ("/exec/default/a/x?command=x&output=1", 404, b'container not found ("x")'),
    "an unknown path": ("/nothing", 404, b"404 page not found"),
}


@pytest.mark.parametrize("path, code, body", ANSWERS.values(), ids=ANSWERS)
async def test_an_answer(path, code, body):
    async with kubelet() as port:
        status, said = await get(port, path)
    assert status == code and said.startswith(body)


async def test_pods_and_their_summary_are_listed():
    async with kubelet() as port:
        pods = json.loads((await get(port, "/pods"))[1])
        summary = json.loads((await get(port, "/stats/summary"))[1])
    assert [each["metadata"]["name"] for each in pods["items"]] == ["a"]
    assert summary["node"]["nodeName"] == "n0" and summary["pods"][0]["containers"][0]["name"] == "main"


async def test_a_container_that_waits_says_for_what():
    async with kubelet(image="app:missing") as port, asyncio.timeout(60):
        answer = (0, b"ContainerCreating")
        while answer[1].endswith(b"ContainerCreating"):
            answer = await get(port, "/containerLogs/default/a/main")
    assert answer == (
        400,
        b'container "main" in pod "a" is waiting to start: trying and failing to pull image',
    )


async def test_a_protocol_nobody_speaks_is_refused():
    headers = "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v9.channel.k8s.io\r\n"
    async with kubelet() as port:
        status, said = await get(port, "/exec/default/a/main?command=x&output=1", headers)
    assert status == 403 and b"client supports [v9.channel.k8s.io]" in said


def test_a_head_is_read():
    head = b"GET /a%20b?x=1&x=&y=%2F HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2"
    assert parse_head(head) == ("GET", "/a b", [("x", "1"), ("x", ""), ("y", "/")], {"host": "h", "x-a": "1, 2"})


@pytest.mark.parametrize("head", [b"GET /", b"GET / SPDY", b"GET / HTTP/1.1\r\nno colon", b"GET / HTTP/1.1\r\n a: b"])
def test_what_is_no_head_is_refused(head):
    with pytest.raises(BadHead):
        parse_head(head)


def test_a_certificate_names_user_and_groups():
    subject = ((("organizationName", "system:masters"),), (("commonName", "admin"),))
    assert identity({"subject": subject}) == ("admin", ("system:masters",))
    assert identity(None) == ("", ())
