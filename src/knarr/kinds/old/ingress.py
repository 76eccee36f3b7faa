"""Ingress before networking.k8s.io/v1: a backend names its service and port in one row, the default one is `backend`.

Source: `pkg/apis/networking/v1beta1/{defaults,conversion}.go` of Kubernetes.
"""

from collections.abc import Callable, Iterator

from knarr.kinds.kind import Tree
from knarr.kinds.old.form import Form
from knarr.kinds.trees import child, fill, items, part


def paths(spec: Tree) -> Iterator[Tree]:
    for rule in items(spec, "rules"):
        yield from items(part(rule, "http"), "paths")


def defaults(tree: Tree) -> None:
    for path in paths(child(tree, "spec")):
        fill(path, pathType="ImplementationSpecific")


def backend_inward(old: Tree) -> Tree:
    name, port = old.get("serviceName", ""), old.get("servicePort", 0)
    new = {key: value for key, value in old.items() if key == "resource"}
    if name or port or isinstance(port, str):
        key = "name" if isinstance(port, str) else "number"
        new["service"] = {"name": name, "port": {key: port} if port else {}}
    return new


def backend_outward(new: Tree) -> Tree:
    old = {key: value for key, value in new.items() if key == "resource"}
    service = new.get("service") or {}
    port = service.get("port") or {}
    if service.get("name"):
        old["serviceName"] = service["name"]
    return old | {"servicePort": port.get("name") or port.get("number", 0)}


def converted(tree: Tree, convert: Callable[[Tree], Tree], before: str, after: str) -> Tree:
    spec = child(tree, "spec")
    if before in spec:
        spec[after] = convert(spec.pop(before))
    for path in paths(spec):
        path["backend"] = convert(path.get("backend") or {})
    return tree


def inward(tree: Tree) -> Tree:
    return converted(tree, backend_inward, "backend", "defaultBackend")


def outward(tree: Tree) -> Tree:
    return converted(tree, backend_outward, "defaultBackend", "backend")


INGRESS = Form(defaults, inward, outward)
