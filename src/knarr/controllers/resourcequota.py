"""ResourceQuotas: what a namespace uses of each is counted anew, from what is there.

The API server adds to `status.used` with every create it lets through; here it is set right: when a quota is new or
changed, when an object goes, and when what was charged for was never written. A charge may be seen before the object it
is for: so a quota that has just changed is counted once it has been quiet for `QUIET` seconds.

Pods, services and claims are measured, from their informers. Other kinds are counted, from informers that are made when
a quota first names the kind (`count/deployments.apps`); they hold metadata only, and are the garbage collector's too.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from knarr.client.cache import key_of
from knarr.client.discovery import discover
from knarr.client.resource import Partial, Resource
from knarr.client.transport import TransportError
from knarr.kinds import persistentvolumeclaim, pod, quota_usage, service
from knarr.kinds.kind import Kind
from knarr.kinds.pod import is_finished
from knarr.kinds.quota_usage import ALIASED, Usage
from knarr.kinds.types.core_v1 import PersistentVolumeClaim, Pod, ResourceQuota, ResourceQuotaStatus, Service
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Enqueue, Key, Source, itself
from knarr.loop.steps import Status, Step
from knarr.meta import clock, quantity
from knarr.meta.errors import ApiError
from knarr.meta.quantity import ZERO

QUIET = 1.0  #: seconds after a charge until its object is surely to be seen
RECOUNT_SECONDS = 300.0  #: pods leave their quota with time alone, when they should have ended
SYNC_SECONDS = 5.0  #: to read a kind's objects for the first time
MEASURED = ((pod.KIND, Pod), (service.KIND, Service), (persistentvolumeclaim.KIND, PersistentVolumeClaim))
COUNT = "count/"
MEASURING = "measuring"  #: the index of quotas by namespace and a kind that they measure

log = logging.getLogger("knarr.controllers")


def plan(
    quota: ResourceQuota, objects: Sequence[tuple[Kind, Sequence[Any]]], counts: Mapping[str, int], now: datetime
) -> list[Step]:
    """Return the step that writes what is used, if it is not written yet.

    `objects` are the namespace's measured objects by kind; `counts` how many there are of each kind that is counted, by
    the quota's name for it. A resource that nothing counts is not told of.
    """
    if quota.metadata.deletionTimestamp:
        return []
    hard = quota.spec.hard
    used: Usage = {name: quantity.of(counts[name] if unscoped(quota) else 0) for name in hard if name in counts}
    for kind, found in objects:
        names = quota_usage.names(kind, hard)
        used = quota_usage.add(dict.fromkeys(names, ZERO), used)
        if names:
            for obj in found:
                if quota_usage.in_scope(kind, quota.spec, obj):
                    own = quota_usage.usage(kind, obj, now)
                    used = quota_usage.add(used, {name: own[name] for name in names if name in own})
    status = ResourceQuotaStatus(hard=hard, used={name: str(used[name]) for name in hard if name in used})
    if status == quota.status:
        return []
    return [Status(replace(quota, status=status), reason="what is used has changed")]


def unscoped(quota: ResourceQuota) -> bool:
    """Whether the quota is for all objects: scopes choose among pods and claims alone."""
    return not quota_usage.requirements(quota.spec)


def names_of(resource: Resource[Partial]) -> list[str]:
    """The names under which quotas count a resource's objects."""
    plain = [resource.plural] if not resource.group and resource.plural in ALIASED else []
    return [COUNT + resource.qualified, *plain]


