"""Garbage collection: an object goes when all its owners are gone, or stays alone when it was orphaned.

The graph of owners says what to look at; what is decided is decided on the server's own state, looked up then. Deleted
in the foreground, an object waits for the dependents that block it; with the orphan finalizer, until no dependent
refers to it. Every kind that can be deleted, listed and watched takes part; new kinds are looked for every 30 s, and
when a definition of custom resources changes.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from knarr.client.api import Api
from knarr.client.discovery import discover
from knarr.client.resource import Partial, Resource
from knarr.client.transport import TransportError
from knarr.controllers.ownership_graph import (
    FOREGROUND,
    ORPHAN,
    Findings,
    Graph,
    Identity,
    Node,
    coordinates,
    identity_of,
)
from knarr.controllers.ownership_patches import remove_finalizer, remove_references, unblock
from knarr.kinds.types.core_v1 import ObjectReference
from knarr.kinds.types.meta_v1 import OwnerReference
from knarr.loop.runner import Context, Controller, Enqueue, Key
from knarr.loop.steps import Propagation
from knarr.meta.errors import ApiError, Conflict, NotFound

WORKERS = 20  #: objects looked at together (upstream's --concurrent-gc-syncs)
DISCOVER_SECONDS = 30.0
CALM_SECONDS = 600.0  #: until the next look for kinds when the last found nothing new: definitions tell of theirs
FIRST_SYNC_SECONDS = 30.0
VIRTUAL_SECONDS = 0.5  #: until an owner that exists but was not seen yet is looked at again
SETTLE_SECONDS = 1.0  #: from a changed definition of custom resources until they are looked for
DEFINITIONS = {("apiextensions.k8s.io", "customresourcedefinitions"), ("apiregistration.k8s.io", "apiservices")}
IGNORED = {("", "events"), ("events.k8s.io", "events")}

log = logging.getLogger("knarr.controllers")


class UnknownKind(Exception):
    """An owner reference names a kind that the server does not have, or not yet."""


class Misowned(Exception):
    """A cluster-wide object names an owner of a namespace: nothing to retry."""


@dataclass
class Classes:
    """An object's owner references by what is known of the owners."""

    solid: list[OwnerReference] = field(default_factory=list)
    dangling: list[OwnerReference] = field(default_factory=list)
    waiting: list[OwnerReference] = field(default_factory=list)  #: deleted in the foreground


