"""The roles of every cluster, laid into a new store as records: so a test's cluster has them from its first moment.

They go the usual way, through a registry, once in a process. Every cluster then gets copies, whose time is its own; a
uid follows from the name, so that chance on virtual time is left alone.
"""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec.structs import replace

from knarr.client import codec
from knarr.controllers.clusterrole_aggregation import aggregated
from knarr.kinds import first_roles
from knarr.kinds.first_roles import RoleObject
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.rbac_v1 import ClusterRole
from knarr.meta import clock
from knarr.registry.registry import Registry
from knarr.store.memory import MemoryStore
from knarr.store.store import Record, Store


@dataclass(frozen=True, slots=True)
class Template:
    """A record, and the time in it that is to be another."""

    key: str
    value: bytes
    time: bytes


async def lay(store: Store) -> None:
    """Put the roles into a store that is new."""
    now = clock.timestamp().encode()
    for each in templates():
        await store.put(each.key, each.value.replace(each.time, now))


@lru_cache(1)
def templates() -> tuple[Template, ...]:
    """The records, made in a thread of its own: on real time, and in a loop that nobody else waits on."""
    found: list[Template] = []
    thread = threading.Thread(target=lambda: found.extend(asyncio.run(_made())), name="first roles")
    thread.start()
    thread.join()
    return tuple(found)


async def _made() -> list[Template]:
    store = MemoryStore()
    registry = Registry(store, BUILTIN)
    await registry.start()
    try:
        for each in gathered([*first_roles.objects()]):
            tree = msgspec.json.decode(codec.encode(each))
            await registry.create(BUILTIN.by_type(type(each)), each.metadata.namespace, tree)
        _, records = await store.range("")
        return [_template(record) for record in records]
    finally:
        await registry.stop()


def gathered(objects: Sequence[RoleObject]) -> list[RoleObject]:
    """The same, and in the aggregated roles the rules of those that they are made of, which may be aggregated too."""
    roles = [each for each in objects if isinstance(each, ClusterRole)]
    found = [replace(each, rules=aggregated(each, roles)) if is_aggregated(each) else each for each in objects]
    return found if found == objects else gathered(found)


def is_aggregated(role: RoleObject) -> TypeGuard[ClusterRole]:
    return isinstance(role, ClusterRole) and role.aggregationRule is not None


def _template(record: Record) -> Template:
    meta = msgspec.json.decode(record.value)["metadata"]
    uid = str(uuid5(NAMESPACE_URL, record.key))
    value = record.value.replace(meta["uid"].encode(), uid.encode())
    return Template(record.key, value, meta["creationTimestamp"].encode())
