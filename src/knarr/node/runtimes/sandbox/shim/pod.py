"""The shim's main loop: requests of the agent, output of containers, ends of processes.

One selector with a callback for each open file. It ends when PID 1 of the pod and every container are gone.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
from collections.abc import Callable
from typing import Any

from . import killing
from .container import Container
from .process import StartFailure, worded

PACKET = 1 << 18
DESCRIPTORS = 8


class Pod:
    """Everything the shim knows, and the loop over it."""

    def __init__(self, directory: str, listener: socket.socket, pause: int, *, host_pid: bool) -> None:
        self.directory, self.pause, self._host_pid = directory, pause, host_pid
        self.containers: dict[str, Container] = {}
        self._selector = selectors.DefaultSelector()
        self._agents: set[socket.socket] = set()
        self._execs: dict[int, tuple[socket.socket, int]] = {}
        self._listener = listener
        listener.setblocking(False)
        self.watch(listener.fileno(), self._accept)
        near, far = socket.socketpair()
        for end in (near, far):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
        self._wake = near, far
        self.watch(near.fileno(), self._reap)

    def watch(self, number: int, callback: Callable[[], object] | None) -> None:
        """Call back when there is something to read; None: no longer."""
        if callback is None:
            self._selector.unregister(number)
        else:
            self._selector.register(number, selectors.EVENT_READ, callback)

    def run(self) -> None:
        """Serve until PID 1 and every container are gone."""
        while self.pause or any(container.pid for container in self.containers.values()):
            for key, _ in self._selector.select():
                if self._selector.get_map().get(key.fd) is key:  # an earlier callback may have ended it
                    key.data()

    # processes

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake[0].recv(4096):
                pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._over(pid, status)

    def _over(self, pid: int, status: int) -> None:
        if pid == self.pause:
            self.pause = 0
            if self._host_pid:  # no namespace ends with it: all of the pod descends from here
                killing.kill_all(killing.descendants)
        elif pid in self._execs:
            agent, number = self._execs.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            self._send(agent, {"event": "exec", "exec": number, "code": code if code >= 0 else 128 - code})
        else:
            for container in self.containers.values():
                if container.pid == pid and container.state["state"] == "running":
                    container.ended(status)
                    self._tell(container)
                elif container.pid == pid:
                    container.early = status

    def _tell(self, container: Container) -> None:
        for agent in list(self._agents):
            self._send(agent, {"event": "state", "id": container.id, "state": container.state})

    # the agent

    def _accept(self) -> None:
        agent, _ = self._listener.accept()
        agent.setblocking(False)
        self._agents.add(agent)
        self.watch(agent.fileno(), lambda: self._receive(agent))

    def _receive(self, agent: socket.socket) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(agent, PACKET, DESCRIPTORS)
        except BlockingIOError:
            return None
        except OSError:
            data, descriptors = b"", []
        if not data:
            return self._leave(agent)
        request = json.loads(data)
        try:
            answer = getattr(self, f"do_{request['do']}")(agent, request, descriptors)
        except StartFailure as error:
            answer = {"error": error.message, "code": error.code}
        except (OSError, KeyError, ValueError) as error:
            answer = {"error": worded(error), "code": 128}
        if answer is not None:
            self._send(agent, {"reply": request["number"], **answer})
        for number in descriptors:
            if not any(number in container.attached for container in self.containers.values()):
                os.close(number)
        return None

    def _leave(self, agent: socket.socket) -> None:
        self._agents.discard(agent)
        self.watch(agent.fileno(), None)
        agent.close()
        for pid, (owner, _) in self._execs.items():
            if owner is agent:  # nobody reads its output any more
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _send(self, agent: socket.socket, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        if agent not in self._agents:
            return
        try:
            socket.send_fds(agent, [json.dumps(message).encode()], descriptors or [])
        except OSError:  # gone, or it does not listen: it will find everything in the files when it comes back
            self._leave(agent)

    # requests; each returns its answer, or None when that comes later

    def do_hello(self, agent: socket.socket, request: dict[str, Any], _: list[int]) -> dict[str, Any]:
        return {"containers": {container.id: container.state for container in self.containers.values()}}

    def do_start(self, agent: socket.socket, request: dict[str, Any], _: list[int]) -> None:
        container = Container(f"{self.directory}/{request['id']}", self.watch)
        near, far = os.pipe()
        self.containers[container.id] = container
        container.spawn(far)
        os.close(far)
        self._await(near, lambda failure: self._started(agent, request, container, failure))

    def _started(
        self, agent: socket.socket, request: dict[str, Any], container: Container, failure: dict[str, Any] | None
    ) -> None:
        if failure:
            container.failed()
            del self.containers[container.id]
            return self._send(agent, {"reply": request["number"], "error": failure["message"], "code": failure["code"]})
        container.running()
        self._tell(container)  # before the answer: who started it must find it running
        self._send(agent, {"reply": request["number"]})
        if container.early is not None:
            container.ended(container.early)
            self._tell(container)
        return None

    def _await(self, near: int, then: Callable[[dict[str, Any] | None], None]) -> None:
        """Wait for a new process to run its command (the pipe closes) or to say why it cannot."""
        said = b""

        def read() -> None:
            nonlocal said
            if data := os.read(near, 4096):
                said += data
                return
            self.watch(near, None)
            os.close(near)
            then(json.loads(said) if said else None)

        self.watch(near, read)

    def do_exec(self, agent: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
        near, far = os.pipe()
        try:
            pid = self.containers[request["id"]].run(request, descriptors, far)
        except BaseException:
            os.close(near)
            raise
        finally:
            os.close(far)
        number = request["number"]

        def started(failure: dict[str, Any] | None) -> None:
            if failure:
                self._execs.pop(pid, None)
                self._send(agent, {"reply": number, "error": failure["message"], "code": failure["code"]})
            else:
                self._send(agent, {"reply": number})

        self._execs[pid] = agent, number
        self._await(near, started)

    def do_kill_exec(self, agent: socket.socket, request: dict[str, Any], _: list[int]) -> dict[str, Any]:
        for pid, (_owner, number) in self._execs.items():
            if number == request["exec"]:
                os.kill(pid, request["signal"])
        return {}

    def do_attach(self, agent: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
        container = self.containers[request["id"]]
        if not container.pid:
            raise StartFailure("container is not running")
        for stream, number in zip(request["streams"], descriptors, strict=True):
            container.attach(stream.encode(), number)
        back = [container.terminal] if container.terminal >= 0 else []
        if request["stdin"] and container.terminal < 0 and container.stdin >= 0:
            back = [container.stdin]
        self._send(agent, {"reply": request["number"], "terminal": container.terminal >= 0}, back)
        if request["stdin"] and container.config["stdin_once"] and container.stdin >= 0:
            os.close(container.stdin)
            container.stdin = -1

    def do_signal(self, agent: socket.socket, request: dict[str, Any], _: list[int]) -> dict[str, Any]:
        if pid := self.containers[request["id"]].pid:
            os.kill(pid, request["signal"])
        return {}

    def do_remove(self, agent: socket.socket, request: dict[str, Any], _: list[int]) -> dict[str, Any]:
        container = self.containers.get(request["id"])
        if container is not None and container.pid:
            raise StartFailure("container is running")
        self.containers.pop(request["id"], None)
        return {}
