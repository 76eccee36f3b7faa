"""The volumes a pod waits for, as the scheduler sees them: its claims, and how each can be had on a node.

Pure; `Storage` is filled from the scheduler's caches for one pod at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from knarr.kinds import persistentvolumeclaim
from knarr.kinds.placement import selects
from knarr.kinds.pod_claims import claim_of, claims_of, is_made_for, not_made_for
from knarr.kinds.types.core_v1 import Node, PersistentVolume, PersistentVolumeClaim, Pod
from knarr.kinds.types.storage_v1 import CSINode, StorageClass
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
    claim: Callable[[str, str], PersistentVolumeClaim | None] = lambda name, namespace: None  #: of any pod
    limits: Callable[[str], Mapping[str, int]] = lambda node: {}  #: how many volumes of a driver a node takes


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


Driven = tuple[str, str]  #: a CSI driver, and what it knows a volume by


def driven(pod: Pod, storage: Storage) -> Iterator[Driven]:
    """The volumes of a pod that CSI drivers attach; one that is still to be made is known by its claim."""
    namespace = pod.metadata.namespace
    for name in claims_of(pod):
        if (claim := storage.claim(name, namespace)) is None:
            continue
        if claim.spec.volumeName:
            volume = storage.volume(claim.spec.volumeName)
            if volume is not None and volume.spec.csi is not None:
                yield volume.spec.csi.driver, volume.spec.csi.volumeHandle
        elif class_ := storage.classes.get(persistentvolumeclaim.storage_class(claim)):
            yield class_.provisioner, f"{namespace}/{name}"


def limits(node: CSINode | None) -> dict[str, int]:
    """How many volumes of each driver a node takes, of those that say so."""
    drivers = node.spec.drivers if node is not None else []
    counts = {each.name: each.allocatable.count for each in drivers if each.allocatable is not None}
    return {name: count for name, count in counts.items() if count is not None}


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
