"""Keeps containers' logs small: containerd writes them, and reopens them when told that they were moved away.

As the kubelet does by default: at 10 MiB a log becomes `<name>.1` and so on, and five files are kept. Blocking.
"""

import contextlib
from pathlib import Path

from knarr.node.runtimes.sandbox.shim.log import FILES, SIZE

EVERY = 10.0  #: seconds between looks


def rotate(path: Path, size: int = SIZE, files: int = FILES) -> bool:
    """Move a log away that has grown too large; whether it was."""
    try:
        if path.stat().st_size <= size:
            return False
    except FileNotFoundError:
        return False
    for number in range(files - 1, 0, -1):
        older = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
        with contextlib.suppress(FileNotFoundError):
            older.replace(path.with_name(f"{path.name}.{number}"))
    return True
