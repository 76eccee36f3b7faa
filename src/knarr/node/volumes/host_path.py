"""hostPath: a path of the node, checked or made as its type says."""

import stat
from collections.abc import Callable
from pathlib import Path

from knarr.kinds.types.core_v1 import HostPathVolumeSource
from knarr.node.volumes.volume import VolumeError

CHECKS: dict[str, tuple[str, Callable[[int], bool]]] = {
    "Directory": ("a directory", stat.S_ISDIR),
    "DirectoryOrCreate": ("a directory", stat.S_ISDIR),
    "File": ("a file", stat.S_ISREG),
    "FileOrCreate": ("a file", stat.S_ISREG),
    "Socket": ("a socket file", stat.S_ISSOCK),
    "CharDevice": ("a character device", stat.S_ISCHR),
    "BlockDevice": ("a block device", stat.S_ISBLK),
}


def make(source: HostPathVolumeSource) -> Path:
    """Return the path; VolumeError when it is not what the type asks for."""
    path = Path(source.path)
    if source.type == "DirectoryOrCreate" and not path.exists():
        path.mkdir(mode=0o755, parents=True)
    elif source.type == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    if source.type:
        what, check = CHECKS[source.type]
        if not path.exists() or not check(path.stat().st_mode):
            raise VolumeError(f"hostPath type check failed: {path} is not {what}")
    elif not path.exists():
        path.mkdir(mode=0o755, parents=True)
    return path