@dataclass
class Counter:
    """One controller's state: when each quota last changed, and which kinds are counted."""

    _changed: dict[Key, tuple[str, float]] = field(default_factory=dict)
    _kinds: dict[str, Resource[Partial]] = field(default_factory=dict)  #: by the quotas' names for them
    _followed: set[Resource[Partial]] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _enqueue: Enqueue | None = None

    async def follow(self, context: Context, enqueue: Enqueue) -> None:
        """Learn what kinds the server has, whenever a quota names one that is not known."""
        self._enqueue = enqueue
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                discovered = await discover(context.api)
            except (ApiError, TransportError) as error:
                log.warning("resource quotas: no discovery: %s", error)
            else:
                able = [found for found in discovered.able("list", "watch") if found.namespaced]
                self._kinds = {name: found for found in able for name in names_of(found)}
                for quota in context.cache(ResourceQuota).list():
                    if self._kinds.keys() & (quota.spec.hard.keys() - quota.status.used.keys()):
                        enqueue((quota.metadata.namespace, quota.metadata.name))
            await asyncio.sleep(QUIET)

    async def sync(self, key: Key, context: Context) -> float | None:
        namespace, name = key
        quota = context.cache(ResourceQuota).get(name, namespace)
        if quota is None:
            self._changed.pop(key, None)
            return None
        if (left := self._restless(key, quota)) > 0:
            return left
        counts = await self._counts(quota, context)
        measured = [(kind, type_) for kind, type_ in MEASURED if quota_usage.names(kind, quota.spec.hard)]
        objects = [(kind, context.cache(type_).list(namespace)) for kind, type_ in measured]
        await carry_out(context.api, plan(quota, objects, counts, clock.now()), context.recorder)
        return RECOUNT_SECONDS

    def _restless(self, key: Key, quota: ResourceQuota) -> float:
        """Seconds until a quota has been quiet for long enough; a new quota, or other limits, can't wait."""
        now = asyncio.get_running_loop().time()
        version, since = self._changed.get(key, ("", now))
        if version != quota.metadata.resourceVersion:
            since = now
            self._changed[key] = (quota.metadata.resourceVersion, now)
        return QUIET - (now - since) if settled(quota) else 0.0

    async def _counts(self, quota: ResourceQuota, context: Context) -> dict[str, int]:
        """How many objects there are of the kinds that the quota counts."""
        measured = {name for kind, _ in MEASURED for name in quota_usage.names(kind, quota.spec.hard)}
        found: dict[str, int] = {}
        for name in sorted(quota.spec.hard.keys() - measured):
            if (resource := self._kinds.get(name)) is not None:
                try:
                    found[name] = await self._count(resource, quota.metadata.namespace, context)
                except TimeoutError:
                    self._kinds.pop(name, None)  # gone, or not to be read: asked for again with the next pass
            elif name.startswith(COUNT) or name in ALIASED:
                self._wake.set()
        return found

    async def _count(self, resource: Resource[Partial], namespace: str, context: Context) -> int:
        informer = context.informers.of(resource)
        async with asyncio.timeout(SYNC_SECONDS):
            await informer.wait_synced()
        if resource not in self._followed:
            self._followed.add(resource)
            informer.on_change(self._listener(resource, context))
        return len(informer.cache.list(namespace))

    def _listener(self, resource: Resource[Partial], context: Context) -> Callable[[Any, Any], None]:
        names = set(names_of(resource))

        def listen(old: Partial | None, new: Partial | None) -> None:
            """An object that goes gives back its place; one that comes was charged for."""
            if new is not None or old is None or self._enqueue is None:
                return
            for quota in context.cache(ResourceQuota).list(old.metadata.namespace):
                if names & quota.spec.hard.keys():
                    self._enqueue((quota.metadata.namespace, quota.metadata.name))

        return listen


def settled(quota: ResourceQuota) -> bool:
    """Whether the limits are in force."""
    return quota.status.hard == quota.spec.hard


def quotas(kind: Kind) -> Callable[[Any, Context], Iterable[Key]]:
    """Of an object of the kind: the quotas of its namespace that measure the kind, which may count it otherwise now."""

    def related(obj: Any, context: Context) -> Iterable[Key]:
        measuring = f"{obj.metadata.namespace}/{kind.resource}"
        return map(key_of, context.cache(ResourceQuota).by_index(MEASURING, measuring))

    return related


def measured(quota: ResourceQuota) -> Iterable[str]:
    """Where a quota is filed: under each of the kinds whose changes wake it, that it measures."""
    kinds = (kind for kind, _ in MEASURED if quota_usage.names(kind, quota.spec.hard))
    return [f"{quota.metadata.namespace}/{kind.resource}" for kind in kinds]


def ended(found: Pod, context: Context) -> Iterable[Key]:
    """Of a pod only its end matters, and that it is ending: what else it uses was charged for."""
    over = is_finished(found) or found.metadata.deletionTimestamp
    return quotas(pod.KIND)(found, context) if over else ()


def controller() -> Controller:
    counter = Counter()
    return Controller(
        name="resourcequota",
        sources=[
            Source(ResourceQuota, itself),
            Source(Pod, related=ended),
            Source(Service, related=quotas(service.KIND)),
            Source(PersistentVolumeClaim, related=quotas(persistentvolumeclaim.KIND)),
        ],
        indexes=[(ResourceQuota, MEASURING, measured)],
        sync=counter.sync,
        background=counter.follow,
        component="resourcequota-controller",
    )
