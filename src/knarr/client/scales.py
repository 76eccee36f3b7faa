"""Scales: the number of replicas of whatever has one, found by its group and kind. Autoscalers and budgets ask.

Which resource a kind is, the server's discovery tells; the preferred version of the group comes first.
"""

from dataclasses import dataclass
from urllib.parse import quote

from knarr.client import codec
from knarr.client.api import Api
from knarr.client.resource import Resource
from knarr.kinds.types.autoscaling_v1 import Scale
from knarr.kinds.types.meta_v1 import APIGroup, APIResourceList
from knarr.meta.errors import BadRequest, NotFound

MOVED = {"extensions": "apps"}  #: groups whose scales had a form of their own, and where the same objects are


@dataclass(frozen=True)
class Scaled:
    """A scale and where it was read."""

    resource: Resource[Scale]
    scale: Scale


class Scales:
    """Reads and writes scales; remembers which resource a kind is."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Resource[Scale]] = {}

    async def get(self, api: Api, api_version: str, kind: str, namespace: str, name: str) -> Scaled:
        """The scale of an object. BadRequest: no group version; NotFound: no such kind, no such object, or no scale."""
        group = group_of(api_version)
        where = await self.resource(api, MOVED.get(group, group), kind)
        try:
            return Scaled(where, await api.get(where, name, namespace, subresource="scale"))
        except NotFound as error:
            if not error.name:
                self._known.pop((where.group, kind), None)  # of a custom resource: it may have moved
                raise NotFound(f"{where.qualified} does not implement the scale subresource") from None
            raise

    async def set_replicas(self, api: Api, scaled: Scaled, replicas: int) -> None:
        """Write a number of replicas; Conflict when somebody wrote the object since it was read."""
        meta = scaled.scale.metadata
        about = {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid}
        body = {
            "apiVersion": scaled.scale.apiVersion,
            "kind": scaled.scale.kind,
            "metadata": {**about, "resourceVersion": meta.resourceVersion},
            "spec": {"replicas": replicas},
        }
        await api.raw("PUT", scaled.resource.path(meta.namespace, meta.name, "scale"), body=codec.encode(body))

    async def resource(self, api: Api, group: str, kind: str) -> Resource[Scale]:
        """Which resource a kind of a group is; NotFound when it is none."""
        if (known := self._known.get((group, kind))) is not None:
            return known
        for version in await _versions(api, group):
            root = f"/apis/{group}/{version}" if group else f"/api/{version}"
            found = codec.decode(APIResourceList, (await api.raw("GET", root)).body)
            for each in found.resources:
                if each.kind == kind and "/" not in each.name:
                    where = Resource(Scale, group, version, each.name, kind, each.namespaced)
                    self._known[group, kind] = where
                    return where
        raise NotFound(f'no matches for kind "{kind}" in group "{group}"')


async def _versions(api: Api, group: str) -> list[str]:
    """The versions of a group, the preferred one first; none when it is not served."""
    if not group:
        return ["v1"]
    try:
        answer = await api.raw("GET", f"/apis/{quote(group, safe='')}")
    except NotFound:
        return []
    found = codec.decode(APIGroup, answer.body)
    first = [found.preferredVersion.version] if found.preferredVersion else []
    return [*first, *(each.version for each in found.versions if each.version not in first)]


def group_of(api_version: str) -> str:
    """The group of "apps/v1": "apps"; BadRequest when there are more than two parts."""
    if api_version.count("/") > 1:
        raise BadRequest(f"unexpected GroupVersion string: {api_version}")
    return api_version.rpartition("/")[0]
