"""A volume has one claim, and a claim its volume: held at every write, and when all has come to rest."""

from collections.abc import Iterator

from knarr.kinds.pod import is_terminating
from knarr.kinds.pod_claims import uses
from knarr.kinds.types.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from knarr.kinds.volume_binding import BIND_COMPLETED, PROVISIONED_BY, suits
from knarr.testing.invariants.world import World, Write

MADE = "local-path"  #: the class whose volumes are made
USER = "user"  #: who may do as they like with what is theirs


def claim_uid(volume: PersistentVolume | None) -> str:
    """The uid of the claim that a volume is set aside for; "" for none."""
    return volume.spec.claimRef.uid if volume is not None and volume.spec.claimRef is not None else ""


def claim_of(volume: PersistentVolume, world: World) -> PersistentVolumeClaim | None:
    """The claim that a volume is set aside for, if it is there and the very same."""
    ref = volume.spec.claimRef
    found = world.get(PersistentVolumeClaim, ref.namespace, ref.name) if ref is not None else None
    return found if ref is not None and found is not None and found.metadata.uid == ref.uid else None


def is_together(claim: PersistentVolumeClaim | None, volume: PersistentVolume) -> bool:
    """Whether a claim that is there has a volume for its own."""
    return claim is not None and claim.spec.volumeName == volume.metadata.name


def one_claim(write: Write, world: World) -> Iterator[str]:
    """No volume is handed from claim to claim, taken from one that has it, or lost while it is there."""
    if isinstance(write.obj, PersistentVolume) and write.writer != USER:
        yield from of_volume(write, world)
    elif isinstance(write.new, PersistentVolumeClaim):
        yield from of_claim(write, world)


def of_volume(write: Write, world: World) -> Iterator[str]:
    old, new = write.old, write.new
    name, before, after = write.obj.metadata.name, claim_uid(old), claim_uid(new)
    had = old is not None and is_together(claim_of(old, world), old)
    if before and after and before != after:
        yield f"volume {name} went from claim {before} to {after} in one write"
    if had and new is not None and not after:
        yield f"volume {name} was taken from the claim that has it"
    if had and new is not None and new.status.phase in ("Released", "Failed", "Available"):
        yield f"volume {name} is {new.status.phase}, and its claim is there"
    if had and write.asked_to_go:
        yield f"volume {name} is deleted, and its claim is there"


def of_claim(write: Write, world: World) -> Iterator[str]:
    old, new = write.old, write.new
    name = new.metadata.name
    volume = world.get(PersistentVolume, "", new.spec.volumeName) if new.spec.volumeName else None
    before = old is not None and BIND_COMPLETED in old.metadata.annotations
    bound = BIND_COMPLETED in new.metadata.annotations and not before
    if bound and (volume is None or claim_uid(volume) != new.metadata.uid):
        yield f"claim {name} is bound to {new.spec.volumeName}, which is not set aside for it"
    lost = new.status.phase == "Lost" and (old is None or old.status.phase != "Lost")
    if lost and volume is not None and claim_uid(volume) == new.metadata.uid:
        yield f"claim {name} is lost, and its volume is there"


def unsettled(world: World) -> Iterator[str]:
    """What of claims and volumes is not as it is to be once nothing changes any more."""
    volumes, claims = world.all(PersistentVolume), world.all(PersistentVolumeClaim)
    for claim in claims:
        yield from at_rest(claim, world)
        yield from waiting(claim, world)
    for volume in volumes:
        ref, phase, name = volume.spec.claimRef, volume.status.phase, volume.metadata.name
        there = claim_of(volume, world)
        wanted = ("Available",) if ref is None or not ref.uid else ("Bound",) if there else ("Released", "Failed")
        made = PROVISIONED_BY in volume.metadata.annotations
        if made and there is None and volume.spec.persistentVolumeReclaimPolicy == "Delete":
            yield f"volume {name} was made for a claim that is gone"
        if phase not in wanted:
            yield f"volume {name} is {phase}, not {' or '.join(wanted)}"
        if there is not None and not is_together(there, volume):
            yield f"volume {name} is kept for claim {there.metadata.name}, which has {there.spec.volumeName or 'none'}"


def waiting(claim: PersistentVolumeClaim, world: World) -> Iterator[str]:
    """A claim that waits for its consumer does not when there is one, and a volume for it, or somebody to make it."""
    used = any(uses(pod, claim) and not is_terminating(pod) for pod in world.all(Pod))
    going = claim.metadata.deletionTimestamp
    if claim.status.phase != "Pending" or claim.spec.storageClassName == "" or not used or going:
        return
    free = [each.metadata.name for each in world.all(PersistentVolume) if suits(each, claim)]
    if free or claim.spec.storageClassName == MADE:
        yield f"claim {claim.metadata.name} waits, its pod is there, and {(free or ['a new volume'])[0]} would do"


def at_rest(claim: PersistentVolumeClaim, world: World) -> Iterator[str]:
    name, phase = claim.metadata.name, claim.status.phase
    volume = world.get(PersistentVolume, "", claim.spec.volumeName) if claim.spec.volumeName else None
    match phase:
        case "Bound" if volume is None or claim_uid(volume) != claim.metadata.uid:
            yield f"claim {name} is Bound to {claim.spec.volumeName}, which is not its own"
        case "Lost" if volume is not None and claim_uid(volume) == claim.metadata.uid:
            yield f"claim {name} is Lost, and {claim.spec.volumeName} is there"
        case "Pending" if not claim.spec.volumeName and claim.spec.storageClassName == "":
            if free := [each.metadata.name for each in world.all(PersistentVolume) if suits(each, claim)]:
                yield f"claim {name} waits, and {free[0]} would do"
        case "Pending" if volume is not None and suits(volume, claim):
            yield f"claim {name} waits for {claim.spec.volumeName}, which would do"
