"""What is left of a pod with `hostPID` whose shim was killed: no namespace ended with it. Blocking.

While the shim lives, it ends all that descends from it. After that a process is known by its control group and by its
root, which bear the container's id.
"""

import contextlib
import json
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

from knarr.node.runtimes.sandbox.usage import container_of, processes

PROC = Path("/proc")


def end(pod: Path) -> None:
    """Kill what the containers of this pod's directory left, and return when it is gone."""
    containers = {path.parent.name: _groups(path) for path in pod.glob("*/config.json")}
    while containers and (left := sorted({*_members(containers), *_rooted(containers)})):
        for pid in left:
            _kill(pid, containers)


def _groups(config: Path) -> list[Path]:
    try:
        tree = json.loads(config.read_bytes())
    except (OSError, ValueError):  # it goes just now, or a power cut left half of it
        return []
    return [Path(parent, tree["id"]) for parent in tree["groups_of_control"]]


def _members(containers: dict[str, list[Path]]) -> Iterator[int]:
    for place in (place for places in containers.values() for place in places):
        for path in place.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                yield from (int(pid) for pid in path.read_text().split() if pid != "0")


def _rooted(containers: dict[str, list[Path]]) -> Iterator[int]:
    for pid in processes(PROC):
        with contextlib.suppress(OSError):
            if container_of(PROC / pid) in containers:
                yield int(pid)


def _kill(pid: int, containers: dict[str, list[Path]]) -> None:
    """Kill the process, if it still is what was found and its number not another's, and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        number = os.pidfd_open(pid)
        try:
            if pid in {*_members(containers)} or container_of(PROC / str(pid)) in containers:
                signal.pidfd_send_signal(number, signal.SIGKILL)
                gone = select.poll()  # the agent may have more files open than select knows
                gone.register(number, select.POLLIN)
                gone.poll()
        except FileNotFoundError:
            return
        finally:
            os.close(number)
