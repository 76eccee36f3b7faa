"""What takes long beside the others on the event loop: in turns."""

import asyncio
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

TURN = 0.01  #: seconds for which nodes are looked at for victims before others on the loop have a turn


async def taking_turns(found: Iterable[T]) -> list[T]:
    """All of something that takes long to find, with others on the loop served in between."""
    loop, all_ = asyncio.get_running_loop(), list[T]()
    began = loop.time()
    for one in found:
        all_.append(one)
        if loop.time() - began > TURN:
            await asyncio.sleep(0)
            began = loop.time()
    return all_
