"""Which pod has which address on each node, known before the pod starts: the nodes' ledgers, followed with inotify.

A pod's status tells its address later, when something may run in it already. Numbers: linux/inotify.h.
"""

import asyncio
import ctypes
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from knarr.net.node_pods import PodNetwork
from knarr.net.plan import NetworkPlan

MOVED_TO, NONBLOCK, CLOEXEC = 0x80, 0o4000, 0o2000000
_libc = ctypes.CDLL(None, use_errno=True)
log = logging.getLogger("knarr.net")


class Ledgers:
    """`place` is where a node's ledger lies; `changed` is called when one was written, and must not block.

    Inside `with`; `read` follows the nodes it is asked for from then on.
    """

    def __init__(self, plan: NetworkPlan, place: Callable[[int], Path], changed: Callable[[], None]) -> None:
        self._plan, self._place, self._changed = plan, place, changed
        self._inotify = -1

    def __enter__(self) -> "Ledgers":
        self._inotify = _libc.inotify_init1(NONBLOCK | CLOEXEC)
        if self._inotify < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"inotify: {os.strerror(code)}")
        asyncio.get_running_loop().add_reader(self._inotify, self._heard)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.get_running_loop().remove_reader(self._inotify)
        os.close(self._inotify)

    async def read(self, numbers: Iterable[int]) -> dict[str, str]:
        """Each pod's address by UID, of these nodes."""
        found: dict[str, str] = {}
        for number in numbers:
            file = self._place(number)
            await asyncio.to_thread(self._follow, file.parent)  # first: what changes while it is read is heard of
            try:
                found |= await PodNetwork(self._plan, number, file).pods()
            except (ValueError, KeyError) as error:
                log.warning("%s: not understood: %s", file, error)
        return found

    def _follow(self, folder: Path) -> None:
        """Hear of a folder's changes; asked twice, nothing changes."""
        if _libc.inotify_add_watch(self._inotify, os.fsencode(folder), MOVED_TO) < 0 and folder.exists():
            log.warning("%s cannot be followed: %s", folder, os.strerror(ctypes.get_errno()))

    def _heard(self) -> None:
        while True:
            try:
                os.read(self._inotify, 1 << 16)
            except BlockingIOError:
                break
        self._changed()
