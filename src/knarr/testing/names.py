"""Which resource is meant by a name that kubectl would take: `deployment`, `deploy`, `boats`, `boats.example.com`.

Built-in kinds are found at once, custom ones by asking the cluster for their definitions.
"""

from collections.abc import Iterable
from typing import Any

from knarr.client.api import Api
from knarr.client.resource import Resource, of_kind
from knarr.kinds.custom import served
from knarr.kinds.kind import Kind
from knarr.kinds.table import BUILTIN

DEFINITIONS = Resource[Any](
    dict, "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)


class UnknownKind(ValueError):
    """The cluster serves nothing of that name."""


async def resource(api: Api, word: str) -> Resource[Any]:
    """The resource of a name, the newest version of it; raise UnknownKind when there is none."""
    name, _, group = word.lower().partition(".")
    for kind in [*BUILTIN.all(), *await custom_kinds(api, unless=_first(BUILTIN.all(), name, group))]:
        if _called(kind, name, group):
            return of_kind(kind, dict)
    raise UnknownKind(f"no kind is called {word!r}")


async def resource_of(api: Api, api_version: str, kind: str) -> Resource[Any]:
    """The resource of a manifest's `apiVersion` and `kind`; raise UnknownKind when there is none."""
    group, _, version = api_version.rpartition("/")
    if (found := BUILTIN.by_kind(group, version, kind)) is not None:
        return of_kind(found, dict)
    for custom in await custom_kinds(api):
        if (custom.group, custom.version, custom.kind) == (group, version, kind):
            return of_kind(custom, dict)
    raise UnknownKind(f"no kind {kind} in {api_version}: is its CustomResourceDefinition applied?")


async def custom_kinds(api: Api, *, unless: Kind | None = None) -> Iterable[Kind]:
    """The kinds of the cluster's definitions; none, without asking, where a kind is known already."""
    if unless is not None:
        return ()
    return [kind for definition in (await api.list(DEFINITIONS)).items for kind in served(definition).kinds]


def _first(kinds: Iterable[Kind], name: str, group: str) -> Kind | None:
    return next((kind for kind in kinds if _called(kind, name, group)), None)


def _called(kind: Kind, name: str, group: str) -> bool:
    names = (kind.plural, kind.singular, kind.kind.lower(), *kind.short_names)
    return name in names and (not group or group in (kind.group, f"{kind.version}.{kind.group}"))
