"""The processes of a cluster: started in the background, found again, ended by pid.

A process is recorded as pid and start time, so a pid that the system gave to somebody else is never signalled.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")
POLL = 0.005  #: seconds between looks at a process that is ending


@dataclass(frozen=True, slots=True)
class Recorded:
    """A process as its pid file names it."""

    pid: int
    started: str  #: when, in clock ticks since a boot (field 22 of /proc/PID/stat), "/" and that boot's id

    @property
    def alive(self) -> bool:
        ticks, _, boot = started(self.pid).partition("/")
        return ticks != "" and self.started in (f"{ticks}/{boot}", ticks)  # the latter is of an older knarr


def started(pid: int) -> str:
    """When a running process started, as `Recorded` has it, "" when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else f"{fields[19]}/{BOOT.read_text().strip()}"


def read(file: Path) -> Recorded | None:
    """The process that a pid file names, when it is alive."""
    try:
        pid, when = file.read_text().split()
    except (OSError, ValueError):
        return None
    recorded = Recorded(int(pid), when)
    return recorded if recorded.alive else None


def spawn(
    module: str,
    arguments: Sequence[str],
    *,
    pid_file: Path,
    log: Path,
    netns: str = "",
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `python -m module` in the background, in a session of its own, and record it.

    `netns` names the network namespace it is to live in.
    """
    enter = ["nsenter", f"--net=/run/netns/{netns}"] if netns else []
    command = [*enter, sys.executable, "-m", module, *arguments]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            close_fds=True,
            pass_fds=pass_fds,
            cwd="/",
            env={**os.environ, **(env or {})},
        )
    pid_file.write_text(f"{process.pid} {started(process.pid)}\n")
    return process


def end(file: Path, *, grace: float = 10.0, hard: bool = False) -> bool:
    """End the process a pid file names: TERM, `grace` seconds, KILL (`hard`: at once). True when there was one."""
    recorded = read(file)
    if recorded is not None:
        with contextlib.suppress(ProcessLookupError):  # it may end by itself at any moment
            os.kill(recorded.pid, signal.SIGKILL if hard else signal.SIGTERM)
            if not wait_gone(recorded, grace):
                os.kill(recorded.pid, signal.SIGKILL)
                wait_gone(recorded, grace)
    file.unlink(missing_ok=True)
    return recorded is not None


def wait_gone(recorded: Recorded, seconds: float) -> bool:
    """Wait until a process is gone; False when it is still there after `seconds`."""
    for _ in range(int(seconds / POLL)):
        if not recorded.alive:
            return True
        _reap(recorded.pid)
        time.sleep(POLL)
    return not recorded.alive


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # somebody else's child: init reaps it
