"""The registry: objects of all kinds by their API rules, over a store of bytes. The server is its caller.

One file per verb holds what it does; here they come together. The way of a write: `create`/`modify` -> `pipeline` ->
the kind's rules -> `core.put` -> the store -> its watch -> `core` -> `resource` (the cache) -> `watch`.
"""

import asyncio

from knarr.registry.apply import apply
from knarr.registry.binding import bind
from knarr.registry.core import Core, Options
from knarr.registry.create import create
from knarr.registry.custom_resources import CustomResources
from knarr.registry.delete import Deleted, DeleteOptions, delete
from knarr.registry.delete_collection import delete_collection
from knarr.registry.entry import Entry
from knarr.registry.get import get
from knarr.registry.list import Page, list_
from knarr.registry.patch import Form, patch
from knarr.registry.scale import get_scale, patch_scale, update_scale
from knarr.registry.update import update
from knarr.registry.watch import Watch, WatchItem, watch

__all__ = ["DeleteOptions", "Deleted", "Entry", "Form", "Options", "Page", "Registry", "Watch", "WatchItem"]


class Registry(Core):
    """Start it before use; every verb takes the kind, the namespace ("" for cluster-wide kinds) and the name."""

    create = create
    get = get
    list = list_
    watch = watch
    update = update
    patch = patch
    apply = apply
    delete = delete
    delete_collection = delete_collection
    get_scale = get_scale
    update_scale = update_scale
    patch_scale = patch_scale
    bind = bind

    async def start(self) -> None:
        """Serve the custom resources that the store has definitions of, load the cache, and keep both up."""
        customs = CustomResources(self)
        await customs.preload()
        await super().start()
        customs.begin()
        self._tasks.append(asyncio.create_task(customs.run(), name="custom resources"))
