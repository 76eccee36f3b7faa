"""Removes the directories of released local-path volumes of this node.

The provisioner puts the finalizer on a volume; when the volume is deleted, the node its affinity names removes the
directory and then the finalizer. Only a direct child of the node's volume folder is ever removed, never one whose
volume is to be retained, none before the volume is out of use (`kubernetes.io/pv-protection` has gone, and it is not
bound again), and none while anything is mounted in it.
"""

import asyncio
import logging
import shutil
from pathlib import Path

from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.client.transport import TransportError
from knarr.kinds.types.core_v1 import PersistentVolume
from knarr.kinds.volume_place import HOSTNAME, lies_on
from knarr.meta.errors import ApiError, NotFound
from knarr.node.volumes import mounts
from knarr.node.volumes.volume import VolumeError

FINALIZER = "knarr.dev/local-path-cleanup"
PROTECTION = "kubernetes.io/pv-protection"
RETRY = 5.0  #: seconds

log = logging.getLogger(__name__)


def released_here(volume: PersistentVolume, node: str) -> bool:
    """Whether this node has to clean the volume up."""
    due = FINALIZER in volume.metadata.finalizers and PROTECTION not in volume.metadata.finalizers
    return bool(volume.metadata.deletionTimestamp) and due and lies_on(volume, node) and volume.status.phase != "Bound"


def directory(volume: PersistentVolume, folder: Path) -> Path | None:
    """The directory to remove; None when it is not a plain child of the volume folder."""
    source = volume.spec.local or volume.spec.hostPath
    if source is None:
        return None
    path = Path(source.path)
    return path if path.parent == folder and path.name not in ("", ".", "..") and not path.is_symlink() else None


def remove(path: Path) -> None:
    """Remove a directory; VolumeError when that would reach into something that is mounted there. Blocking."""
    if mounted := mounts.below(path):
        raise VolumeError(f"{mounted[0]} is mounted")
    shutil.rmtree(path)


class Cleaner:
    """Watches volumes; `run` cleans one after the other."""

    def __init__(self, api: Api, informers: Informers, node: str, folder: Path) -> None:
        self._api, self._node, self._folder = api, node, folder
        self._due: asyncio.Queue[PersistentVolume] = asyncio.Queue()
        informers.of(PersistentVolume, labels=f"{HOSTNAME}={node}").on_change(self._changed)

    def _changed(self, _: PersistentVolume | None, new: PersistentVolume | None) -> None:
        if new is not None and released_here(new, self._node):
            self._due.put_nowait(new)

    async def run(self) -> None:
        """Clean up until cancelled; what fails is tried again."""
        while True:
            volume = await self._due.get()
            try:
                await self._clean(volume)
            except NotFound:
                continue
            except (ApiError, TransportError, VolumeError, OSError) as error:
                log.warning("volume %s not cleaned up: %s", volume.metadata.name, error)
                asyncio.get_running_loop().call_later(RETRY, self._due.put_nowait, volume)

    async def _clean(self, volume: PersistentVolume) -> None:
        fresh = await self._api.get(PersistentVolume, volume.metadata.name)
        if fresh.metadata.uid != volume.metadata.uid or not released_here(fresh, self._node):
            return
        path = directory(fresh, self._folder)
        if fresh.spec.persistentVolumeReclaimPolicy != "Delete":
            log.info("volume %s: its directory is retained", fresh.metadata.name)
        elif path is None:
            log.warning("volume %s: its path is no child of %s, left alone", fresh.metadata.name, self._folder)
        elif path.exists():
            await asyncio.to_thread(remove, path)
        left = [each for each in fresh.metadata.finalizers if each != FINALIZER]
        version = fresh.metadata.resourceVersion
        patch = {"metadata": {"resourceVersion": version, "finalizers": left or None}}
        await self._api.patch(PersistentVolume, fresh.metadata.name, "", patch)
