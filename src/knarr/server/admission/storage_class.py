"""A claim that names no storage class gets the default one, when there is one."""

from collections.abc import Iterable

from knarr.kinds.types.storage_v1 import StorageClass
from knarr.server.admission import Admission, State, part

DEFAULT = "storageclass.kubernetes.io/is-default-class"
BETA_DEFAULT = "storageclass.beta.kubernetes.io/is-default-class"
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


def default_class(classes: Iterable[StorageClass]) -> StorageClass | None:
    """The newest class that is marked as default."""
    marked = [
        c for c in classes if "true" in (c.metadata.annotations.get(DEFAULT), c.metadata.annotations.get(BETA_DEFAULT))
    ]
    marked.sort(key=lambda c: c.metadata.name)
    return max(marked, key=lambda c: c.metadata.creationTimestamp, default=None)
