"""One container of the pod: started, watched, logged, and its end recorded in `state.json`."""

import contextlib
import fcntl
import functools
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, NoReturn

from . import kernel, killing, process, rootfs
from .cgroup import Group
from .log import Log

CHUNK = 65536
PIPE = 1 << 20
MESSAGE = 4096  #: how much of a termination log counts


class Container:
    """States: created (the directory is there), running, exited. `pid` is the main process, 0 when there is none."""

    def __init__(self, directory: str, watch: Callable[[int, Callable[[], object] | None], None]) -> None:
        self.directory = directory
        with open(f"{directory}/config.json", "rb") as file:
            self.config: dict[str, Any] = json.load(file)
        self.id: str = self.config["id"]
        self.pid = 0
        self.early: int | None = None  #: how it ended, when that was known before its start was
        self.state: dict[str, Any] = {**self.config["state"], "state": "created", "created": time.time()}
        self.attached: dict[int, bytes] = {}
        self.stdin = self.terminal = -1
        self._watch = watch
        self._outputs: dict[int, bytes] = {}
        self._log: Log | None = None
        self._namespace = -1
        self._near: socket.socket | None = None
        self._group = Group(self.config["groups_of_control"], self.id)

    def spawn(self, report: int) -> int:
        """Fork the main process; what goes wrong before the command runs arrives through `report`."""
        self._group.limit(self.config["limits"])
        streams, terminal = None, None
        if self.config["tty"]:
            self._near, terminal = socket.socketpair()
        else:
            streams = self._pipes()
        self.pid = os.fork()
        if self.pid == 0:
            self._become(report, streams, terminal)
        for number in streams or ():
            if number >= 0:
                os.close(number)
        if terminal is not None:
            terminal.close()
        return self.pid

    def _pipes(self) -> tuple[int, int, int]:
        out, out_far = os.pipe()
        err, err_far = os.pipe()
        self._outputs = {out: b"stdout", err: b"stderr"}
        far = -1
        if self.config["stdin"]:
            far, self.stdin = os.pipe()
        return far, out_far, err_far

    def _become(self, report: int, streams: tuple[int, int, int] | None, terminal: socket.socket | None) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            process.keep_open([report, *(streams or ()), *([terminal.fileno()] if terminal else [])])
            os.setsid()
            self._group.join()
            rootfs.build(self.config)
            process.execute(self.config, streams, terminal)
        except BaseException as error:
            process.report(error, report)

    def running(self) -> None:
        """The command runs: find its namespace and follow its output."""
        with contextlib.suppress(FileNotFoundError):  # it has already ended, and nothing can be executed in it
            self._namespace = os.open(f"/proc/{self.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        if self._near is not None:
            _, (self.terminal,), _, _ = socket.recv_fds(self._near, 16, 1)
            self._near.close()
            os.set_inheritable(self.terminal, False)
            self._outputs = {self.terminal: b"stdout"}
        self._log = Log(self.config["log_path"])
        for number in self._outputs:
            os.set_blocking(number, False)
            self._watch(number, functools.partial(self._read, number))
        self.save(state="running", started=time.time())

    def _read(self, number: int) -> bool:
        """Pass one chunk on; False at the end of the stream."""
        stream = self._outputs.get(number)
        if stream is None or self._log is None:
            return False
        try:
            data = os.read(number, CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # a terminal nobody holds any more
            data = b""
        if not data:
            self._finish(number)
            return False
        self._log.write(stream, data)
        for target in [target for target, wanted in self.attached.items() if wanted == stream]:
            try:
                os.write(target, data)
            except OSError:  # gone, or too slow: it loses the connection, the container goes on
                self.detach(target)
        return True

    def _finish(self, number: int) -> None:
        stream = self._outputs.pop(number)
        self._watch(number, None)
        if number == self.terminal:
            self.terminal = -1
        os.close(number)
        if self._log is not None:
            self._log.end(stream)
        for target in [target for target, wanted in self.attached.items() if wanted == stream]:
            self.detach(target)

    def attach(self, stream: bytes, target: int) -> None:
        os.set_blocking(target, False)
        with contextlib.suppress(OSError):
            fcntl.fcntl(target, fcntl.F_SETPIPE_SZ, PIPE)
        self.attached[target] = stream

    def detach(self, target: int) -> None:
        if self.attached.pop(target, None) is not None:
            os.close(target)

    def run(self, command: dict[str, Any], descriptors: list[int], report: int) -> int:
        """Fork a further process inside, with the given standard streams, or the socket that gets its terminal."""
        if not self.pid or self._namespace < 0:
            raise process.StartFailure("container is not running")
        pid = os.fork()
        if pid:
            return pid
        try:
            signal.set_wakeup_fd(-1)
            os.setsid()
            self._group.join()
            kernel.setns(self._namespace, kernel.CLONE_NEWNS)
            process.keep_open([report, *descriptors])
            config = {**self.config, "args": command["args"], "size": command.get("size"), "non_root": False}
            if command["tty"]:
                process.execute(config, None, socket.socket(fileno=descriptors[0]))
            streams = iter(descriptors)
            chosen = [next(streams) if command[name] else -1 for name in ("stdin", "stdout", "stderr")]
            process.execute(config, (chosen[0], chosen[1], chosen[2]), None)
        except BaseException as error:
            process.report(error, report)

    def ended(self, status: int) -> None:
        """The main process is over: nothing of the container stays behind."""
        code = os.waitstatus_to_exitcode(status)
        self.kill_rest()
        for number in list(self._outputs):
            while self._read(number):
                pass
            if number in self._outputs:
                self._finish(number)
        if self._log is not None:
            self._log.close()
            self._log = None
        oom = self._group.out_of_memory()
        self.pid = 0
        self._group.remove()
        for number in (self.stdin, self._namespace):
            if number >= 0:
                os.close(number)
        self.stdin = self._namespace = -1
        reason = "OOMKilled" if oom and code == -signal.SIGKILL else "Completed" if code == 0 else "Error"
        self.save(
            state="exited",
            finished=time.time(),
            exit_code=code if code >= 0 else 128 - code,
            signal=max(0, -code),
            reason=reason,
            message=self._last_words(),
        )

    def failed(self) -> None:
        """It never ran: let go of everything."""
        self.pid = 0
        for number in (*self._outputs, self.stdin):
            if number >= 0:
                os.close(number)
        self._outputs.clear()
        if self._near is not None:
            self._near.close()
        self._group.remove()

    def kill_rest(self) -> None:
        """Kill whatever else lives in the container's mount namespace or control group, until nothing does."""
        if self._namespace >= 0:
            killing.kill_all(lambda: killing.in_namespace(self._namespace))
        killing.kill_all(self._group.members)

    def _last_words(self) -> str:
        try:
            with open(self.config["termination_log"], "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - MESSAGE))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def save(self, **changes: Any) -> None:
        self.state.update(changes)
        draft = f"{self.directory}/state.new"
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(self.state, file)
        os.replace(draft, f"{self.directory}/state.json")
