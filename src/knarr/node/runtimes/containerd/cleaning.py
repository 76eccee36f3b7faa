"""Ending what a node's containerd has left running. Called by `knarr down`, and by `knarr up` after a crash.

Needs no running containerd and asks none: its shims are known by the socket they were started with, their containers
are their children, and everything mounted lies in directories of the node's own. Blocking.
"""

import contextlib
import os
import select
import shutil
import signal
import subprocess
from pathlib import Path

from knarr.node.runtimes.containerd.daemon import RUN, Place, of_node
from knarr.node.runtimes.sandbox.host import GROUPS

SHIM = b"containerd-shim-runc-v2"
SOCKETS = Path("/run/containerd/s")
NETWORKS = Path("/var/lib/cni/results")
PATIENCE = 5.0  #: seconds for a shim to see that its containers have ended


def clean_node(node: Path) -> None:
    """Return when no process, mount, socket or control group of this node's pods is left. Its records stay."""
    place = of_node(node)
    if not place.folder.is_dir():
        return
    shims = _shims(place)
    for child in _children(shims):
        _kill(child)
    for shim in shims:
        _kill(shim)
    _unmount((place.run, place.root))
    _remove_sockets(place)
    _remove_networks(place)
    if place.run.is_dir():
        shutil.rmtree(place.run)
    _remove_empty(RUN)
    _remove_groups(place.cgroup.lstrip("/"))


def _shims(place: Place) -> list[int]:
    """The processes that hold this node's containers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            words = path.read_bytes().split(b"\0")
            if words[0].endswith(SHIM) and os.fsencode(place.socket) in words:
                found.append(int(path.parent.name))
    return found


def _children(parents: list[int]) -> list[int]:
    """The first processes of their containers: the kernel ends all others with them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_bytes().rpartition(b")")[2].split()
            if int(fields[1]) in parents:
                found.append(int(path.parent.name))
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        number = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(number, signal.SIGKILL)
            select.select([number], [], [], PATIENCE)
        finally:
            os.close(number)


def _unmount(roots: tuple[Path, ...]) -> None:
    """Take down every mount below these directories, the innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    places = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    mine = [place for place in places if any(Path(place).is_relative_to(root) for root in roots)]
    umount = shutil.which("umount") or "umount"
    for place in reversed(mine):
        subprocess.run([umount, "--lazy", place], capture_output=True, check=False)  # noqa: S603 - a place of ours


def _remove_sockets(place: Place) -> None:
    """The shims' sockets, which lie in a directory that every containerd of the host shares."""
    for file in place.state.glob("io.containerd.runtime.v2.task/*/*/address"):
        Path(file.read_text().removeprefix("unix://")).unlink(missing_ok=True)
    _remove_empty(SOCKETS, SOCKETS.parent)


def _remove_networks(place: Place) -> None:
    """What containerd noted of its pods' networks, which names their namespaces; also a directory that all share."""
    for file in NETWORKS.glob("*"):
        if os.fsencode(place.state) in file.read_bytes():
            file.unlink()
    _remove_empty(NETWORKS, NETWORKS.parent)


def _remove_empty(*directories: Path) -> None:
    for directory in directories:
        with contextlib.suppress(OSError):  # not there, or others have theirs in it
            directory.rmdir()


def _remove_groups(name: str) -> None:
    """The control groups of the pods, in each hierarchy."""
    for root in (GROUPS, *GROUPS.glob("*")):
        top = root / name
        if top.is_dir():
            for group in (*sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True), top):
                with contextlib.suppress(OSError):  # a last process is still on its way out
                    group.rmdir()
