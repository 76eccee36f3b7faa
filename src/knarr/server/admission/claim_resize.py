"""A claim grows only when its storage class lets its volumes grow."""

from knarr.kinds.types.core_v1 import PersistentVolumeClaim
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.meta import quantity
from knarr.server.admission import Admission, State


class PersistentVolumeClaimResize:
    async def admit(self, admission: Admission, state: State) -> None:
        if not admission.is_("PersistentVolumeClaim", "update"):
            return
        new: PersistentVolumeClaim = admission.object()
        old: PersistentVolumeClaim = admission.old_object()
        if size(new) <= size(old):
            return
        if old.status.phase != "Bound":
            raise admission.refuse("Only bound persistent volume claims can be expanded")
        class_ = (
            await state.get(StorageClass, "", new.spec.storageClassName or "") if new.spec.storageClassName else None
        )
        if class_ is None or not class_.allowVolumeExpansion:
            raise admission.refuse(
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
                "support resize"
            )


def size(claim: PersistentVolumeClaim) -> quantity.Quantity:
    """How much a claim asks for."""
    requests = claim.spec.resources.requests if claim.spec.resources else {}
    return quantity.parse(requests.get("storage", "0"))
