"""When a link is really part of its bridge. Both ends of a wire are up a moment before the kernel's worker has told the
bridge; what is sent in between is lost, and a client that asked for an address asks again a second later.
"""

import asyncio
import errno
from typing import Final

from knarr.net.netlink import Netlink

LONGEST: Final = 30.0  #: seconds until a bridge has to have seen that a link is up
PAUSE: Final = 0.002


async def until_joined(link: str, bridge: str) -> None:
    """Return when what is sent by a link that is up arrives, through its bridge. OSError when that does not come."""
    try:
        async with asyncio.timeout(LONGEST):
            while not await asyncio.to_thread(_is_joined, link, bridge):  # noqa: ASYNC110 the kernel answers
                await asyncio.sleep(PAUSE)
    except TimeoutError:
        raise OSError(errno.ETIMEDOUT, f"{bridge} does not take in {link}") from None


def _is_joined(link: str, bridge: str) -> bool:
    with Netlink() as kernel:
        return bool(kernel.index(bridge)) and kernel.forwards(link)
