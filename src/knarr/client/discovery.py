"""What an API server serves: its resources, by discovery. For controllers that work on every kind there is."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from knarr.client import codec
from knarr.client.api import Api
from knarr.client.resource import Partial, Resource
from knarr.kinds.types.meta_v1 import APIGroupList, APIResource, APIResourceList, APIVersions
from knarr.meta.errors import ApiError

#: resources whose objects are seen in a second group as well: upstream's cohabitating resources
SHARED = {
    ("", "events"): "events.k8s.io",
    **{("apps", plural): "extensions" for plural in ("daemonsets", "deployments", "replicasets")},
    **{("networking.k8s.io", plural): "extensions" for plural in ("ingresses", "networkpolicies")},
}


@dataclass(frozen=True)
class Discovered:
    """Resources in all their versions, the preferred one first, and the group versions that could not be read."""

    resources: list[Resource[Partial]]
    preferred: list[Resource[Partial]]  #: each resource once
    failed: dict[str, str] = field(default_factory=dict)  #: group version -> what went wrong

    def able(self, *verbs: str) -> list[Resource[Partial]]:
        """The preferred resources that have all of the verbs."""
        return [found for found in self.preferred if set(verbs) <= set(found.verbs)]


#: both forms of discovery, the one that tells everything at once first
FORMS = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


class _Kind(msgspec.Struct):
    kind: str = ""


class _Resource(msgspec.Struct):
    resource: str
    responseKind: _Kind = msgspec.field(default_factory=_Kind)
    scope: str = ""
    verbs: list[str] = []


class _Version(msgspec.Struct):
    version: str
    resources: list[_Resource] = []
    freshness: str = ""


class _Name(msgspec.Struct):
    name: str = ""


class _Group(msgspec.Struct):
    metadata: _Name = msgspec.field(default_factory=_Name)
    versions: list[_Version] = []


class _Groups(msgspec.Struct):
    items: list[_Group] = []


async def discover(api: Api) -> Discovered:
    """Ask the server. What a broken group version has is missing from the answer, and named in `failed`."""
    answers = [await api.raw("GET", path, headers={"accept": FORMS}) for path in ("/api", "/apis")]
    if all("APIGroupDiscoveryList" in answer.headers.get("content-type", "") for answer in answers):
        return _at_once(*(answer.body for answer in answers))
    return await _one_by_one(api, *(answer.body for answer in answers))


@lru_cache(4)  # asked again and again, it seldom changes
def _at_once(*bodies: bytes) -> Discovered:
    """What aggregated discovery tells; of each group the preferred version comes first."""
    resources: list[Resource[Partial]] = []
    failed: dict[str, str] = {}
    for group in (group for body in bodies for group in msgspec.json.decode(body, type=_Groups).items):
        name = group.metadata.name
        for version in group.versions:
            if version.freshness == "Stale":
                failed[f"{name}/{version.version}"] = "the server could not ask it: its discovery is stale"
                continue
            resources += [
                Resource(
                    Partial,
                    name,
                    version.version,
                    one.resource,
                    one.responseKind.kind,
                    one.scope == "Namespaced",
                    tuple(one.verbs),
                )
                for one in version.resources
            ]
    return Discovered(resources, list(_preferred(resources)), failed)


async def _one_by_one(api: Api, core_body: bytes, groups_body: bytes) -> Discovered:
    """What a server tells that has no aggregated discovery."""
    core, groups = codec.decode(APIVersions, core_body), codec.decode(APIGroupList, groups_body)
    versions = list(core.versions)
    for group in groups.groups:
        first = group.preferredVersion.groupVersion if group.preferredVersion else ""
        served = [version.groupVersion for version in group.versions]
        versions += [*([first] if first in served else []), *(version for version in served if version != first)]
    resources: list[Resource[Partial]] = []
    failed: dict[str, str] = {}
    for version in versions:
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        try:
            found = codec.decode(APIResourceList, (await api.raw("GET", path)).body)
        except ApiError as error:
            failed[version] = str(error)
        else:
            resources += [_resource(version, one) for one in found.resources if "/" not in one.name]
    return Discovered(resources, list(_preferred(resources)), failed)


def _resource(group_version: str, found: APIResource) -> Resource[Partial]:
    group, _, version = group_version.rpartition("/")
    return Resource(
        Partial,
        found.group or group,
        found.version or version,
        found.name,
        found.kind,
        found.namespaced,
        tuple(found.verbs),
    )


def _preferred(resources: Iterable[Resource[Partial]]) -> Iterable[Resource[Partial]]:
    """The first version of each resource, and only one of two groups that have the same objects."""
    resources = list(resources)
    served = {(found.group, found.plural) for found in resources}
    seen = {(other, plural) for (group, plural), other in SHARED.items() if (group, plural) in served}
    for found in resources:
        if (found.group, found.plural) not in seen:
            seen.add((found.group, found.plural))
            yield found
