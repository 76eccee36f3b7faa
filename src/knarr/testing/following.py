"""The objects that selectors select, again after each change: a list, then a watch, and anew when that breaks off."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from knarr.client.api import Api
from knarr.client.resource import Resource
from knarr.client.transport import TransportError
from knarr.meta.errors import Expired
from knarr.testing.waiting import Tree


async def seen(
    api: Api, where: Resource[Any], space: str, labels: str, fields: str
) -> AsyncGenerator[list[Tree], None]:
    """Yield all that are selected now, then after each change; never ends."""
    kind = {"apiVersion": where.api_version, "kind": where.kind}
    while True:
        listing = await api.list(where, space, labels=labels, fields=fields)
        there = {_key(tree): {**kind, **tree} for tree in listing.items}
        yield list(there.values())
        watching = api.watch(where, space, labels=labels, fields=fields, resource_version=listing.resource_version)
        try:
            async with aclosing(watching) as changes:
                async for change in changes:
                    if change.type == "BOOKMARK":
                        continue
                    if change.type == "DELETED":
                        there.pop(_key(change.object), None)
                    else:
                        there[_key(change.object)] = change.object
                    yield list(there.values())
        except (Expired, TransportError):
            continue


def _key(tree: Tree) -> tuple[str, str]:
    return tree["metadata"].get("namespace", ""), tree["metadata"]["name"]
