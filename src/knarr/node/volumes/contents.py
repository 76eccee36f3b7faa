"""What volumes that are made from API objects hold: ConfigMaps, Secrets, the pod's own fields, tokens."""

from collections.abc import Mapping

from knarr.client.api import Api
from knarr.kinds.types.core_v1 import (
    ConfigMap,
    Pod,
    ProjectedVolumeSource,
    Secret,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from knarr.meta import clock
from knarr.meta.errors import NotFound
from knarr.node.volumes import downward_api, objects, projected
from knarr.node.volumes.volume import File, VolumeError

NO_PLUGIN = "no volume plugin matched"


class Contents:
    """Asks the API for them; remembers the tokens that it got."""

    def __init__(self, api: Api, allocatable: Mapping[str, str]) -> None:
        self._api, self._allocatable = api, allocatable
        self._renewals: dict[tuple[str, str], tuple[float, File]] = {}  # pod uid and token path: when, and the token

    async def files(self, pod: Pod, volume: Volume) -> dict[str, File]:
        """The files of a volume; VolumeError when something is missing."""
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
        raise VolumeError(NO_PLUGIN)

    def forget(self, uid: str) -> None:
        """Forget the tokens of a pod."""
        for key in [key for key in self._renewals if key[0] == uid]:
            del self._renewals[key]

    async def _projected(self, pod: Pod, volume: ProjectedVolumeSource) -> dict[str, File]:
        out: dict[str, File] = {}
        for source in volume.sources:
            out |= await self._projection(pod, source, volume.defaultMode)
        return out

    async def _projection(self, pod: Pod, source: VolumeProjection, mode: int | None) -> dict[str, File]:
        if (config := source.configMap) is not None:
            data = await self._config_map(pod, config.name, bool(config.optional))
            return objects.files(data, config.items, mode, optional=bool(config.optional), what="config")
        if (secret := source.secret) is not None:
            data = await self._secret(pod, secret.name, bool(secret.optional))
            return objects.files(data, secret.items, mode, optional=bool(secret.optional), what="secret")
        if source.downwardAPI is not None:
            return downward_api.files(pod, source.downwardAPI.items, mode, self._allocatable)
        if source.serviceAccountToken is not None:
            return {source.serviceAccountToken.path: await self._token(pod, source.serviceAccountToken, mode)}
        raise VolumeError("clusterTrustBundle and podCertificate are not available on this node")

    async def _token(self, pod: Pod, wanted: ServiceAccountTokenProjection, mode: int | None) -> File:
        key = (pod.metadata.uid, f"{wanted.audience}/{wanted.path}")
        due, file = self._renewals.get(key, (0.0, File(b"")))
        if due <= clock.unix():
            text, life = await projected.token(self._api, pod, wanted)
            file = projected.token_file(pod, text, mode)
            self._renewals[key] = (clock.unix() + life * projected.RENEW, file)
        return file

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
