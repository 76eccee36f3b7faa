"""What the binder looks at for one claim: the volumes that may be its, the classes, and the pods that use it.

All of them are found by what claim and volume say of each other, so that a pass costs no more beside a thousand others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from knarr.kinds import persistentvolume, persistentvolumeclaim
from knarr.kinds.pod_claims import claims_of, uses
from knarr.kinds.types.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.loop.runner import Context

USED = "claim"  #: the pods that use a claim
MEANT = "meant"  #: volumes by the claim that they name, the others by their class; claims by volume, or by class


@dataclass(frozen=True)
class Stock:
    """Volumes and classes by name, and pods."""

    volumes: Mapping[str, PersistentVolume] = field(default_factory=dict)
    classes: Mapping[str, StorageClass] = field(default_factory=dict)
    pods: Sequence[Pod] = ()

    def unplaced(self, claim: PersistentVolumeClaim) -> list[str]:
        """The names of the pods that use a claim and have no node yet."""
        return [pod.metadata.name for pod in self.pods if not pod.spec.nodeName and uses(pod, claim)]


def stock(context: Context, claim: PersistentVolumeClaim) -> Stock:
    """The volume that a claim names, those that name it and those of its class that are free."""
    class_ = persistentvolumeclaim.storage_class(claim)
    volumes, classes = context.cache(PersistentVolume), context.cache(StorageClass)
    found = [*named_by(claim, context), *volumes.by_index(MEANT, of_class(class_))]
    known = classes.get(class_)
    offered = classes.list() if claim.spec.storageClassName is None else [known] if known is not None else []
    return Stock(
        volumes={volume.metadata.name: volume for volume in found},
        classes={each.metadata.name: each for each in offered},
        pods=users(claim, context),
    )


def named_by(claim: PersistentVolumeClaim, context: Context) -> list[PersistentVolume]:
    """The volumes that a claim names, or that name it; one that does both stands there twice."""
    cache = context.cache(PersistentVolume)
    found = cache.by_index(MEANT, of_claim(claim.metadata.namespace, claim.metadata.name))
    own = cache.get(claim.spec.volumeName) if claim.spec.volumeName else None
    return found if own is None else [*found, own]


def users(claim: PersistentVolumeClaim, context: Context) -> list[Pod]:
    """The pods that name a claim, or have one of its name made for them."""
    return context.cache(Pod).by_index(USED, of_claim(claim.metadata.namespace, claim.metadata.name))


def waiting(class_: str, context: Context) -> list[PersistentVolumeClaim]:
    """The claims of a class that name no volume yet."""
    return context.cache(PersistentVolumeClaim).by_index(MEANT, of_class(class_))


def of_claim(namespace: str, name: str) -> str:
    return f"claim {namespace}/{name}"


def of_class(name: str) -> str:
    return f"class {name}"


def of_volume(name: str) -> str:
    return f"volume {name}"


def place_of_volume(volume: PersistentVolume) -> Iterable[str]:
    ref = volume.spec.claimRef
    return (of_claim(ref.namespace, ref.name) if ref else of_class(persistentvolume.storage_class(volume)),)


def place_of_claim(claim: PersistentVolumeClaim) -> Iterable[str]:
    named = claim.spec.volumeName
    return (of_volume(named) if named else of_class(persistentvolumeclaim.storage_class(claim)),)


def place_of_user(pod: Pod) -> Iterable[str]:
    return {of_claim(pod.metadata.namespace, name) for name in claims_of(pod)}


USERS: tuple[type[Any], str, Callable[[Any], Iterable[str]]] = (Pod, USED, place_of_user)
INDEXES = (
    USERS,
    (PersistentVolume, MEANT, place_of_volume),
    (PersistentVolumeClaim, MEANT, place_of_claim),
)
