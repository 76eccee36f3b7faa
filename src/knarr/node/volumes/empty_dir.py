"""emptyDir: a directory that lives as long as its pod."""

import os
from pathlib import Path

from knarr.kinds.types.core_v1 import EmptyDirVolumeSource
from knarr.node.fields import amount
from knarr.node.volumes import memory


def make(source: EmptyDirVolumeSource, folder: Path, group: int | None) -> Path:
    """Return the directory, which everybody may write to; in memory its size is limited, on disk it is not."""
    folder.mkdir(parents=True, exist_ok=True)
    if source.medium == "Memory":
        memory.make(folder, int(amount(source.sizeLimit)))
    if group is not None:
        os.chown(folder, -1, group)
    folder.chmod(0o2777 if group is not None else 0o777)
    return folder