class Collector:
    def __init__(self, calm: float = CALM_SECONDS) -> None:
        self._calm = calm
        self.graph = Graph()
        self._resources: dict[tuple[str, str], Resource[Partial]] = {}
        self._watched: dict[tuple[str, str], Resource[Partial]] = {}
        self._puzzled: set[str] = set()  # uids of what waits for a kind that was not found yet
        self._synced = asyncio.Event()
        self._defined = asyncio.Event()  # set when a definition of custom resources came, changed or went

    async def follow(self, context: Context, enqueue: Enqueue) -> None:
        """Keep the graph up with all kinds."""
        while True:
            self._defined.clear()
            pause = DISCOVER_SECONDS
            try:
                if await self._follow_kinds(context, enqueue):
                    pause = self._calm
            except (ApiError, TransportError) as error:
                log.warning("garbage collector: no discovery: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._defined.wait()
                    await asyncio.sleep(SETTLE_SECONDS)

    async def _follow_kinds(self, context: Context, enqueue: Enqueue) -> bool:
        """Watch what the server has; give whether that is all as it was."""
        discovered = await discover(context.api)
        self._resources = {(found.api_version, found.kind): found for found in discovered.resources}
        wanted = {
            key: found
            for found in discovered.able("delete", "list", "watch")
            if (key := (found.group, found.plural)) not in IGNORED
        }
        gone = sorted(self._watched.keys() - wanted.keys())
        for key in gone:
            if self._watched[key].api_version not in discovered.failed:
                context.informers.drop(self._watched.pop(key))
        new = {key: found for key, found in wanted.items() if key not in self._watched}
        for key, resource in new.items():
            self._watched[key] = resource
            context.informers.of(resource).on_change(self._listener(resource, context, enqueue))
        try:
            async with asyncio.timeout(FIRST_SYNC_SECONDS):
                for resource in new.values():
                    await context.informers.of(resource).wait_synced()
        except TimeoutError:
            log.warning("garbage collector: not all kinds could be read, going on")
        self._synced.set()
        if new:
            for uid in self._puzzled:
                enqueue(("", uid))
            self._puzzled.clear()
        return not (new or gone or discovered.failed)

    def _listener(self, resource: Resource[Partial], context: Context, enqueue: Enqueue) -> Callable[[Any, Any], None]:
        defines = (resource.group, resource.plural) in DEFINITIONS

        def listen(old: Partial | None, new: Partial | None) -> None:
            if defines:
                self._defined.set()
            if old is not None and new is not None and self.graph.renew(old, new):
                return
            if new is not None:
                identity = identity_of(resource.api_version, resource.kind, new)
                findings = self.graph.observe(identity, new)
            else:
                assert old is not None, "a change has at least one side"
                findings = self.graph.forget(old.metadata.uid)
            self._take(findings, context, enqueue)

        return listen

    def _take(self, findings: Findings, context: Context, enqueue: Enqueue) -> None:
        for uid in findings.look_at:
            enqueue(("", uid))
        for identity, owner in findings.misplaced:
            about = ObjectReference(
                apiVersion=identity.api_version,
                kind=identity.kind,
                namespace=identity.namespace,
                name=identity.name,
                uid=identity.uid,
            )
            message = f'ownerRef {owner} does not exist in namespace "{identity.namespace}"'
            context.recorder.note(about, "Warning", "OwnerRefInvalidNamespace", message)

    async def sync(self, key: Key, context: Context, enqueue: Enqueue) -> float | None:
        """Look at one object, by its uid."""
        await self._synced.wait()
        self._puzzled.discard(key[1])
        try:
            return await self._look_at(key[1], context, enqueue)
        except UnknownKind as error:
            log.debug("garbage collector: unknown kind: %s", error)
            self._puzzled.add(key[1])
            return DISCOVER_SECONDS
        except Misowned as error:
            log.info("garbage collector: a cluster-wide object names an owner of a namespace: %s", error)
            return None

    async def _look_at(self, uid: str, context: Context, enqueue: Enqueue) -> float | None:
        node = self.graph.nodes.get(uid)
        if node is None or (node.deleting and not node.orphaning and not node.deleting_dependents):
            return None
        known = (node.identity.api_version, node.identity.kind) in self._resources
        if known and not node.virtual and not node.deleting and self.graph.is_orphan(node):
            with contextlib.suppress(Conflict):  # it is not what was seen any more: then it is judged by what it is
                await self._delete(context.api, node, node.version, node.finalizers)
                return None
        latest = await self._latest(context.api, node.identity)
        if latest is None:
            findings = self.graph.confirm_absent(node) if node.virtual else self.graph.forget(uid)
            self._take(findings, context, enqueue)
            return None
        if node.virtual:
            return VIRTUAL_SECONDS
        if node.orphaning:
            await self._orphan(context.api, node, latest)
        elif node.deleting_dependents:
            await self._await_dependents(context.api, node, latest, enqueue)
        elif latest.metadata.ownerReferences:
            await self._judge(context.api, node, latest)
        return None

    async def _latest(self, api: Api, identity: Identity) -> Partial | None:
        """The object as the server has it; None when it is gone, or another one has its name."""
        resource = self._resources.get((identity.api_version, identity.kind))
        if resource is None:
            raise UnknownKind(str(identity))
        if resource.namespaced and not identity.namespace:
            raise Misowned(str(identity))
        try:
            found = await api.get(resource, identity.name, identity.namespace if resource.namespaced else "")
        except NotFound:
            return None
        return found if found.metadata.uid == identity.uid else None

    async def _classify(self, api: Api, node: Node, references: Sequence[OwnerReference]) -> Classes:
        classes = Classes()
        for reference in references:
            owner = coordinates(reference, node.identity.namespace)
            latest = None if self.graph.absent(owner) else await self._latest(api, owner)
            if latest is None:
                resource = self._resources.get((owner.api_version, owner.kind))
                wide = resource is not None and not resource.namespaced
                self.graph.note_absent(owner._replace(namespace="") if wide else owner)
                classes.dangling.append(reference)
            elif latest.metadata.deletionTimestamp and FOREGROUND in latest.metadata.finalizers:
                classes.waiting.append(reference)
            else:
                classes.solid.append(reference)
        return classes

    async def _judge(self, api: Api, node: Node, latest: Partial) -> None:
        """Delete an object without owners, or take the references off that mean nothing."""
        classes = await self._classify(api, node, latest.metadata.ownerReferences)
        if classes.solid:
            if surplus := {reference.uid for reference in (*classes.dangling, *classes.waiting)}:
                await remove_references(api, self._resource(node), latest, surplus)
            return
        if classes.waiting and node.dependents:
            if any(dependent.deleting_dependents for dependent in self.graph.dependents(node)):
                await unblock(api, self._resource(node), latest)
            await self._delete(api, node, latest.metadata.resourceVersion, (FOREGROUND,))
            return
        await self._delete(api, node, latest.metadata.resourceVersion, latest.metadata.finalizers)

    async def _delete(self, api: Api, node: Node, version: str, finalizers: Sequence[str]) -> None:
        """Delete an object if it still is of this version, and its dependents as its finalizers say."""
        propagation: Propagation = "Foreground" if FOREGROUND in finalizers else "Background"
        if ORPHAN in finalizers:
            propagation = "Orphan"
        _, _, namespace, name, uid = node.identity
        try:
            await api.delete(
                self._resource(node), name, namespace, uid=uid, resource_version=version, propagation=propagation
            )
        except NotFound:
            return

    async def _orphan(self, api: Api, node: Node, latest: Partial) -> None:
        """Let every dependent go, then the object."""
        for dependent in self.graph.dependents(node):
            if (current := await self._latest(api, dependent.identity)) is not None:
                await remove_references(api, self._resource(dependent), current, {node.identity.uid})
        await remove_finalizer(api, self._resource(node), latest, ORPHAN)

    async def _await_dependents(self, api: Api, node: Node, latest: Partial, enqueue: Enqueue) -> None:
        """Let the object go when no dependent blocks it, else see to the ones that do."""
        uid = node.identity.uid
        blocking = [dependent for dependent in self.graph.dependents(node) if dependent.blocks(uid)]
        if not blocking:
            await remove_finalizer(api, self._resource(node), latest, FOREGROUND)
        for dependent in blocking:
            if not dependent.deleting_dependents:
                enqueue(("", dependent.identity.uid))

    def _resource(self, node: Node) -> Resource[Partial]:
        return self._resources[node.identity.api_version, node.identity.kind]


def controller(calm: float = CALM_SECONDS) -> Controller:
    """The controller with a graph of its own; `calm` as CALM_SECONDS."""
    collector = Collector(calm)
    wake: list[Enqueue] = []

    async def background(context: Context, enqueue: Enqueue) -> None:
        wake.append(enqueue)
        await collector.follow(context, enqueue)

    async def sync(key: Key, context: Context) -> float | None:
        return await collector.sync(key, context, wake[-1])

    return Controller(
        name="garbage-collector",
        component="garbage-collector-controller",
        sources=[],
        sync=sync,
        background=background,
        workers=WORKERS,
    )
