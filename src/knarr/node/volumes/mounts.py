"""What a node mounts for its pods' volumes, and its end. Blocking; needs root.

The agent mounts on the node, so that every runtime sees it. A pod's folder is never removed while anything is mounted
in it: what is there may be the data of a volume that outlives the pod.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from knarr.node.runtimes.sandbox.shim.kernel import MS_BIND, MS_NODEV, MS_NOSUID, MS_RDONLY, MS_REMOUNT, mount, unmount
from knarr.node.volumes.volume import VolumeError


def memory(folder: Path, size: int) -> None:
    """Mount files in memory on a folder, unless they are there; `size` in bytes, 0 for half of the machine's memory."""
    if not os.path.ismount(folder):
        mount("tmpfs", str(folder), "tmpfs", MS_NOSUID | MS_NODEV, f"mode=777,size={size}" if size else "mode=777")


def layers(folder: Path, found: Sequence[Path]) -> None:
    """Show directories over each other on a folder, the topmost first, for reading only."""
    if os.path.ismount(folder):
        return
    flags = MS_RDONLY | MS_NOSUID | MS_NODEV
    if len(found) == 1:
        mount(str(found[0]), str(folder), "", MS_BIND)
        mount("", str(folder), "", MS_BIND | MS_REMOUNT | flags)
    else:
        mount("overlay", str(folder), "overlay", flags, "lowerdir=" + ":".join(map(str, found)))


def release(folder: Path) -> None:
    """Unmount everything on or below a folder; VolumeError when something stays."""
    for place in reversed(below(folder)):
        unmount(place)
    if left := below(folder):
        raise VolumeError(f"{left[0]} is still mounted")


def below(folder: Path) -> list[str]:
    """The mounts on or below a folder, in the order in which they were made."""
    base, found = os.path.realpath(folder), []
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        place = unescaped(os.fsdecode(line.split()[4]))
        if place == base or place.startswith(f"{base}/"):
            found.append(place)
    return found


def unescaped(place: str) -> str:
    """A path of the kernel's table of mounts, which writes white space and backslashes as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place)
