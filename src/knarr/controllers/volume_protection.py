"""Volume protection: a claim that a pod uses, or a volume that is bound, is not gone before it is out of use.

Keeps true: the finalizers `kubernetes.io/pvc-protection` and `kubernetes.io/pv-protection` are on every claim and
volume; off a claim that is being deleted once no pod that has a node names it, off a volume once it is not bound.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.controllers.persistentvolume_stock import USERS, users
from knarr.kinds import persistentvolume, persistentvolumeclaim
from knarr.kinds.pod_claims import claims_of, is_made_for, uses
from knarr.kinds.types.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Patch, Step, Wait


def plan_claim(claim: PersistentVolumeClaim, pods: Sequence[Pod]) -> Iterator[Step]:
    """`pods` are any of the claim's namespace."""
    users = [pod.metadata.name for pod in pods if holds(pod, claim)]
    if claim.metadata.deletionTimestamp and users:
        yield Wait(claim, f"used by {users[0]}")
    else:
        yield from protect(claim, persistentvolumeclaim.PROTECTION)


def holds(pod: Pod, claim: PersistentVolumeClaim) -> bool:
    """Whether a pod keeps a claim: it has a node, and uses it; its own claim no longer than its containers run."""
    if not pod.spec.nodeName or not uses(pod, claim):
        return False
    return not (is_made_for(claim, pod) and is_shut_down(pod))


def is_shut_down(pod: Pod) -> bool:
    """Whether a pod's node has said that nothing of it is left, and only a finalizer keeps the object."""
    return bool(pod.metadata.deletionTimestamp) and pod.metadata.deletionGracePeriodSeconds == 0


def plan_volume(volume: PersistentVolume) -> Iterator[Step]:
    if volume.metadata.deletionTimestamp and volume.status.phase == "Bound":
        yield Wait(volume, "bound")
    else:
        yield from protect(volume, persistentvolume.PROTECTION)


def protect(obj: PersistentVolumeClaim | PersistentVolume, finalizer: str) -> Iterator[Step]:
    """Put the finalizer on, or off when the object is being deleted."""
    finalizers, going = obj.metadata.finalizers, bool(obj.metadata.deletionTimestamp)
    if going is not (finalizer in finalizers):
        return
    left = [name for name in finalizers if name != finalizer] if going else [*finalizers, finalizer]
    meta = {"uid": obj.metadata.uid, "resourceVersion": obj.metadata.resourceVersion, "finalizers": left or None}
    yield Patch(obj, {"metadata": meta}, reason="out of use" if going else "protected")


def controller() -> Controller:
    return Controller(
        name="volume-protection",
        sources=[
            Source(PersistentVolumeClaim, itself),
            Source(PersistentVolume, itself),
            Source(Pod, claims_of_pod),
        ],
        indexes=[USERS],
        sync=sync,
    )


async def sync(key: Key, context: Context) -> datetime | None:
    """See to one claim or, without a namespace, one volume."""
    namespace, name = key
    steps: Iterator[Step] = iter(())
    if namespace:
        claim = context.cache(PersistentVolumeClaim).get(name, namespace)
        if claim is not None:
            steps = plan_claim(claim, await users_now(claim, context))
    else:
        volume = context.cache(PersistentVolume).get(name)
        if volume is not None:
            steps = plan_volume(volume)
    return await carry_out(context.api, steps, context.recorder)


async def users_now(claim: PersistentVolumeClaim, context: Context) -> Sequence[Pod]:
    """The pods that may use a claim. The server is asked before its protection goes: a pod may be new."""
    pods = [pod for pod in users(claim, context) if holds(pod, claim)]
    leaving = claim.metadata.deletionTimestamp and persistentvolumeclaim.PROTECTION in claim.metadata.finalizers
    if pods or not leaving:
        return pods
    pages = context.api.pages(Pod, claim.metadata.namespace)
    return [pod async for page in pages for pod in page if holds(pod, claim)]


def claims_of_pod(pod: Pod) -> list[Key]:
    """The claims that a pod names or has made for itself."""
    return [(pod.metadata.namespace, name) for name in claims_of(pod)]
