"""Claims and volumes get a finalizer that keeps them until nobody uses them; a controller takes it away."""

from knarr.server.admission import Admission, State, part

FINALIZERS = {
    "PersistentVolumeClaim": "kubernetes.io/pvc-protection",
    "PersistentVolume": "kubernetes.io/pv-protection",
}


class StorageObjectInUseProtection:
    async def admit(self, admission: Admission, state: State) -> None:
        finalizer = FINALIZERS.get(admission.kind.kind, "")
        if not finalizer or not admission.is_(admission.kind.kind, "create"):
            return
        metadata = part(admission.tree, "metadata")
        given = metadata.get("finalizers") or []
        if isinstance(given, list) and finalizer not in given:
            metadata["finalizers"] = [*given, finalizer]
