"""The Scale of a group version that has its own: the selector as a map where it can be one, and always as a string.

Source: `pkg/apis/{apps,extensions}/v1beta*/conversion.go` of Kubernetes.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import msgspec

from knarr.kinds.kind import Kind, Tree, View
from knarr.kinds.old.form import OldObject
from knarr.kinds.trees import child
from knarr.meta import labels

OWN = ("apps/v1beta1", "apps/v1beta2", "extensions/v1beta1")  #: the others' is autoscaling/v1
_served: dict[str, Kind] = {}


def form_of(scale: Kind, kind: Kind) -> Kind:
    """The kind in which the Scale of a kind's objects is shown; `scale` is autoscaling/v1's."""
    if kind.api_version not in OWN:
        return scale
    if kind.api_version not in _served:
        view = View(scale, inward, outward)
        struct = struct_of(kind.group, kind.version)
        _served[kind.api_version] = replace(scale, type=struct, group=kind.group, version=kind.version, view=view)
    return _served[kind.api_version]


@cache
def struct_of(group: str, version: str) -> Any:
    module = f"knarr.kinds.types.{group}_{version}"
    return msgspec.defstruct("Scale", [], bases=(OldObject,), module=module, frozen=True, kw_only=True)


def inward(tree: Tree) -> Tree:
    status = dict(tree.get("status") or {})
    pairs, text = status.pop("selector", None), status.pop("targetSelector", "")
    if text or pairs:
        status["selector"] = text or str(labels.of_labels(pairs))
    return {**tree, "status": status}


def outward(tree: Tree) -> Tree:
    status = child(tree, "status")
    if text := status.pop("selector", ""):
        status["targetSelector"] = text
        terms = labels.parse(text).requirements
        if all(term.operator == "=" for term in terms):
            status["selector"] = {term.key: term.values[0] for term in terms}
    return tree
