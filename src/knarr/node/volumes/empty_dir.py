"""emptyDir: a directory that lives as long as its pod."""

import os
from pathlib import Path

from knarr.kinds.types.core_v1 import EmptyDirVolumeSource
from knarr.node.disk import used
from knarr.node.fields import amount
from knarr.node.volumes import mounts

UNFINISHED = "..new"  #: the end of the name of a directory that is being made: no volume's name has a dot


def make(source: EmptyDirVolumeSource, folder: Path, group: int | None) -> Path:
    """Return the directory, which everybody may write to when it is new; what its pod made of it since stays so. In
    memory it cannot grow beyond its size; on disk a pod whose directory does is evicted.
    """
    if not folder.exists():
        fresh = folder.with_name(f"{folder.name}{UNFINISHED}")
        fresh.mkdir(parents=True, exist_ok=True)
        open_to_all(fresh, group)
        fresh.rename(folder)
    if source.medium == "Memory" and not os.path.ismount(folder):
        mounts.memory(folder, int(amount(source.sizeLimit)))
        open_to_all(folder, group)
    return folder


def open_to_all(folder: Path, group: int | None) -> None:
    if group is not None:
        os.chown(folder, -1, group)
    folder.chmod(0o2777 if group is not None else 0o777)


def is_too_large(source: EmptyDirVolumeSource, folder: Path) -> bool:
    """Whether the files take more of the disk than they may; a limit of 0 is none."""
    limit = int(amount(source.sizeLimit))
    return limit > 0 and used(folder) > limit
