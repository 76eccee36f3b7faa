"""What an API server serves: its resources, by discovery. For controllers that work on every kind there is."""

from collections.abc import Iterable
from dataclasses import dataclass, field

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


async def discover(api: Api) -> Discovered:
    """Ask the server. What a broken group version has is missing from the answer, and named in `failed`."""
    core = codec.decode(APIVersions, (await api.raw("GET", "/api")).body)
    groups = codec.decode(APIGroupList, (await api.raw("GET", "/apis")).body)
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
