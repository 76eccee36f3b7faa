"""The binder: brings claims and volumes together, and apart when a claim is gone.

Keeps true: a volume is set aside for one claim (its `claimRef`, with the uid) before the claim names the volume, so no
two claims ever get the same volume; a claim once bound stays with its volume. What the user wrote is kept when the
binding ends: only what carries the annotation `bound-by-controller` is undone. Volumes are made by provisioners, which
the binder only calls by annotating the claim. `plan_claim` and `plan_volume` decide; keys without a namespace are
volumes'.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from knarr.client.cache import key_of
from knarr.controllers.persistentvolume_reclaim import NAMESPACE, reclaim, recycled_by, recycler_name
from knarr.controllers.persistentvolume_steps import bind, claim_phase, make_available, volume_phase
from knarr.controllers.persistentvolume_stock import INDEXES, MEANT, Stock, named_by, of_volume, stock, waiting
from knarr.kinds import persistentvolume, persistentvolumeclaim
from knarr.kinds.storageclass import default_class
from knarr.kinds.types.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.kinds.volume_binding import (
    BETA_PROVISIONER,
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    PROVISIONED_BY,
    PROVISIONER,
    SELECTED_NODE,
    is_reserved_for,
    mismatch,
    suits,
    waits_for_consumer,
)
from knarr.kinds.volume_drivers import PROVISIONERS
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Event, Patch, Step
from knarr.meta import quantity
from knarr.meta.errors import NotFound

FIRST_CONSUMER = "waiting for first consumer to be created before binding"
NOTHING_FREE = "no persistent volumes available for this claim and no storage class is set"


def plan_claim(claim: PersistentVolumeClaim, stock: Stock) -> Iterator[Step]:
    """What a claim needs next."""
    if BIND_COMPLETED in claim.metadata.annotations:
        yield from keep_bound(claim, stock)
    elif claim.spec.volumeName:
        yield from bind_named(claim, stock)
    else:
        yield from find_volume(claim, stock)


def keep_bound(claim: PersistentVolumeClaim, stock: Stock) -> Iterator[Step]:
    """A claim that was bound: bound still, or lost for good."""
    if not claim.spec.volumeName:
        said = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
        yield from lose(claim, "ClaimLost", said)
        return
    volume = stock.volumes.get(claim.spec.volumeName)
    if volume is None:
        yield from lose(claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
    elif volume.spec.claimRef is None or volume.spec.claimRef.uid == claim.metadata.uid:
        yield from bind(volume, claim)
    else:
        said = "Two claims are bound to the same volume, this one is bound incorrectly"
        yield from lose(claim, "ClaimMisbound", said)


def lose(claim: PersistentVolumeClaim, reason: str, message: str) -> Iterator[Step]:
    if claim.status.phase != "Lost":
        yield from claim_phase(claim, "Lost")
        yield Event(claim, "Warning", reason, message)


def bind_named(claim: PersistentVolumeClaim, stock: Stock) -> Iterator[Step]:
    """A claim that asks for a volume by name."""
    volume = stock.volumes.get(claim.spec.volumeName)
    if volume is None:
        yield from claim_phase(claim, "Pending")
    elif volume.spec.claimRef is None or is_reserved_for(volume, claim):
        wrong = mismatch(volume, claim)
        if wrong and not (volume.spec.claimRef and volume.spec.claimRef.uid):
            said = f'Cannot bind to requested volume "{volume.metadata.name}": {wrong}'
            yield Event(claim, "Warning", "VolumeMismatch", said)
            yield from claim_phase(claim, "Pending")
        else:
            yield from bind(volume, claim)
    else:
        if BOUND_BY_CONTROLLER not in claim.metadata.annotations:
            said = f'volume "{volume.metadata.name}" already bound to a different claim.'
            yield Event(claim, "Warning", "FailedBinding", said)
        yield from claim_phase(claim, "Pending")


def find_volume(claim: PersistentVolumeClaim, stock: Stock) -> Iterator[Step]:
    """A claim that takes any volume that suits it: the smallest, or one to be made."""
    class_ = stock.classes.get(persistentvolumeclaim.storage_class(claim))
    if claim.spec.storageClassName is None and class_ is None and (found := default_class(stock.classes.values())):
        name = found.metadata.name
        yield Patch(claim, {"spec": {"storageClassName": name}}, reason=f"default class {name}")
        return
    late = waits_for_consumer(class_) and SELECTED_NODE not in claim.metadata.annotations
    volume = best(claim, stock, reserved_only=late)
    if volume is not None:
        yield from bind(volume, claim)
        return
    if late:
        yield Event(claim, "Normal", *consumer(claim, stock))
    elif persistentvolumeclaim.storage_class(claim):
        yield from provision(claim, class_)
    else:
        yield Event(claim, "Normal", "FailedBinding", NOTHING_FREE)
    yield from claim_phase(claim, "Pending")


def consumer(claim: PersistentVolumeClaim, stock: Stock) -> tuple[str, str]:
    """Reason and message of a claim that waits for a pod to be placed."""
    waiting = stock.unplaced(claim)
    if waiting:
        what = "pod" if len(waiting) == 1 else "pods"
        return "WaitForPodScheduled", f"waiting for {what} {','.join(waiting)} to be scheduled"
    return "WaitForFirstConsumer", FIRST_CONSUMER


def best(claim: PersistentVolumeClaim, stock: Stock, *, reserved_only: bool) -> PersistentVolume | None:
    """The volume that is set aside for the claim, or else the smallest that suits it.

    One that waits for a consumer is left to the scheduler, who knows where the volume is to be usable.
    """
    candidates = [volume for volume in stock.volumes.values() if suits(volume, claim)]
    reserved = [volume for volume in candidates if is_reserved_for(volume, claim)]
    if reserved or reserved_only or SELECTED_NODE in claim.metadata.annotations:
        return reserved[0] if reserved else None
    return min(candidates, key=size_and_name, default=None)


def size_and_name(volume: PersistentVolume) -> tuple[quantity.Quantity, str]:
    return quantity.parse(volume.spec.capacity.get("storage", "0")), volume.metadata.name


def provision(claim: PersistentVolumeClaim, class_: StorageClass | None) -> Iterator[Step]:
    """Call the class's provisioner, who may be anybody that watches claims."""
    name = persistentvolumeclaim.storage_class(claim)
    if class_ is None:
        yield Event(claim, "Warning", "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found')
        return
    provisioner = PROVISIONERS.get(class_.provisioner, class_.provisioner)
    if provisioner.startswith("kubernetes.io/"):
        said = f"no volume plugin matched name: {provisioner}"
        yield Event(claim, "Warning", "ProvisioningFailed", said)
        return
    if claim.metadata.annotations.get(PROVISIONER) != provisioner:
        notes = {BETA_PROVISIONER: provisioner, PROVISIONER: provisioner}
        meta = {"uid": claim.metadata.uid, "annotations": notes}
        yield Patch(claim, {"metadata": meta}, reason=f"to be made by {provisioner}")
    said = (
        f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the "
        "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
        "correctly registered."
    )
    yield Event(claim, "Normal", "ExternalProvisioning", said)


def plan_volume(
    volume: PersistentVolume, claim: PersistentVolumeClaim | None, recycler: Pod | None = None
) -> Iterator[Step]:
    """What a volume needs next; `claim` is the one its reference names, whatever its uid, `recycler` who empties it."""
    ref = volume.spec.claimRef
    if ref is None or not ref.uid:
        yield from volume_phase(volume, "Available")
    elif claim is None or claim.metadata.uid != ref.uid:
        yield from reclaim(volume, recycler)
    elif claim.spec.volumeName == volume.metadata.name:
        yield from volume_phase(volume, "Bound")
    elif claim.spec.volumeName:
        made_for_it = PROVISIONED_BY in volume.metadata.annotations
        if made_for_it and volume.spec.persistentVolumeReclaimPolicy == "Delete":
            yield from reclaim(volume, recycler)
        else:
            yield from make_available(volume)


# Running it


def controller() -> Controller:
    return Controller(
        name="persistentvolume-binder",
        component="persistentvolume-controller",
        sources=[
            Source(PersistentVolumeClaim, itself, related=volumes_of_claim),
            Source(PersistentVolume, itself, related=claims_of_volume),
            Source(StorageClass, related=claims_of_class),
            Source(Pod, recycled),
        ],
        indexes=INDEXES,
        sync=sync,
    )


async def sync(key: Key, context: Context) -> datetime | None:
    """Bring one claim or one volume nearer to being bound, or to having its end."""
    namespace, name = key
    if namespace:
        claim = context.cache(PersistentVolumeClaim).get(name, namespace)
        steps = plan_claim(claim, await stock_for(claim, context)) if claim is not None else iter(())
    else:
        volume = context.cache(PersistentVolume).get(name)
        steps = await steps_of_volume(volume, context) if volume is not None else iter(())
    return await carry_out(context.api, steps, context.recorder)


async def steps_of_volume(volume: PersistentVolume, context: Context) -> Iterator[Step]:
    """What a volume needs. One that is to be emptied is looked at anew: it may have got another claim meanwhile."""
    claim = await claim_now(volume, context)
    if volume.spec.persistentVolumeReclaimPolicy == "Recycle" and volume.status.phase == "Released":
        volume = await context.api.get(PersistentVolume, volume.metadata.name)
        claim = await claim_now(volume, context)
    return plan_volume(volume, claim, context.cache(Pod).get(recycler_name(volume), NAMESPACE))


async def stock_for(claim: PersistentVolumeClaim, context: Context) -> Stock:
    """What there is for a claim. The server is asked for a bound claim's volume before that counts as lost."""
    found, name = stock(context, claim), claim.spec.volumeName
    known = found.volumes.get(name)
    ours = known is not None and known.spec.claimRef is not None and known.spec.claimRef.uid == claim.metadata.uid
    if BIND_COMPLETED in claim.metadata.annotations and name and not ours:
        with suppress(NotFound):
            volume = await context.api.get(PersistentVolume, name)
            return replace(found, volumes={**found.volumes, name: volume})
    return found


async def claim_now(volume: PersistentVolume, context: Context) -> PersistentVolumeClaim | None:
    """The claim that a volume's reference names. The server is asked before it counts as gone: the caches of claims and
    of volumes are not of the same moment, and a volume that is reclaimed too early has lost its data.
    """
    claim, ref = claim_of(volume, context), volume.spec.claimRef
    if ref is None or not ref.uid or (claim is not None and claim.metadata.uid == ref.uid):
        return claim
    if volume.status.phase in ("Released", "Failed"):
        return claim
    with suppress(NotFound):
        return await context.api.get(PersistentVolumeClaim, ref.name, ref.namespace)
    return None


def claim_of(volume: PersistentVolume, context: Context) -> PersistentVolumeClaim | None:
    """The claim that a volume's reference names."""
    ref = volume.spec.claimRef
    return context.cache(PersistentVolumeClaim).get(ref.name, ref.namespace) if ref else None


def volumes_of_claim(claim: PersistentVolumeClaim, context: Context) -> list[Key]:
    """The volumes that a claim names, or that name it."""
    named = {claim.spec.volumeName} - {""}
    return [("", name) for name in named | {volume.metadata.name for volume in named_by(claim, context)}]


def recycled(pod: Pod) -> list[Key]:
    """The volume that a pod empties."""
    return [("", name)] if (name := recycled_by(pod)) else []


def claims_of_volume(volume: PersistentVolume, context: Context) -> list[Key]:
    """The claim that a volume names, those that name it, and for a free one all of its class that wait."""
    ref = volume.spec.claimRef
    claims = context.cache(PersistentVolumeClaim).by_index(MEANT, of_volume(volume.metadata.name))
    if ref is None:
        return [*map(key_of, claims), *map(key_of, waiting(persistentvolume.storage_class(volume), context))]
    return [*map(key_of, claims), (ref.namespace, ref.name)]


def claims_of_class(class_: StorageClass, context: Context) -> list[Key]:
    """The claims that wait for a volume of a class, or for a default class."""
    undecided = [claim for claim in waiting("", context) if claim.spec.storageClassName is None]
    return [*map(key_of, waiting(class_.metadata.name, context)), *map(key_of, undecided)]
