"""subPath: a path inside a volume that no link can lead out of. Called for each container start."""

import os
from pathlib import Path, PurePosixPath

from knarr.node.volumes.volume import VolumeError


def inside(root: Path, relative: PurePosixPath) -> Path:
    """The path below `root`, made as a directory where it is missing; VolumeError when a link leads out.

    Links are resolved once and the result checked, so what is mounted is what was checked.
    """
    base = Path(os.path.realpath(root))
    target = Path(os.path.realpath(base / relative))
    if not target.is_relative_to(base):
        raise VolumeError(f"subPath {str(relative)!r} leads out of its volume")
    target.mkdir(mode=0o750, parents=True, exist_ok=True) if not target.exists() else None
    return target
