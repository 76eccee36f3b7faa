"""The end of processes that go with no PID namespace: they are found and killed until none is left."""

import contextlib
import os
import select
import signal
from collections.abc import Callable, Iterable

PAUSE = 0.001  #: seconds between two looks


def kill_all(find: Callable[[], Iterable[int]]) -> None:
    """Kill what `find` finds until it finds nothing: what was being forked meanwhile too."""
    while found := list(find()):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        select.select([], [], [], PAUSE)


def in_namespace(number: int) -> list[int]:
    """The processes of a mount namespace, of which `number` is an open file: so long it is no other's."""
    home = os.fstat(number).st_ino
    return [pid for pid in processes() if _mounts(pid) == home]


def descendants() -> list[int]:
    """Every living process that descends from this one, which must adopt orphans."""
    parents = {pid: parent for pid in processes() if (parent := _parent(pid))}
    found, rest = {os.getpid()}, set(parents)
    while more := {pid for pid in rest if parents[pid] in found}:
        found |= more
        rest -= more
    return sorted(found - {os.getpid()})


def processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _mounts(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/mnt").st_ino
    except OSError:
        return 0


def _parent(pid: int) -> int:
    """The parent of a process, 0 when it is over: what a zombie left has others for its parent already."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, parent = file.read().rpartition(b")")[2].split()[:2]
    except OSError:
        return 0
    return 0 if state in b"ZX" else int(parent)
