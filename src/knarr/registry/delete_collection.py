"""Delete a collection: every object of a selection, each as a delete of its own would."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace

from knarr.kinds.kind import Kind
from knarr.meta.errors import NotFound
from knarr.registry.core import Core, Options
from knarr.registry.delete import DeleteOptions, delete
from knarr.registry.list import Page, list_

TOGETHER = 64  #: deletes at a time: their writes share commits


async def delete_collection(
    core: Core,
    kind: Kind,
    namespace: str,
    wish: DeleteOptions | None = None,
    options: Options | None = None,
    *,
    labels: str = "",
    fields: str = "",
    limit: int = 0,
) -> Page:
    """Delete what is selected, or the first `limit` of it; the answer lists it as it was."""
    page = await list_(core, kind, namespace, labels=labels, fields=fields, limit=limit)
    for start in range(0, len(page.entries), TOGETHER):
        batch = page.entries[start : start + TOGETHER]
        await all_of([delete(core, kind, each.namespace, each.name, wish and replace(wish), options) for each in batch])
    return page


async def all_of(deletes: Sequence[Awaitable[object]]) -> None:
    """Carry out all of them, then raise the first failure; what somebody else deleted first is none."""
    for result in await asyncio.gather(*deletes, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, NotFound):
            raise result
