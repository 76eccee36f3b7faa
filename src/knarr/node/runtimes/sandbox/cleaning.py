"""Ending what a stopped or crashed agent has left running. Called by `knarr down`, and by `knarr up` after a crash.

Kills only processes recorded with their start time. Records stay: an agent that comes back sees that its pods
are gone, and counts their restarts on. Blocking.
"""

import contextlib
import json
import os
import select
import signal
from pathlib import Path

from knarr.node.runtimes.sandbox.pod import started


def sandboxes(node: Path) -> Path:
    """Where a node keeps its pods' sandboxes, in the node's own folder."""
    return node / "sandboxes"


def clean_node(node: Path) -> None:
    """Return when no process of any pod of this node is left."""
    for path in sorted(sandboxes(node).glob("*/shim.json")):
        shim = json.loads(path.read_bytes())
        for pid, born in ((shim["pid"], shim["born"]), (shim["pause"], shim["pause_born"])):
            if started(pid) == born:
                _kill(pid)
        for name in ("socket", "shim.json"):
            (path.parent / name).unlink(missing_ok=True)


def _kill(pid: int) -> None:
    """Kill and wait; PID 1 of a pod ends only after everything in the pod has."""
    with contextlib.suppress(ProcessLookupError):
        number = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(number, signal.SIGKILL)
            select.select([number], [], [])
        finally:
            os.close(number)
