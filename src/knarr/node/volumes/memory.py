"""Volumes in memory: a tmpfs on a folder, and its end. Blocking; needs root.

The agent mounts them on the node, so that every runtime sees them; they go with their pod, or with the node.
"""

import os
from pathlib import Path

from knarr.node.runtimes.sandbox.shim.kernel import MS_NODEV, MS_NOSUID, mount, unmount


def make(folder: Path, size: int) -> None:
    """Mount one on a folder, unless it is there; `size` in bytes, 0 for half of the machine's memory."""
    if not os.path.ismount(folder):
        mount("tmpfs", str(folder), "tmpfs", MS_NOSUID | MS_NODEV, f"mode=777,size={size}" if size else "mode=777")


def release(folder: Path) -> None:
    """Unmount every one on or below a folder."""
    base = os.path.realpath(folder)
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        head, _, tail = line.partition(" - ")
        place = head.split()[4].encode().decode("unicode_escape")
        if tail.startswith("tmpfs ") and (place == base or place.startswith(f"{base}/")):
            unmount(place)
