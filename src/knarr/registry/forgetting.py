"""What the registry forgets by itself: history after some minutes, events after an hour. A task of `core`.

Ages are counted in ticks of revisions, so nothing is decoded; after a restart the count begins anew.
"""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from knarr.store.store import Failed, Mismatch

if TYPE_CHECKING:
    from knarr.registry.core import Core

TICK = 300.0  #: seconds, as long as history is kept at least
EVENT_TICKS = 12  #: how long an event is kept after its last write
log = logging.getLogger("knarr.registry")


async def forget(core: "Core") -> None:
    """Forget what is old, until cancelled."""
    marks: deque[int] = deque()  # the revision at each tick
    looked = 0  # up to which revision events have expired
    while True:
        marks.append(core.revision)
        await asyncio.sleep(TICK)
        try:
            if marks[-1] > core.store.compacted:
                await core.store.compact(marks[-1])
            if len(marks) > EVENT_TICKS and (oldest := marks.popleft()) > looked:
                await expire_events(core, oldest)
                looked = oldest
        except Failed as error:  # a full disk, say; the next tick tries again
            log.warning("history is kept for now: %s", error)


async def expire_events(core: "Core", revision: int) -> None:
    """Delete the events that were last written up to a revision."""
    for resource in core.resources():
        if (resource.kind.kind, resource.kind.custom) != ("Event", None):
            continue
        for entry in list(resource.span("")):
            if entry.revision <= revision:
                try:
                    await core.remove(resource.key(entry.namespace, entry.name), entry.revision)
                except Mismatch:  # written or deleted meanwhile
                    continue
