"""Carries a decision out: the claims' volumes first, then the pod to its node.

A claim that waits for its first consumer gets the volume the decision chose, or the note on which node to make one;
the pod is bound only when binder and provisioner have bound all of them. Called by the scheduler, a task per pod.
"""

import asyncio
from collections.abc import Callable

from knarr.client.api import Api
from knarr.client.cache import Cache
from knarr.kinds.types.core_v1 import Binding, ObjectReference, PersistentVolume, PersistentVolumeClaim, Pod
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.kinds.volume_binding import BOUND_BY_CONTROLLER, SELECTED_NODE, is_complete
from knarr.scheduler.decision import Decision

BIND_SECONDS = 600.0  #: how long a pod waits for its volumes before another node is looked for


class NotBound(Exception):
    """The volumes of a pod could not be had as decided; the message says why."""


class Claims:
    """Wakes those who wait for claims to change."""

    def __init__(self) -> None:
        self._waiters: dict[asyncio.Event, None] = {}

    def changed(self) -> None:
        for waiter in self._waiters:
            waiter.set()

    async def wait(self, done: Callable[[], bool]) -> None:
        """Return when `done`, which is asked whenever a claim changed."""
        waiter = asyncio.Event()
        self._waiters[waiter] = None
        try:
            while not done():
                waiter.clear()
                await waiter.wait()
        finally:
            self._waiters.pop(waiter, None)


class Progress:
    """How far the claims of one decision have come."""

    def __init__(self, namespace: str, decision: Decision, claims: Cache[PersistentVolumeClaim]) -> None:
        self._namespace, self._decision, self._claims = namespace, decision, claims
        self._seen: set[str] = set()  # claims that were in the cache
        self._selected: set[str] = set()  # claims that had the note on their node

    def done(self) -> bool:
        """Whether all claims are bound; raises NotBound when one never will be."""
        return all(self._is_bound(name) for name in self._decision.volumes)

    def _is_bound(self, name: str) -> bool:
        claim = self._claims.get(name, self._namespace)
        if claim is None:
            if name in self._seen:
                raise NotBound(f'persistentvolumeclaim "{name}" not found')
            return False
        self._seen.add(name)
        if is_complete(claim):
            return True
        if SELECTED_NODE in claim.metadata.annotations:
            self._selected.add(name)
        elif name in self._selected:
            raise NotBound(f'provisioning failed for PVC "{name}"')
        return False


async def bind_volumes(
    api: Api, pod: Pod, decision: Decision, claims: Cache[PersistentVolumeClaim], changes: Claims
) -> None:
    """Have the decision's volumes bound; raise NotBound when that fails or takes too long."""
    namespace = pod.metadata.namespace
    for name, volume in decision.volumes.items():
        claim = claims.get(name, namespace) or await api.get(PersistentVolumeClaim, name, namespace)
        await (reserve(api, claim, volume) if volume else select_node(api, claim, decision.node))
    try:
        async with asyncio.timeout(BIND_SECONDS):
            await changes.wait(Progress(namespace, decision, claims).done)
    except TimeoutError:
        raise NotBound(f"binding volumes: timed out after {BIND_SECONDS:.0f} s") from None


async def reserve(api: Api, claim: PersistentVolumeClaim, volume: str) -> None:
    """Set a volume aside for a claim; the binder completes it. A volume that changed meanwhile is a Conflict."""
    found = await api.get(PersistentVolume, volume)
    meta = claim.metadata
    if found.spec.claimRef is not None and found.spec.claimRef.uid == meta.uid:
        return
    if found.spec.claimRef is not None and found.spec.claimRef.uid:
        raise NotBound(f'volume "{volume}" already bound to a different claim.')
    reference = ObjectReference(
        apiVersion="v1", kind="PersistentVolumeClaim", namespace=meta.namespace, name=meta.name, uid=meta.uid
    )
    metadata: dict[str, object] = {"resourceVersion": found.metadata.resourceVersion}
    if found.spec.claimRef is None:
        metadata["annotations"] = {BOUND_BY_CONTROLLER: "yes"}
    await api.patch(PersistentVolume, volume, "", {"metadata": metadata, "spec": {"claimRef": reference}})


async def select_node(api: Api, claim: PersistentVolumeClaim, node: str) -> None:
    """Note on a claim where its volume is to be made."""
    if claim.metadata.annotations.get(SELECTED_NODE) == node:
        return
    patch = {"metadata": {"uid": claim.metadata.uid, "annotations": {SELECTED_NODE: node}}}
    await api.patch(PersistentVolumeClaim, claim.metadata.name, claim.metadata.namespace, patch)


async def bind_pod(api: Api, pod: Pod, node: str) -> None:
    """Give a pod its node."""
    meta = pod.metadata
    await api.tell(
        Binding(
            metadata=ObjectMeta(name=meta.name, namespace=meta.namespace, uid=meta.uid),
            target=ObjectReference(apiVersion="v1", kind="Node", name=node),
        ),
        subresource="binding",
    )
