"""persistentVolumeClaim and ephemeral: the volume that a claim is bound to, where this node has it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from knarr.client.api import Api
from knarr.kinds.pod_claims import is_made_for, not_made_for
from knarr.kinds.types.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from knarr.kinds.volume_binding import PROVISIONED_BY
from knarr.kinds.volume_drivers import driver_of
from knarr.meta.errors import NotFound
from knarr.node.volumes import host_path, nfs, ownership
from knarr.node.volumes.contents import NO_PLUGIN
from knarr.node.volumes.volume import VolumeError, failed, no_driver

LOCAL_PATH = "rancher.io/local-path"
EVERYBODY = 0o777  #: may write to a directory that is made for a claim, as the provisioner's own are
NO_DEVICES = "block volumes are not available on this node"


@dataclass(frozen=True, slots=True)
class Bound:
    """A claim and its volume."""

    claim: PersistentVolumeClaim
    volume: PersistentVolume

    @property
    def name(self) -> str:
        return self.volume.metadata.name

    @property
    def for_one_pod(self) -> bool:
        return "ReadWriteOncePod" in self.claim.spec.accessModes


async def bound(api: Api, pod: Pod, name: str, *, own: bool) -> Bound:
    """The volume behind a claim; VolumeError while there is none. `own`: the claim must be one made for the pod."""
    try:
        claim = await api.get(PersistentVolumeClaim, name, pod.metadata.namespace)
    except NotFound:
        raise VolumeError(f'persistentvolumeclaim "{name}" not found') from None
    if own and not is_made_for(claim, pod):
        raise VolumeError(not_made_for(claim, pod))
    if claim.metadata.deletionTimestamp and not has_run(pod):
        raise VolumeError(f'persistentvolumeclaim "{name}" is being deleted')
    if not claim.spec.volumeName or claim.status.phase != "Bound":
        raise VolumeError(f'persistentvolumeclaim "{name}" is not bound')
    try:
        volume = await api.get(PersistentVolume, claim.spec.volumeName)
    except NotFound:
        raise VolumeError(f'persistentvolume "{claim.spec.volumeName}" not found') from None
    if volume.spec.claimRef is None or volume.spec.claimRef.uid != claim.metadata.uid:
        raise VolumeError(f'persistentvolume "{claim.spec.volumeName}" is bound to another claim')
    return Bound(claim, volume)


def has_run(pod: Pod) -> bool:
    """Whether containers of the pod were started before: what they use must not be taken away now."""
    return any(each.containerID for each in (*pod.status.initContainerStatuses, *pod.status.containerStatuses))


async def place(found: Bound, folder: Path, pod: Pod, *, read_only: bool) -> Path:
    """The volume's path on this node. What has to be mounted is mounted on `folder`."""
    spec, name = found.volume.spec, found.name
    if spec.volumeMode == "Block":
        raise VolumeError(f'MapVolume.SetUpDevice failed for volume "{name}" : {NO_DEVICES}')
    if driver := driver_of(spec):
        raise no_driver(name, driver)
    try:
        if spec.nfs is not None:
            return await nfs.make(spec.nfs, folder, spec.mountOptions, read_only=read_only)
        if spec.hostPath is not None:
            return await asyncio.to_thread(directory, found.volume)
        if spec.local is not None:
            return await asyncio.to_thread(local, spec.local.path, pod)
    except VolumeError as error:
        raise failed(name, str(error)) from None
    raise failed(name, NO_PLUGIN)


def directory(volume: PersistentVolume) -> Path:
    """A path of the node; a new one is everybody's when it was thought up for the claim."""
    source = volume.spec.hostPath
    assert source is not None, "only called for volumes that have it"
    new = not Path(source.path).exists()
    path = host_path.make(source)
    if new and volume.metadata.annotations.get(PROVISIONED_BY) == LOCAL_PATH:
        path.chmod(EVERYBODY)
    return path


def local(name: str, pod: Pod) -> Path:
    """A directory of the node that somebody made, given to the pod's group."""
    path = Path(name)
    if not path.exists():
        raise VolumeError(f'path "{path}" does not exist')
    if path.is_block_device():
        raise VolumeError(f'path "{path}" is a block device: {NO_DEVICES}')
    context = pod.spec.securityContext
    if context is not None and context.fsGroup is not None and path.is_dir():
        ownership.give(path, context.fsGroup, only_if_needed=context.fsGroupChangePolicy == "OnRootMismatch")
    return path
