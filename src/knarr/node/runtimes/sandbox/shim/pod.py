"""The shim's main loop: namespaces first, then requests of the agent, output of containers, ends of processes.

Started as `main(<the pod's directory>)`; returns in the caller once the pod is ready, lives on in a child.
PID 1 of the pod is a child that only sleeps and lets the kernel reap: its end is the end of every process here,
and it dies with the shim, so that a pod nobody can account for does not exist.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from . import kernel
from .container import Container
from .process import StartFailure, worded

PACKET = 1 << 18
DESCRIPTORS = 8


class Pod:
    """Everything the shim knows, and the loop over it."""

    def __init__(self, directory: str, listener: socket.socket, pause: int) -> None:
        self.directory, self.pause = directory, pause
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


def main(directory: str) -> None:
    """Make the pod and return, or raise SystemExit with the reason."""
    near, far = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(near)
        try:
            _live(directory, far)
        except BaseException as error:
            os.write(far, worded(error).encode()[:4096])
            os._exit(1)
    os.close(far)
    with os.fdopen(near, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    if said:
        os.waitpid(child, 0)
        raise SystemExit(said)


def _live(directory: str, ready: int) -> NoReturn:
    os.setsid()
    os.chdir("/")
    null = os.open("/dev/null", os.O_RDWR)
    trail = os.open(f"{directory}/shim.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in enumerate((null, null, trail)):
        os.dup2(source, target)
    os.close(trail)
    os.close(null)
    with open(f"{directory}/pod.json", "rb") as file:
        config = json.load(file)
    kernel.set_name("knarr-shim")
    _separate(directory, config)
    pause = os.fork()
    if pause == 0:
        _sleep()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    place = os.open(directory, os.O_PATH | os.O_CLOEXEC)
    os.umask(0o177)
    listener.bind(f"/proc/self/fd/{place}/socket")  # the plain path may be longer than a socket address
    os.umask(0o022)
    listener.listen(16)
    pod = Pod(directory, listener, pause)
    with open(f"{directory}/shim.new", "w", encoding="ascii") as file:
        json.dump({"pid": os.getpid(), "born": born(os.getpid()), "pause": pause, "pause_born": born(pause)}, file)
    os.replace(f"{directory}/shim.new", f"{directory}/shim.json")
    os.close(ready)
    pod.run()
    os._exit(0)


def born(pid: int) -> int:
    """When a process started, in the kernel's ticks: with its PID this names it for good."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


def _separate(directory: str, config: dict[str, Any]) -> None:
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS | kernel.CLONE_NEWPID
    flags |= 0 if config["host_network"] else kernel.CLONE_NEWNET
    flags |= 0 if config["host_ipc"] else kernel.CLONE_NEWIPC
    kernel.unshare(flags)
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_SLAVE)
    socket.sethostname(config["hostname"])
    for name, value in config["sysctls"].items():
        with open("/proc/sys/" + name.replace(".", "/"), "w", encoding="ascii") as file:
            file.write(value)
    shm = f"{directory}/shm"
    os.makedirs(shm, exist_ok=True)
    kernel.mount("shm", shm, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC, "mode=1777,size=65536k")


def _sleep() -> NoReturn:
    """PID 1: adopt orphans and let the kernel reap them."""
    kernel.die_with_parent(signal.SIGKILL)
    kernel.set_name("pause")
    kernel.set_arguments("/pause")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    os.closerange(3, 256)
    while True:
        signal.pause()


def run() -> None:
    """The command line: one argument, the pod's directory."""
    main(sys.argv[1])
