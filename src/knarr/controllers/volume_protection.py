"""Volume protection: a claim that a pod uses, or a volume that is bound, is not gone before it is out of use.

Keeps true: the finalizers `kubernetes.io/pvc-protection` and `kubernetes.io/pv-protection` are on every claim and
volume; off a claim that is being deleted once no pod that has a node names it, off a volume once it is not bound.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.controllers.persistentvolume_stock import uses
from knarr.kinds import persistentvolume, persistentvolumeclaim
from knarr.kinds.types.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Patch, Step, Wait


def plan_claim(claim: PersistentVolumeClaim, pods: Sequence[Pod]) -> Iterator[Step]:
    """`pods` are those of the claim's namespace."""
    users = [pod.metadata.name for pod in pods if pod.spec.nodeName and uses(pod, claim)]
    if claim.metadata.deletionTimestamp and users:
        yield Wait(claim, f"used by {users[0]}")
    else:
        yield from protect(claim, persistentvolumeclaim.PROTECTION)


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
        sync=sync,
    )


async def sync(key: Key, context: Context) -> datetime | None:
    """See to one claim or, without a namespace, one volume."""
    namespace, name = key
    steps: Iterator[Step] = iter(())
    if namespace:
        claim = context.cache(PersistentVolumeClaim).get(name, namespace)
        if claim is not None:
            steps = plan_claim(claim, context.cache(Pod).list(namespace))
    else:
        volume = context.cache(PersistentVolume).get(name)
        if volume is not None:
            steps = plan_volume(volume)
    return await carry_out(context.api, steps, context.recorder)


def claims_of_pod(pod: Pod) -> list[Key]:
    """The claims that a pod names or has made for itself."""
    names = [
        volume.persistentVolumeClaim.claimName if volume.persistentVolumeClaim else f"{pod.metadata.name}-{volume.name}"
        for volume in pod.spec.volumes
        if volume.persistentVolumeClaim is not None or volume.ephemeral is not None
    ]
    return [(pod.metadata.namespace, name) for name in names]
