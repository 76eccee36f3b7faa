"""fsGroup: a volume's files belong to a group of the pod's, which may read and write them. Blocking.

Other pods may be changing the files meanwhile: each is opened through no link before it is touched.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

READ_WRITE = 0o660
DIRECTORY = 0o2770  #: with the bit that has new files take the directory's group


def give(folder: Path, group: int, *, only_if_needed: bool) -> None:
    """Give all files below a folder to a group; links are left alone. `only_if_needed`: not when the folder itself is
    as it should be (fsGroupChangePolicy OnRootMismatch).
    """
    if only_if_needed and is_given(folder, group):
        return
    for _, folders, files, number in os.fwalk(folder, topdown=False, follow_symlinks=False):
        for name in (*folders, *files):
            with suppress(FileNotFoundError):  # it went meanwhile
                _give(name, group, number)
    _give(str(folder), group, None)  # last: it says that all are done


def is_given(folder: Path, group: int) -> bool:
    status = folder.stat()
    return status.st_gid == group and status.st_mode & DIRECTORY == DIRECTORY


def _give(name: str, group: int, folder: int | None) -> None:
    opened = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        status = os.fstat(opened)
        if not stat.S_ISLNK(status.st_mode):
            place = Path(f"/proc/self/fd/{opened}")
            os.chown(place, -1, group)
            place.chmod(status.st_mode & 0o7777 | (DIRECTORY if stat.S_ISDIR(status.st_mode) else READ_WRITE))
    finally:
        os.close(opened)
