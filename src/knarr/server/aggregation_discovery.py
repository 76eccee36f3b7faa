"""Discovery with the group versions of other servers in it, in both forms. Pure; the handler calls it.

Groups and versions stand in the order of the priorities of their APIServices, after those of this server; a version
that another server answers for takes the place of this server's own.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from knarr.kinds.types.apiregistration_v1 import APIService, APIServiceSpec
from knarr.kinds.types.meta_v1 import APIResource
from knarr.server.aggregation import is_available
from knarr.server.aggregation_documents import Documents

Tree = dict[str, Any]
Services = Mapping[tuple[str, str], APIService]


def with_groups(listed: Tree, services: Services) -> Tree:
    """The APIGroupList of `/apis`."""
    known = {group["name"]: group for group in listed["groups"]}
    for name, versions in versions_by_group(services).items():
        found = _merged(known.get(name), name, versions)
        known[name] = {key: value for key, value in found.items() if key not in ("kind", "apiVersion")}
    return listed | {"groups": list(known.values())}


def with_group(group: Tree | None, name: str, services: Services) -> Tree | None:
    """The APIGroup of `/apis/NAME`; None when nobody serves it."""
    versions = _ordered(entry.spec for (of, _), entry in services.items() if of == name)
    return _merged(group, name, versions) if versions else group


def _merged(group: Tree | None, name: str, versions: Iterable[str]) -> Tree:
    own = group["versions"] if group else []
    known = {version["version"] for version in own}
    more = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions if v not in known]
    every = [*own, *more]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": every, "preferredVersion": every[0]}


def with_aggregated(listed: Tree, services: Services, documents: Documents) -> Tree:
    """The APIGroupDiscoveryList of `/apis`."""
    items = {item["metadata"]["name"]: item for item in listed["items"]}
    for name, ranked in versions_by_group(services).items():
        own = items.get(name) or {"metadata": {"name": name, "creationTimestamp": None}, "versions": []}
        versions = {version["version"]: version for version in own["versions"]}
        for version in ranked:
            entry = services[name, version]
            told = resources_of(documents.of((name, version)).resources, name, version)
            freshness = "Current" if is_available(entry) else "Stale"
            versions[version] = {"version": version, "resources": told, "freshness": freshness}
        items[name] = own | {"versions": list(versions.values())}
    return listed | {"items": list(items.values())}


def versions_by_group(services: Services) -> dict[str, list[str]]:
    """The versions of each group that has entries; groups and versions the most important first."""
    groups: dict[str, list[APIServiceSpec]] = {}
    for (group, _), entry in services.items():
        groups.setdefault(group, []).append(entry.spec)
    ranked = sorted(groups.items(), key=lambda item: (-max(spec.groupPriorityMinimum for spec in item[1]), item[0]))
    return {group: _ordered(specs) for group, specs in ranked}


def _ordered(specs: Iterable[APIServiceSpec]) -> list[str]:
    return [spec.version for spec in sorted(specs, key=lambda spec: (-spec.versionPriority, spec.version))]


def resources_of(listed: Iterable[APIResource], group: str, version: str) -> list[Tree]:
    """An APIResourceList's resources as aggregated discovery has them: subresources under their resources."""
    found: dict[str, Tree] = {}
    for one in listed:
        name, _, subresource = one.name.partition("/")
        kind = {"group": one.group or group, "version": one.version or version, "kind": one.kind}
        about = {"responseKind": kind, "verbs": list(one.verbs)}
        scope = {"scope": "Namespaced" if one.namespaced else "Cluster"}
        if subresource and name not in found:  # a resource that is nothing by itself
            found[name] = {"resource": name, "responseKind": {}, **scope, "singularResource": "", "verbs": []}
        if subresource:
            found[name].setdefault("subresources", []).append({"subresource": subresource, **about})
            continue
        more = {"shortNames": list(one.shortNames), "categories": list(one.categories)}
        tree = {"resource": name, **about, **scope, "singularResource": one.singularName}
        found[name] = tree | {key: value for key, value in more.items() if value}
    return list(found.values())
