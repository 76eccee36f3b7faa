"""A container's control group: limits, and whether the kernel killed it for its memory. Version 1 and 2.

The agent finds out once where groups may be made (`../host.py`) and gives the directories; none is fine: then
there are no limits, which `knarr up` says.
"""

import contextlib
import os
from typing import Any

PERIOD = 100_000  #: microseconds


class Group:
    """The directories of one container, one per hierarchy."""

    def __init__(self, parents: list[str], name: str) -> None:
        self.places = [f"{parent}/{name}" for parent in parents]
        for place in self.places:
            os.makedirs(place, exist_ok=True)

    def limit(self, limits: dict[str, Any]) -> None:
        """Set memory (bytes) and cpu (cores); 0 is no limit."""
        if memory := int(limits["memory"]):
            self._set("memory.max", str(memory))
            self._set("memory.limit_in_bytes", str(memory))
        if cpu := float(limits["cpu"]):
            quota = max(1000, int(cpu * PERIOD))
            self._set("cpu.max", f"{quota} {PERIOD}")
            self._set("cpu.cfs_quota_us", str(quota))
        if request := float(limits["cpu_request"]):
            self._set("cpu.shares", str(max(2, int(request * 1024))))

    def _set(self, name: str, value: str) -> None:
        for place in self.places:
            with contextlib.suppress(OSError):  # the other version's file, or a controller that is not here
                _write(f"{place}/{name}", value)

    def join(self) -> None:
        """Move the calling process in."""
        for place in self.places:
            _write(f"{place}/cgroup.procs", "0")

    def members(self) -> set[int]:
        """The processes in it and in the groups that they made below."""
        found: set[int] = set()
        for top in self.places:
            for place, _, _ in os.walk(top):
                with contextlib.suppress(OSError), open(f"{place}/cgroup.procs", encoding="ascii") as file:
                    found.update(map(int, file.read().split()))
        return found - {0}

    def out_of_memory(self) -> bool:
        for place in self.places:
            for name in ("memory.events", "memory.oom_control"):
                if _field(f"{place}/{name}", "oom_kill") > 0:
                    return True
        return False

    def remove(self) -> None:
        for place in self.places:
            with contextlib.suppress(OSError):  # somebody is still dying in it: the pod's end tries again
                os.rmdir(place)


def _write(path: str, value: str) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(number, value.encode())
    finally:
        os.close(number)


def _field(path: str, name: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.split()[0] == name), 0)
    except OSError:
        return 0
