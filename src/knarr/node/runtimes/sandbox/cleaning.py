"""Ending what a stopped or crashed agent has left running. Called by `knarr down`, and by `knarr up` after a crash.

Kills only processes recorded with their start time. Records stay: an agent that comes back sees that its pods
are gone, and counts their restarts on. Blocking.
"""

import contextlib
import os
import select
import signal
from pathlib import Path

from knarr.node.runtimes.sandbox import leftovers
from knarr.node.runtimes.sandbox.host import remove_groups
from knarr.node.runtimes.sandbox.pod import PATIENCE, read, shim_of, started, unknown


def sandboxes(node: Path) -> Path:
    """Where a node keeps its pods' sandboxes, in the node's own folder."""
    return node / "sandboxes"


def clean_node(node: Path) -> None:
    """Return when no process of any pod of this node is left."""
    for path in sorted(sandboxes(node).glob("*/shim.json")):
        shim = shim_of(path.parent)
        if shim and started(shim["pause"]) == shim["pause_born"]:  # PID 1: the kernel ends all others with it
            _end(shim["pause"], patience=0)
        if shim and started(shim["pid"]) == shim["born"]:  # it writes down how they ended, and goes by itself
            _end(shim["pid"], patience=PATIENCE)
        for name in ("socket", "shim.json"):
            (path.parent / name).unlink(missing_ok=True)
    for path in sorted(sandboxes(node).glob("*/pod.json")):
        if (read(path) or unknown(path.parent.name)).get("host_pid"):
            leftovers.end(path.parent)
    for path in sandboxes(node).glob("*/*/config.json"):
        remove_groups(path, parents=True)


def _end(pid: int, *, patience: float) -> None:
    """Wait for the end of a process, and kill it when it takes longer."""
    with contextlib.suppress(ProcessLookupError):
        number = os.pidfd_open(pid)
        try:
            if not select.select([number], [], [], patience)[0]:
                signal.pidfd_send_signal(number, signal.SIGKILL)
                select.select([number], [], [])
        finally:
            os.close(number)
