"""emptyDir: a directory that lives as long as its pod."""

import os
from contextlib import suppress
from pathlib import Path

from knarr.kinds.types.core_v1 import EmptyDirVolumeSource
from knarr.node.fields import amount
from knarr.node.volumes import mounts

BLOCK = 512  #: bytes of what `st_blocks` counts


def make(source: EmptyDirVolumeSource, folder: Path, group: int | None) -> Path:
    """Return the directory, which everybody may write to. In memory it cannot grow beyond its size; on disk a pod whose
    directory does is evicted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if source.medium == "Memory":
        mounts.memory(folder, int(amount(source.sizeLimit)))
    if group is not None:
        os.chown(folder, -1, group)
    folder.chmod(0o2777 if group is not None else 0o777)
    return folder


def is_too_large(source: EmptyDirVolumeSource, folder: Path) -> bool:
    """Whether the files take more of the disk than they may; a limit of 0 is none."""
    limit = int(amount(source.sizeLimit))
    return limit > 0 and used(folder) > limit


def used(folder: Path) -> int:
    """Bytes of the disk that a folder takes; a file with several names counts once."""
    total, seen = 0, set()
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with suppress(FileNotFoundError):  # it went meanwhile
                status = Path(root, name).lstat()
                if (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    total += status.st_blocks * BLOCK
    return total
