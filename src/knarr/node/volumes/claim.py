"""persistentVolumeClaim: the claim's volume, when it is bound and on this node's disk."""

from pathlib import Path

from knarr.client.api import Api
from knarr.kinds.types.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from knarr.meta.errors import NotFound
from knarr.node.volumes import host_path
from knarr.node.volumes.volume import VolumeError


async def bound_volume(api: Api, pod: Pod, claim_name: str) -> PersistentVolume:
    """The volume behind a claim; VolumeError while there is none."""
    namespace = pod.metadata.namespace
    try:
        claim = await api.get(PersistentVolumeClaim, claim_name, namespace)
    except NotFound:
        raise VolumeError(f'persistentvolumeclaim "{claim_name}" not found') from None
    if claim.metadata.deletionTimestamp and not claim.spec.volumeName:
        raise VolumeError(f'persistentvolumeclaim "{claim_name}" is being deleted')
    if not claim.spec.volumeName or claim.status.phase != "Bound":
        raise VolumeError(f'persistentvolumeclaim "{claim_name}" is not bound')
    try:
        return await api.get(PersistentVolume, claim.spec.volumeName)
    except NotFound:
        raise VolumeError(f'persistentvolume "{claim.spec.volumeName}" not found') from None


def place(volume: PersistentVolume) -> Path:
    """The volume's path on this node, made when it is a hostPath that says so."""
    if volume.spec.hostPath is not None:
        return host_path.make(volume.spec.hostPath)
    if volume.spec.local is not None:
        path = Path(volume.spec.local.path)
        if not path.exists():
            raise VolumeError(f'path "{path}" does not exist')
        return path
    raise VolumeError(f'persistentvolume "{volume.metadata.name}" is neither hostPath nor local')
