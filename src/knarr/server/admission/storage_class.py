"""A claim that names no storage class gets the default one, when there is one."""

from knarr.kinds.storageclass import default_class
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.server.admission import Admission, State, part

BETA_CLASS = "volume.beta.kubernetes.io/storage-class"


class DefaultStorageClass:
    async def admit(self, admission: Admission, state: State) -> None:
        if not admission.is_("PersistentVolumeClaim", "create"):
            return
        spec = part(admission.tree, "spec")
        annotations = part(admission.tree, "metadata").get("annotations") or {}
        if spec.get("storageClassName") is not None or BETA_CLASS in annotations:
            return
        chosen = default_class(await state.list(StorageClass))
        if chosen is not None:
            spec["storageClassName"] = chosen.metadata.name
