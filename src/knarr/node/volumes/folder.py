"""Every volume of every pod of a node: made before the pod's first container, kept current, removed with the pod.

A pod's files are in `<pods>/<uid>`, where only root gets in: `volumes/<name>` is the volume itself or, for volumes
whose files are elsewhere, nothing. Contents come from the API; files are touched in threads.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from knarr.client.api import Api
from knarr.client.transport import TransportError
from knarr.kinds.pod_claims import claim_of
from knarr.kinds.types.core_v1 import Container, Pod, Volume, VolumeMount
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.kinds.volume_drivers import driver_of
from knarr.meta.errors import ApiError
from knarr.node.config import NodeConfig
from knarr.node.disk import used
from knarr.node.env import expand
from knarr.node.runtimes.runtime import Mount, Propagation
from knarr.node.spec import log_directory
from knarr.node.volumes import claim, empty_dir, growth, host_path, image, mounts, nfs, records
from knarr.node.volumes.contents import Contents
from knarr.node.volumes.subpath import inside, relative
from knarr.node.volumes.volume import VolumeError, current, failed, no_driver, write

PRIVATE = 0o750  #: of folders, as upstream's
FAILURES = VolumeError, ApiError, TransportError
TAKEN = "volume uses the ReadWriteOncePod access mode and is already in use by another pod"


class Folders:
    """The volumes of one node."""

    def __init__(self, api: Api, config: NodeConfig, allocatable: Mapping[str, str]) -> None:
        self._api, self._config = api, config
        self._contents = Contents(api, allocatable)
        self._places: dict[str, dict[str, Path]] = {}  # pod uid, then volume name
        self._alone: dict[str, str] = {}  # uid of a claim that is for one pod, and the pod's

    async def recall(self) -> list[ObjectMeta]:
        """Find again what an earlier agent made; the pods it is of. What one of them has alone stays its own."""
        found = await asyncio.to_thread(records.read, self._config.pods, self._config.logs)
        self._alone = {claim_uid: uid for uid, each in found.items() for claim_uid in each.alone}
        return [ObjectMeta(name=each.name, namespace=each.namespace, uid=uid) for uid, each in found.items()]

    async def prepare(self, pod: Pod, *, runs: bool = False) -> str:
        """Make what is not there yet. One volume that cannot be had keeps no other from it; the first failure is raised
        at the end. A pod that `runs` goes on with the contents it has; why they may be old is returned.
        """
        places = self._places.setdefault(pod.metadata.uid, {})
        stale = []
        if pod.spec.volumes:
            await asyncio.to_thread(closed, self._config.pods / pod.metadata.uid)
            await self._record(pod)

        async def make(volume: Volume) -> None:
            if volume.name in places:
                return
            try:
                places[volume.name] = await self._make(pod, volume)
            except FAILURES as error:
                folder = self._folder(pod, volume)
                kept = await asyncio.to_thread(current, folder) if runs and from_objects(volume) else None
                if kept is None:
                    raise
                places[volume.name] = folder
                stale.append(str(error))

        await each_of(pod.spec.volumes, make)
        return stale[0] if stale else ""

    async def refresh(self, pod: Pod) -> None:
        """Bring all contents up to date. One that cannot be had keeps no other from it, the pod's token least of all;
        the first failure is raised at the end.
        """
        await each_of(pod.spec.volumes, partial(self._refresh, pod))

    async def _refresh(self, pod: Pod, volume: Volume) -> None:
        if from_objects(volume):
            await self._make(pod, volume)
        elif name := claim_of(pod, volume):
            own = volume.persistentVolumeClaim is None
            await growth.finish(self._api, await claim.bound(self._api, pod, name, own=own))

    async def mounts(self, pod: Pod, container: Container, env: dict[str, str]) -> tuple[Mount, ...]:
        if pod.metadata.uid not in self._places:
            await self.prepare(pod)
        places = self._places[pod.metadata.uid]
        read_only = {volume.name for volume in pod.spec.volumes if is_read_only(volume)}
        out = []
        for each in container.volumeMounts:
            source, within = places[each.name], None
            sub = expand(each.subPathExpr, env) if each.subPathExpr else each.subPath
            if sub:
                within, source = await asyncio.to_thread(inside, source, relative(sub))
            wanted = bool(each.readOnly) or each.name in read_only
            out.append(Mount(source, each.mountPath, wanted, propagation(each), within))
        return tuple(out)

    async def excess(self, pod: Pod) -> str:
        """Which directory of the pod is larger than it may be, in the kubelet's words; "" when none is."""
        for volume in limited(pod):
            assert volume.emptyDir is not None, "only those have a limit"
            folder = self._folder(pod, volume)
            if await asyncio.to_thread(empty_dir.is_too_large, volume.emptyDir, folder):
                limit = volume.emptyDir.sizeLimit
                return f'Usage of EmptyDir volume "{volume.name}" exceeds the limit "{limit}". '
        return ""

    async def taken(self, pod: Pod) -> int:
        """Bytes of the disk that the pod's own directories take; those in memory take none."""
        folders = [self._folder(pod, each) for each in pod.spec.volumes if each.emptyDir and not each.emptyDir.medium]
        return sum([await asyncio.to_thread(used, folder) for folder in folders])

    async def give_back(self, pod: Pod) -> None:
        """None of the pod's processes is left: what it had alone may be another's."""
        uid = pod.metadata.uid
        if uid in self._alone.values():
            self._alone = {claim_uid: user for claim_uid, user in self._alone.items() if user != uid}
            await self._record(pod)

    async def tear_down(self, pod: Pod) -> None:
        """Remove the pod's files, its logs among them; VolumeError or OSError when something stays."""
        uid = pod.metadata.uid
        self._contents.forget(uid)
        await asyncio.to_thread(mounts.release, self._config.pods / uid)
        for folder in (self._config.pods / uid, log_directory(pod, self._config)):
            await asyncio.to_thread(removed, folder)
        self._places.pop(uid, None)
        self._alone = {claim_uid: user for claim_uid, user in self._alone.items() if user != uid}

    async def _record(self, pod: Pod) -> None:
        meta = pod.metadata
        alone = tuple(claim_uid for claim_uid, user in self._alone.items() if user == meta.uid)
        record = records.Record(meta.namespace, meta.name, alone)
        await asyncio.to_thread(records.save, self._config.pods / meta.uid, record)

    def _folder(self, pod: Pod, volume: Volume) -> Path:
        return self._config.pods / pod.metadata.uid / "volumes" / volume.name

    async def _make(self, pod: Pod, volume: Volume) -> Path:
        """One volume's place; VolumeError in the kubelet's words."""
        if claim_of(pod, volume):
            return await self._claimed(pod, volume)
        try:
            return await self._make_own(pod, volume)
        except VolumeError as error:
            raise error if error.whole else failed(volume.name, str(error)) from None
        except OSError as error:
            raise failed(volume.name, f"{error.strerror}: {error.filename}") from None

    async def _make_own(self, pod: Pod, volume: Volume) -> Path:
        """The place of a volume that the pod itself describes."""
        folder = self._folder(pod, volume)
        group = pod.spec.securityContext.fsGroup if pod.spec.securityContext else None
        if volume.emptyDir is not None:
            return await asyncio.to_thread(empty_dir.make, volume.emptyDir, folder, group)
        if volume.hostPath is not None:
            return await asyncio.to_thread(host_path.make, volume.hostPath)
        if volume.nfs is not None:
            return await nfs.make(volume.nfs, folder, (), read_only=False)
        if volume.image is not None:
            return await asyncio.to_thread(image.make, volume.image, folder, self._config.images)
        if driver := driver_of(volume):
            raise no_driver(volume.name, driver)
        files = await self._contents.files(pod, volume)
        await asyncio.to_thread(partial(write, folder, files, group))
        return folder

    async def _claimed(self, pod: Pod, volume: Volume) -> Path:
        """The place of the volume that a claim is bound to; what goes wrong with it is told by its own name."""
        source = volume.persistentVolumeClaim
        try:
            found = await claim.bound(self._api, pod, claim_of(pod, volume), own=source is None)
        except VolumeError as error:
            raise failed(volume.name, str(error)) from None
        user = self._alone.get(found.claim.metadata.uid, pod.metadata.uid)
        if found.for_one_pod:
            if user != pod.metadata.uid:
                raise failed(found.name, TAKEN)
            self._alone[found.claim.metadata.uid] = user
            await self._record(pod)
        try:
            read_only = bool(source and source.readOnly)
            place = await claim.place(found, self._folder(pod, volume), pod, read_only=read_only)
            await growth.finish(self._api, found)
            return place
        except OSError as error:
            raise failed(found.name, f"{error.strerror}: {error.filename}") from None


