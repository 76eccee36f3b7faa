"""What the server offers: groups, versions, resources and verbs, in the old form and aggregated (apidiscovery v2).

Built from the kinds that are served; built again when those change.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from knarr.kinds import podmetrics
from knarr.kinds.kind import Kind
from knarr.kinds.old.scale import OWN as OWN_SCALES
from knarr.kinds.table import KindTable
from knarr.server import component_statuses, negotiation
from knarr.server.virtual import VIRTUAL

Tree = dict[str, Any]
#: the order in which upstream lists its groups; groups of custom resources follow
ORDER = (
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "extensions",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
)
VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
PREFERRED = {"autoscaling": ("v2", "v1")}
FOREIGN = {  # subresources whose objects are of another group version: (group, version, kind)
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}
OPTIONS = {
    "attach": "AttachOptions",
    "exec": "ExecOptions",
    "portforward": "PortForwardOptions",
    "proxy": "ProxyOptions",
}


@dataclass(frozen=True, slots=True)
class Resource:
    """A served resource without its subresources."""

    group: str
    version: str
    name: str
    singular: str
    namespaced: bool
    kind: str
    verbs: Sequence[str]
    short_names: Sequence[str] = ()
    categories: Sequence[str] = ()
    subresources: Sequence[tuple[str, Sequence[str]]] = ()
    stored: bool = True
    storage: str = ""  #: the group, version and kind in which it is stored


def resources(kinds: Iterable[Resource]) -> list[Resource]:
    """Everything that is served, in the order of group, version and name; `kinds` are those of the table."""
    found = [*kinds]
    found.append(replace(_resource(component_statuses.KIND), stored=False))
    found += [replace(_resource(kind), stored=False) for kind in podmetrics.KINDS]
    found += [
        Resource(v.group, v.version, v.plural, v.singular, v.namespaced, v.kind, ("create",), stored=False)
        for v in VIRTUAL
    ]
    return sorted(found, key=lambda r: (r.group, r.version, r.name))


def _resource(kind: Kind) -> Resource:
    own = kind.view.kind if kind.view else kind
    return Resource(
        kind.group,
        kind.version,
        kind.plural,
        kind.singular,
        kind.namespaced,
        kind.kind,
        kind.verbs,
        kind.short_names,
        kind.categories,
        sorted(kind.subresources.items()),
        storage=f"{own.group}/{own.version}/{own.kind}",
    )


class Discovery:
    """The answers of `/api`, `/apis` and below."""

    def __init__(self, table: KindTable) -> None:
        self._table = table
        self._version = -1  # of the table
        self._known: dict[int, tuple[Kind, Resource]] = {}  # by the kind's id
        self._resources: list[Resource] = []
        self._names: frozenset[tuple[str, str]] = frozenset()
        self._aggregated: dict[bool, Tree] = {}

    @property
    def resources(self) -> list[Resource]:
        self._refresh()
        return self._resources

    def serves(self, group: str, resource: str) -> bool:
        """Whether there is such a resource, in whatever version."""
        self._refresh()
        return (group, resource) in self._names

    def _refresh(self) -> None:
        if self._version != self._table.version:
            kinds = {id(kind): (kind, self._of(kind)) for kind in self._table.all()}
            self._known, self._version = kinds, self._table.version
            self._resources = resources(resource for _, resource in kinds.values())
            self._names = frozenset((r.group, r.name) for r in self._resources)
            self._aggregated = {}

    def _of(self, kind: Kind) -> Resource:
        known = self._known.get(id(kind))
        return known[1] if known is not None else _resource(kind)

    def versions(self, group: str) -> list[str]:
        """The served versions of a group, the preferred one first."""
        served = {r.version for r in self.resources if r.group == group}
        ordered = [v for v in PREFERRED.get(group, ()) if v in served]
        return ordered + sorted(served - set(ordered), key=_version_rank)

    def groups(self) -> list[str]:
        """The served groups, the core group left out."""
        served = {r.group for r in self.resources} - {""}
        known = [group for group in ORDER if group in served]
        return known + sorted(served - set(known))

    def api(self, address: str) -> Tree:
        addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
        return {"kind": "APIVersions", "versions": self.versions(""), "serverAddressByClientCIDRs": addresses}

    def apis(self) -> Tree:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [self._group(group) for group in self.groups()]}

    def group(self, name: str) -> Tree | None:
        if name not in self.groups():
            return None
        return {"kind": "APIGroup", "apiVersion": "v1", **self._group(name)}

    def _group(self, name: str) -> Tree:
        versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in self.versions(name)]
        return {"name": name, "versions": versions, "preferredVersion": versions[0]}

    def group_version(self, group: str, version: str) -> Tree | None:
        found = [r for r in self.resources if (r.group, r.version) == (group, version)]
        if not found:
            return None
        listed = [entry for resource in found for entry in _entries(resource)]
        named = f"{group}/{version}" if group else version
        out: Tree = {"kind": "APIResourceList", "groupVersion": named, "resources": listed}
        return {"kind": "APIResourceList", "apiVersion": "v1", **out} if group else out

    def aggregated(self, core: bool) -> Tree:
        """The APIGroupDiscoveryList of `/api` or `/apis`."""
        groups = [""] if core else self.groups()
        current = self.resources
        if core not in self._aggregated:
            items = [self._aggregated_group(group, current) for group in groups]
            self._aggregated[core] = {
                "kind": "APIGroupDiscoveryList",
                "apiVersion": "apidiscovery.k8s.io/v2",
                "metadata": {},
                "items": items,
            }
        return self._aggregated[core]

    def _aggregated_group(self, group: str, current: list[Resource]) -> Tree:
        versions = []
        for version in self.versions(group):
            found = [r for r in current if (r.group, r.version) == (group, version)]
            listed = [_aggregated(resource) for resource in found]
            versions.append({"version": version, "resources": listed, "freshness": "Current"})
        return {
            "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
            "versions": versions,
        }


def wants_aggregated(accept: str) -> str:
    """The version of aggregated discovery that the client prefers to the old form, "" for the old form."""
    for clause in negotiation.clauses(accept):
        if clause.type not in (negotiation.JSON, "*/*"):
            continue
        if clause.parameters.get("as") == "APIGroupDiscoveryList":
            version = clause.parameters.get("v", "")
            if clause.parameters.get("g") == "apidiscovery.k8s.io" and version in ("v2", "v2beta1"):
                return version
            continue
        return ""
    return ""


def _entries(resource: Resource) -> Iterable[Tree]:
    main: Tree = {
        "name": resource.name,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": sorted(resource.verbs),
    }
    if resource.short_names:
        main["shortNames"] = list(resource.short_names)
    if resource.categories:
        main["categories"] = list(resource.categories)
    if resource.stored:
        main["storageVersionHash"] = storage_version_hash(resource)
    yield main
    for name, verbs in resource.subresources:
        entry: Tree = {"name": f"{resource.name}/{name}", "singularName": "", "namespaced": resource.namespaced}
        if other := foreign(resource, name):
            entry |= {"group": other[0], "version": other[1]}
        yield entry | {"kind": subresource_kind(resource, name), "verbs": sorted(verbs)}


def _aggregated(resource: Resource) -> Tree:
    out: Tree = {
        "resource": resource.name,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": sorted(resource.verbs),
    }
    if resource.short_names:
        out["shortNames"] = list(resource.short_names)
    if resource.categories:
        out["categories"] = list(resource.categories)
    subresources = []
    for name, verbs in resource.subresources:
        group, version, kind = foreign(resource, name) or (
            resource.group,
            resource.version,
            subresource_kind(resource, name),
        )
        subresources.append(
            {
                "subresource": name,
                "responseKind": {"group": group, "version": version, "kind": kind},
                "verbs": sorted(verbs),
            }
        )
    if subresources:
        out["subresources"] = subresources
    return out


def foreign(resource: Resource, name: str) -> tuple[str, str, str] | None:
    """The group, version and kind of a subresource's objects, where they are not its resource's."""
    own = name == "scale" and f"{resource.group}/{resource.version}" in OWN_SCALES
    return None if own else FOREIGN.get(name)


def subresource_kind(resource: Resource, name: str) -> str:
    """The kind of a subresource's objects."""
    if name in FOREIGN:
        return FOREIGN[name][2]
    if name == "rollback":
        return "DeploymentRollback"
    if name == "binding":
        return "Binding"
    return f"{resource.kind}{OPTIONS[name]}" if name in OPTIONS else resource.kind


def storage_version_hash(resource: Resource) -> str:
    """A short hash that changes when objects would be stored differently."""
    import base64

    return base64.b64encode(hashlib.sha256(resource.storage.encode()).digest()[:8]).decode()


def _version_rank(version: str) -> tuple[int, int, int, str]:
    """v2 before v1 before v1beta2 before v1beta1 before v1alpha1, and what is no such name last."""
    parts = VERSION.fullmatch(version)
    if parts is None:
        return 3, 0, 0, version
    return ("", "beta", "alpha").index(parts[2] or ""), -int(parts[1]), -int(parts[3] or 0), version
