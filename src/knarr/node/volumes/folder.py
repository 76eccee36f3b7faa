"""Every volume of every pod of a node: made before the pod's first container, kept current, removed with the pod.

A pod's files are in `<pods>/<uid>`: `volumes/<name>` is the volume itself or, for volumes whose files are elsewhere,
nothing. Contents come from the API; files are touched in threads.
"""

import asyncio
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from knarr.client.api import Api
from knarr.kinds.types.core_v1 import ConfigMap, Container, Pod, ProjectedVolumeSource, Secret, Volume, VolumeMount
from knarr.meta import clock
from knarr.meta.errors import NotFound
from knarr.node.config import NodeConfig
from knarr.node.env import expand
from knarr.node.runtimes.runtime import Mount, Propagation
from knarr.node.spec import log_directory
from knarr.node.volumes import claim, downward_api, empty_dir, host_path, memory, objects, projected
from knarr.node.volumes.subpath import inside
from knarr.node.volumes.volume import File, VolumeError, checked, failed, write

UNSUPPORTED = "this type of volume is not available on this node"


class Folders:
    """The volumes of one node."""

    def __init__(self, api: Api, config: NodeConfig, allocatable: Mapping[str, str]) -> None:
        self._api, self._config, self._allocatable = api, config, allocatable
        self._places: dict[str, dict[str, Path]] = {}  # pod uid, then volume name
        self._renewals: dict[tuple[str, str], tuple[float, File]] = {}  # pod uid and token path: when, and the token

    async def prepare(self, pod: Pod) -> None:
        """Make what is not there yet. Volumes are made one after the other; the first that fails ends it."""
        places = self._places.setdefault(pod.metadata.uid, {})
        for volume in pod.spec.volumes:
            if volume.name not in places:
                places[volume.name] = await self._make(pod, volume)

    async def refresh(self, pod: Pod) -> None:
        for volume in pod.spec.volumes:
            if from_objects(volume):
                await self._make(pod, volume)

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
                within, source = await asyncio.to_thread(inside, source, checked(sub))
            wanted = bool(each.readOnly) or each.name in read_only
            out.append(Mount(source, each.mountPath, wanted, propagation(each), within))
        return tuple(out)

    async def tear_down(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        self._places.pop(uid, None)
        for key in [key for key in self._renewals if key[0] == uid]:
            del self._renewals[key]
        await asyncio.to_thread(memory.release, self._config.pods / uid)
        for folder in (self._config.pods / uid, log_directory(pod, self._config)):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _make(self, pod: Pod, volume: Volume) -> Path:
        """One volume's place; VolumeError in the kubelet's words."""
        folder = self._config.pods / pod.metadata.uid / "volumes" / volume.name
        group = pod.spec.securityContext.fsGroup if pod.spec.securityContext else None
        try:
            if volume.emptyDir is not None:
                return await asyncio.to_thread(empty_dir.make, volume.emptyDir, folder, group)
            if volume.hostPath is not None:
                return await asyncio.to_thread(host_path.make, volume.hostPath)
            if volume.persistentVolumeClaim is not None:
                name = volume.persistentVolumeClaim.claimName
                bound = await claim.bound_volume(self._api, pod, name)
                return await asyncio.to_thread(claim.place, bound)
            if volume.ephemeral is not None:
                bound = await claim.bound_volume(self._api, pod, f"{pod.metadata.name}-{volume.name}")
                return await asyncio.to_thread(claim.place, bound)
            files = await self._files(pod, volume)
        except VolumeError as error:
            raise failed(volume.name, str(error)) from None
        except OSError as error:
            raise failed(volume.name, f"{error.strerror}: {error.filename}") from None
        await asyncio.to_thread(partial(write, folder, files, group))
        return folder

    async def _files(self, pod: Pod, volume: Volume) -> dict[str, File]:
        """The contents of a volume that is made from API objects."""
        if (source := volume.configMap) is not None:
            data = await self._config_map(pod, source.name, bool(source.optional))
            return objects.files(data, source.items, source.defaultMode, optional=bool(source.optional), what="config")
        if (secret := volume.secret) is not None:
            data = await self._secret(pod, secret.secretName, bool(secret.optional))
            return objects.files(data, secret.items, secret.defaultMode, optional=bool(secret.optional), what="secret")
        if (own := volume.downwardAPI) is not None:
            return downward_api.files(pod, own.items, own.defaultMode, self._allocatable)
        if volume.projected is not None:
            return await self._projected(pod, volume.projected)
        raise VolumeError(UNSUPPORTED)

    async def _projected(self, pod: Pod, volume: ProjectedVolumeSource) -> dict[str, File]:
        out: dict[str, File] = {}
        mode = volume.defaultMode
        for source in volume.sources:
            if (config := source.configMap) is not None:
                data = await self._config_map(pod, config.name, bool(config.optional))
                out |= objects.files(data, config.items, mode, optional=bool(config.optional), what="config")
            elif (secret := source.secret) is not None:
                data = await self._secret(pod, secret.name, bool(secret.optional))
                out |= objects.files(data, secret.items, mode, optional=bool(secret.optional), what="secret")
            elif source.downwardAPI is not None:
                out |= downward_api.files(pod, source.downwardAPI.items, mode, self._allocatable)
            elif (wanted := source.serviceAccountToken) is not None:
                key = (pod.metadata.uid, f"{wanted.audience}/{wanted.path}")
                due, file = self._renewals.get(key, (0.0, File(b"")))
                if due <= clock.unix():
                    file, life = await projected.token(self._api, pod, wanted)
                    self._renewals[key] = (clock.unix() + life * projected.RENEW, file)
                out[wanted.path] = file
            else:
                raise VolumeError(UNSUPPORTED)
        return out

    async def _config_map(self, pod: Pod, name: str, optional: bool) -> dict[str, bytes]:
        try:
            return objects.config_map_data(await self._api.get(ConfigMap, name, pod.metadata.namespace))
        except NotFound:
            if optional:
                return {}
            raise VolumeError(f'configmap "{name}" not found') from None

    async def _secret(self, pod: Pod, name: str, optional: bool) -> dict[str, bytes]:
        try:
            return objects.secret_data(await self._api.get(Secret, name, pod.metadata.namespace))
        except NotFound:
            if optional:
                return {}
            raise VolumeError(f'secret "{name}" not found') from None


def from_objects(volume: Volume) -> bool:
    """Whether the files are made from API objects, and follow them."""
    return bool(volume.configMap or volume.secret or volume.projected or volume.downwardAPI)


def is_read_only(volume: Volume) -> bool:
    """Whether no container may write: nobody but the agent changes files that are made from API objects."""
    claim = volume.persistentVolumeClaim
    return from_objects(volume) or bool(claim and claim.readOnly)


def propagation(mount: VolumeMount) -> Propagation:
    match mount.mountPropagation:
        case "HostToContainer" | "Bidirectional" as given:
            return given
    return "None"


class NoFolders:
    """The volumes of a simulated node: there are no files, so nothing can be missing."""

    async def prepare(self, pod: Pod) -> None:
        """Nothing to make."""

    async def refresh(self, pod: Pod) -> None:
        """Nothing to keep current."""

    async def mounts(self, pod: Pod, container: Container, env: dict[str, str]) -> tuple[Mount, ...]:
        return ()

    async def tear_down(self, pod: Pod) -> None:
        """Nothing to remove."""