def closed(folder: Path) -> None:
    """Make a pod's folder where it is missing, and the one of all pods. Nobody else on the machine gets in: there are
    secrets in there, with modes that are for the pod's users.
    """
    for each in (folder.parent, folder):
        each.mkdir(mode=PRIVATE, parents=True, exist_ok=True)


async def each_of(volumes: list[Volume], act: Callable[[Volume], Awaitable[None]]) -> None:
    """Act on all volumes, whatever fails; the first failure is raised at the end."""
    failures: list[Exception] = []
    for volume in volumes:
        try:
            await act(volume)
        except FAILURES as error:
            failures.append(error)
    if failures:
        raise failures[0]


def removed(folder: Path) -> None:
    """Remove a folder with all that is in it: as much as can be; VolumeError with the first thing that stays."""
    stays: list[str] = []

    def note(act: object, path: str, failure: Any) -> None:
        error = failure[1]
        if not isinstance(error, FileNotFoundError):
            stays.append(f"{path} is not removed: {getattr(error, 'strerror', None) or error}")

    shutil.rmtree(folder, onerror=note)
    if stays:
        raise VolumeError(stays[0])


def from_objects(volume: Volume) -> bool:
    """Whether the files are made from API objects, and follow them."""
    return bool(volume.configMap or volume.secret or volume.projected or volume.downwardAPI)


