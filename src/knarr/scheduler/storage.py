"""The volumes a pod waits for, as the scheduler sees them: its claims, and how each can be had on a node.

Pure; `Storage` is filled from the scheduler's caches for one pod at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from knarr.kinds import persistentvolumeclaim
from knarr.kinds.placement import selects
from knarr.kinds.pod_claims import claim_of, is_made_for, not_made_for
from knarr.kinds.types.core_v1 import Node, PersistentVolume, PersistentVolumeClaim, Pod
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.kinds.volume_binding import NO_PROVISIONER, SELECTED_NODE, is_complete, suits, waits_for_consumer
from knarr.meta import quantity

UNBOUND = "pod has unbound immediate PersistentVolumeClaims"


def _no_volumes() -> Sequence[PersistentVolume]:
    return ()


@dataclass(frozen=True, slots=True)
class Storage:
    """What there is: the claims of one namespace by name, volumes and classes by name."""

    claims: Mapping[str, PersistentVolumeClaim] = field(default_factory=dict)
    classes: Mapping[str, StorageClass] = field(default_factory=dict)
    volume: Callable[[str], PersistentVolume | None] = lambda name: None
    volumes: Callable[[], Sequence[PersistentVolume]] = _no_volumes


@dataclass(frozen=True, slots=True)
class Needs:
    """A pod's claims, sorted by what remains to be done; or why the pod cannot be placed anywhere."""

    bound: Sequence[PersistentVolumeClaim] = ()
    waiting: Sequence[PersistentVolumeClaim] = ()  #: for the pod to be placed
    complaint: str = ""


def needs(pod: Pod, storage: Storage) -> Needs:
    """What the pod needs of storage."""
    bound: list[PersistentVolumeClaim] = []
    waiting: list[PersistentVolumeClaim] = []
    for volume in pod.spec.volumes:
        if not (name := claim_of(pod, volume)):
            continue
        claim = storage.claims.get(name)
        if claim is None:
            if volume.ephemeral is not None:
                text = f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
                return Needs(complaint=text)
            return Needs(complaint=f'persistentvolumeclaim "{name}" not found')
        if volume.ephemeral is not None and not is_made_for(claim, pod):
            return Needs(complaint=not_made_for(claim, pod))
        if claim.status.phase == "Lost":
            gone = claim.spec.volumeName
            text = f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{gone}"'
            return Needs(complaint=text)
        if claim.metadata.deletionTimestamp:
            return Needs(complaint=f'persistentvolumeclaim "{name}" is being deleted')
        if is_complete(claim):
            bound.append(claim)
        elif not claim.spec.volumeName and _waits(claim, storage):
            waiting.append(claim)
        else:
            return Needs(complaint=UNBOUND)
    return Needs(bound, waiting)


def _waits(claim: PersistentVolumeClaim, storage: Storage) -> bool:
    return waits_for_consumer(storage.classes.get(persistentvolumeclaim.storage_class(claim)))


def fits(volume: PersistentVolume, node: Node) -> bool:
    """Whether a volume can be used on a node."""
    affinity = volume.spec.nodeAffinity
    return affinity is None or affinity.required is None or selects(affinity.required, node)


def match(claims: Sequence[PersistentVolumeClaim], node: Node, storage: Storage) -> dict[str, str] | None:
    """For each waiting claim the volume to bind on the node, "" to have one made; None when one cannot be had."""
    chosen: dict[str, str] = {}
    for claim in claims:
        selected = claim.metadata.annotations.get(SELECTED_NODE)
        if selected and selected != node.metadata.name:
            return None
        volume = "" if selected else _smallest(claim, node, storage, set(chosen.values()))
        if not volume and not _can_be_made(claim, node, storage):
            return None
        chosen[claim.metadata.name] = volume
    return chosen


def _smallest(claim: PersistentVolumeClaim, node: Node, storage: Storage, taken: set[str]) -> str:
    found = [
        (quantity.parse(v.spec.capacity.get("storage", "0")), v.metadata.name)
        for v in storage.volumes()
        if v.metadata.name not in taken and suits(v, claim) and fits(v, node)
    ]
    return min(found)[1] if found else ""


def _can_be_made(claim: PersistentVolumeClaim, node: Node, storage: Storage) -> bool:
    class_ = storage.classes.get(persistentvolumeclaim.storage_class(claim))
    if class_ is None or class_.provisioner in ("", NO_PROVISIONER):
        return False
    return not class_.allowedTopologies or any(
        all(node.metadata.labels.get(e.key) in e.values for e in term.matchLabelExpressions)
        for term in class_.allowedTopologies
    )
