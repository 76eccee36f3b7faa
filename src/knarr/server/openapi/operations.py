"""The paths of a document: for every served resource its operations, with what kubectl looks for in them."""

from collections.abc import Callable, Iterable
from typing import Any

from knarr.kinds.kind import Kind

Tree = dict[str, Any]
#: parameters by verb: (name, type)
WRITES = (("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"))
LISTS = (
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
)
DELETES = (
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
)
PARAMETERS = {
    "create": WRITES,
    "update": WRITES,
    "patch": (*WRITES, ("force", "boolean")),
    "delete": DELETES,
    "deletecollection": (*LISTS, *DELETES),
    "list": LISTS,
    "get": (),
}
METHODS = {
    "create": ("post", "post"),
    "update": ("put", "put"),
    "patch": ("patch", "patch"),
    "delete": ("delete", "delete"),
    "deletecollection": ("delete", "deletecollection"),
    "list": ("get", "list"),
    "get": ("get", "get"),
}
COLLECTION, ITEM = ("list", "create", "deletecollection"), ("get", "update", "patch", "delete")
PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
PRODUCES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")


def paths(kinds: Iterable[Kind], finish: Callable[[str, Kind], Tree], place: Callable[[str], Tree]) -> Tree:
    """All paths; `finish` writes body and answers of a verb, `place` a parameter of the path."""
    out: Tree = {}
    for kind in kinds:
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        inside = f"{root}/namespaces/{{namespace}}" if kind.namespaced else root
        places = [place("namespace")] if kind.namespaced else []
        out[f"{inside}/{kind.plural}"] = _item(kind, COLLECTION, "", finish, places)
        out[f"{inside}/{kind.plural}/{{name}}"] = _item(kind, ITEM, "", finish, [place("name"), *places])
        if kind.namespaced and "list" in kind.verbs:
            out[f"{root}/{kind.plural}"] = _item(kind, ("list",), "ForAllNamespaces", finish, [])
        for name, verbs in kind.subresources.items():
            if name in ("status", "scale"):
                path = f"{inside}/{kind.plural}/{{name}}/{name}"
                out[path] = _item(kind, verbs, name.capitalize(), finish, [place("name"), *places])
    return out


def _item(
    kind: Kind, verbs: Iterable[str], suffix: str, finish: Callable[[str, Kind], Tree], places: list[Tree]
) -> Tree:
    out: Tree = {}
    for verb in verbs:
        if verb not in METHODS or (not suffix and verb not in kind.verbs):
            continue
        method, action = METHODS[verb]
        out[method] = {
            "operationId": operation_id(kind, verb, suffix),
            "tags": [_tag(kind)],
            **finish(verb, kind),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {"group": kind.group, "kind": kind.kind, "version": kind.version},
        }
    if places:
        out["parameters"] = places
    return out


def operation_id(kind: Kind, verb: str, suffix: str) -> str:
    """Upstream's names, which generated clients are built from: "readAppsV1NamespacedDeploymentStatus"."""
    words = {"get": "read", "update": "replace", "deletecollection": "deleteCollection"}
    group = "".join(part.capitalize() for part in (kind.group.removesuffix(".k8s.io") or "core").split("."))
    scope = "Namespaced" if kind.namespaced and suffix != "ForAllNamespaces" else ""
    return f"{words.get(verb, verb)}{group}{kind.version.capitalize()}{scope}{kind.kind}{suffix}"


def patches(kind: Kind) -> tuple[str, ...]:
    """The forms of patches that a kind takes; by these kubectl chooses one."""
    return PATCHES if kind.custom is None else tuple(form for form in PATCHES if "strategic" not in form)


def _tag(kind: Kind) -> str:
    return f"{(kind.group.removesuffix('.k8s.io') or 'core').replace('.', '_')}_{kind.version}"
