"""subPath: a path inside a volume that no link can lead out of. Called for each container start.

Links are resolved once. What is made, and what the runtime mounts, is then reached from the volume through no link at
all: containers that write to the volume meanwhile cannot turn the way elsewhere.
"""

import os
import stat
from pathlib import Path, PurePosixPath

from knarr.node.volumes.volume import VolumeError

PRIVATE = 0o700  #: until it has the mode of its volume


def inside(root: Path, relative: PurePosixPath) -> tuple[Path, Path]:
    """The volume and the path below it, both without links, made as a directory where it is missing: whoever may use
    the volume may use that.

    VolumeError when a link leads out.
    """
    base = Path(os.path.realpath(root))
    target = Path(os.path.realpath(base / relative))
    if not target.is_relative_to(base):
        raise VolumeError(f"subPath {str(relative)!r} leads out of its volume")
    if not target.exists():
        _make(base, target.relative_to(base).parts, str(relative))
    return base, target


def relative(path: str) -> PurePosixPath:
    """A sub path that stays inside its volume; VolumeError in the kubelet's words for one that does not."""
    pure = PurePosixPath(path)
    if pure.is_absolute():
        raise VolumeError(f"error SubPath `{path}` must not be an absolute path")
    if ".." in pure.parts:
        raise VolumeError(f"unable to provision SubPath `{path}`: must not contain '..'")
    return pure


def _make(base: Path, parts: tuple[str, ...], named: str) -> None:
    here = os.open(base, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mode = stat.S_IMODE(os.fstat(here).st_mode) & 0o777  # as upstream: that of the volume
    try:
        for part in parts:
            try:
                os.mkdir(part, PRIVATE, dir_fd=here)
                new = True
            except FileExistsError:
                new = False  # what it is shows in the next line
            following = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = following
            if new:
                os.chmod(f"/proc/self/fd/{here}", mode | os.fstat(here).st_mode & stat.S_ISGID)  # noqa: PTH101
    except OSError as error:
        raise VolumeError(f"subPath {named!r}: {error.strerror}") from None
    finally:
        os.close(here)
