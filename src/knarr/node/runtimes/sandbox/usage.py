"""What the processes of containers use, from /proc. Blocking.

A container's processes share a mount namespace whose root is the overlay with the container's own upper layer: that
names it. CPU includes that of children which were waited for; memory is what is resident.
"""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from knarr.node.runtimes.runtime import Used

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
_UPPER = re.compile(r" / / .*upperdir=[^,\s]*/([0-9a-f]{64})/upper(?:,|\s|$)", re.MULTILINE)


def usage(containers: Collection[str], proc: Path = Path("/proc")) -> dict[str, Used]:
    """What each of these containers uses, by its id; without those of which no process is found."""
    found: dict[str, Used] = {}
    homes: dict[str, str] = {}  # mount namespace -> container
    for pid in processes(proc):
        try:
            namespace = str((proc / pid / "ns/mnt").readlink())
            if (id_ := homes.get(namespace)) is None:
                id_ = homes[namespace] = container_of(proc / pid)
            if id_ in containers:
                cpu, memory = spent(proc / pid)
                known = found.get(id_, Used(0.0))
                found[id_] = Used(known.memory + memory, known.cpu_seconds + cpu)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended meanwhile, or is none of ours
    return found


def processes(proc: Path) -> Iterator[str]:
    return (path.name for path in proc.iterdir() if path.name.isdigit())


def container_of(process: Path) -> str:
    """The container that a process is in, by its root; "" when it is in none."""
    match = _UPPER.search((process / "mountinfo").read_text(errors="replace"))
    return match[1] if match is not None else ""


def spent(process: Path) -> tuple[float, float]:
    """CPU seconds and bytes of one process."""
    fields = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
    pages = int((process / "statm").read_text().split()[1])
    return sum(map(int, fields[11:15])) / TICKS, pages * PAGE
