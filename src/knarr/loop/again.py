"""Runs a part of a process again when it fails, so that one fault never ends what works beside it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  #: seconds
log = logging.getLogger("knarr.loop")


async def again_when_failed(part: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run `part` to its end, and again after a growing pause whenever it raises."""
    pause = FIRST_PAUSE
    while True:
        try:
            return await run()
        except Exception:
            log.exception("%s failed; again in %.0f s", part, pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
