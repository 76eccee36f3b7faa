"""How a claim and a volume find each other: the annotations they carry, and which volume suits which claim. Pure.

The binder, the provisioner and the scheduler share it, so that none picks a volume that another would refuse.
"""

from knarr.kinds import persistentvolume, persistentvolumeclaim
from knarr.kinds.types.core_v1 import PersistentVolume, PersistentVolumeClaim
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.meta import labels, quantity

SELECTED_NODE = "volume.kubernetes.io/selected-node"  #: where the scheduler wants a claim's volume
PROVISIONER = "volume.kubernetes.io/storage-provisioner"  #: who is to make a claim's volume
BETA_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"  #: who made a volume
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"  #: the reference is the binder's, not the user's
NO_PROVISIONER = "kubernetes.io/no-provisioner"


def is_complete(claim: PersistentVolumeClaim) -> bool:
    """Whether claim and volume are bound, and the binder has said so."""
    return bool(claim.spec.volumeName) and BIND_COMPLETED in claim.metadata.annotations


def waits_for_consumer(class_: StorageClass | None) -> bool:
    """Whether claims of a class wait until a pod that uses them has a node."""
    return class_ is not None and class_.volumeBindingMode == "WaitForFirstConsumer"


def is_reserved_for(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether a volume's reference means the claim, whoever set it."""
    ref, meta = volume.spec.claimRef, claim.metadata
    return ref is not None and (ref.namespace, ref.name) == (meta.namespace, meta.name) and ref.uid in ("", meta.uid)


def suits(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether a volume is free, or set aside for the claim, and is all that the claim asks for."""
    if is_reserved_for(volume, claim):
        return mismatch(volume, claim) == ""
    free = volume.spec.claimRef is None and volume.status.phase in ("Available", "")
    if not free or volume.metadata.deletionTimestamp:
        return False
    selector = claim.spec.selector
    if selector is not None and not labels.of_object(selector).matches(volume.metadata.labels):
        return False
    return mismatch(volume, claim) == ""


def mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim) -> str:
    """What the claim asks for that the volume is not, in upstream's words; "" when it is all."""
    asked = (claim.spec.resources.requests if claim.spec.resources else {}).get("storage", "0")
    if quantity.parse(volume.spec.capacity.get("storage", "0")) < quantity.parse(asked):
        return "requested PV is too small"
    if persistentvolume.storage_class(volume) != persistentvolumeclaim.storage_class(claim):
        return "storageClassName does not match"
    if (volume.spec.volumeAttributesClassName or "") != (claim.spec.volumeAttributesClassName or ""):
        return "volumeAttributesClassName does not match"
    if (volume.spec.volumeMode or "Filesystem") != (claim.spec.volumeMode or "Filesystem"):
        return "incompatible volumeMode"
    if not set(claim.spec.accessModes) <= set(volume.spec.accessModes):
        return "incompatible accessMode"
    return ""
