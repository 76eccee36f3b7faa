"""How much of the disk folders take. Blocking; called in threads."""

import os
from contextlib import suppress
from pathlib import Path

BLOCK = 512  #: bytes of what `st_blocks` counts


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