def is_read_only(volume: Volume) -> bool:
    """Whether no container may write: nobody but the agent changes files that are made from API objects."""
    named = volume.persistentVolumeClaim or volume.nfs
    return from_objects(volume) or volume.image is not None or bool(named and named.readOnly)


def limited(pod: Pod) -> list[Volume]:
    """The directories on disk that may grow only so large; those in memory cannot grow larger."""
    volumes = [volume for volume in pod.spec.volumes if volume.emptyDir is not None]
    return [each for each in volumes if each.emptyDir and each.emptyDir.sizeLimit and not each.emptyDir.medium]


def propagation(mount: VolumeMount) -> Propagation:
    match mount.mountPropagation:
        case "HostToContainer" | "Bidirectional" as given:
            return given
    return "None"


class NoFolders:
    """The volumes of a simulated node: there are no files, so nothing can be missing."""

    async def recall(self) -> list[ObjectMeta]:
        """No pod has files."""
        return []

    async def prepare(self, pod: Pod, *, runs: bool = False) -> str:
        """Nothing to make."""
        return ""

    async def refresh(self, pod: Pod) -> None:
        """Nothing to keep current."""

    async def mounts(self, pod: Pod, container: Container, env: dict[str, str]) -> tuple[Mount, ...]:
        return ()

    async def excess(self, pod: Pod) -> str:
        """Nothing is too large."""
        return ""

    async def taken(self, pod: Pod) -> int:
        return 0

    async def give_back(self, pod: Pod) -> None:
        """Nothing is anybody's alone."""

    async def tear_down(self, pod: Pod) -> None:
        """Nothing to remove."""
