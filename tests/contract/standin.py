"""A loopback stand-in for an API server with one pod: real kubectls try the node's streams without a cluster."""

import asyncio
import fcntl
import json
import os
import struct
import termios

from knarr.node.http_server import Answer, HttpServer
from knarr.node.streaming import Streaming

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "namespace": "default", "uid": "u"},
    "spec": {
        "containers": [{"name": "main", "image": "x", "tty": True, "stdin": True, "ports": [{"containerPort": 80}]}]
    },
    "status": {"phase": "Running"},
}
VERBS = ["get", "list", "create"]
CORE = {
    "kind": "APIResourceList",
    "groupVersion": "v1",
    "resources": [{"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": VERBS}],
}


class FileWriter:
    def __init__(self, fd):
        self.fd = fd

    async def write(self, data):
        while data:
            data = data[await asyncio.to_thread(os.write, self.fd, data) :]

    async def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class FileReader:
    def __init__(self, fd):
        self.fd = fd

    async def read(self, n=-1):
        try:
            return await asyncio.to_thread(os.read, self.fd, 65536)
        except OSError:
            return b""


class LocalSession:
    """A process of this machine."""

    def __init__(self, process, stdin, stdout, stderr, pty=-1):
        self.process, self.stdin, self.stdout, self.stderr, self.pty = process, stdin, stdout, stderr, pty

    async def resize(self, columns, rows):
        fcntl.ioctl(self.pty, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def wait(self):
        code = await self.process.wait()
        return 128 - code if code < 0 else code

    async def close(self):
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


class LocalRuntime:
    """Only what streams need: commands run here, ports are those of loopback."""

    name = "local"

    async def exec(self, uid, container, command, *, stdin, stdout, stderr, tty):
        if tty:
            outer, inner = os.openpty()
            process = await asyncio.create_subprocess_exec(
                *command, stdin=inner, stdout=inner, stderr=inner, start_new_session=True
            )
            os.close(inner)
            return LocalSession(process, FileWriter(os.dup(outer)), FileReader(outer), None, outer)
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe if stdin else null, stdout=pipe, stderr=pipe
        )
        return LocalSession(process, Input(process.stdin) if stdin else None, process.stdout, process.stderr)

    async def attach(self, uid, container, **streams):
        return await self.exec(uid, container, ["sh", "-c", "echo attached; cat"], **streams)

    async def dial(self, uid, port, host="127.0.0.1"):
        return await asyncio.open_connection("127.0.0.1", port)


class Input:
    def __init__(self, writer):
        self.writer = writer

    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def close(self):
        self.writer.close()


class StandIn:
    def __init__(self):
        self.streaming = Streaming(LocalRuntime())
        self.server = HttpServer(self.answer)
        self.upgrades = []  # the protocols clients asked for

    async def __aenter__(self):
        self.port = await self.server.start("127.0.0.1", 0, None)
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_):
        await self.server.stop()

    async def answer(self, request):
        tail = request.path.rsplit("/", 1)[-1]
        if tail in ("exec", "attach", "portforward"):
            self.upgrades.append(request.headers.get("sec-websocket-protocol") or request.upgrade)
        if tail in ("exec", "attach"):
            return await self.streaming.command(request, tail, "u", "c")
        if tail == "portforward":
            return await self.streaming.forward(request, "u")
        trees = {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/api/v1": CORE,
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
            "/api/v1/namespaces/default/pods/a": POD,
        }
        if request.path not in trees:
            body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            return Answer(404, json.dumps(body).encode(), "application/json")
        return Answer(200, json.dumps(trees[request.path]).encode(), "application/json")
