"""emptyDir: a directory that lives as long as its pod."""

import os
from pathlib import Path

from knarr.kinds.types.core_v1 import EmptyDirVolumeSource


def make(source: EmptyDirVolumeSource, folder: Path, group: int | None) -> Path:
    """Return the directory. Everybody may write to it; `medium: Memory` is on disk too."""
    folder.mkdir(parents=True, exist_ok=True)
    if group is not None:
        os.chown(folder, -1, group)
    folder.chmod(0o2777 if group is not None else 0o777)
    return folder
