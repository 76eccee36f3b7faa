"""What clients themselves may say of managedFields, and what kubectl's client-side apply left behind.

An update may bring entries of its own: they stand instead of the object's, as kubectl's move from client-side to
server-side apply needs it; a single empty entry takes them all away. Entries that make no sense, and those that come
with a subresource, are ignored, and so the object's stand. Called by `managed` and `modify`.
"""

from typing import Any

import msgspec

from knarr.kinds.kind import Kind, Tree
from knarr.kinds.schema import normalise, type_name
from knarr.meta.errors import ApiError
from knarr.registry.fieldsets import Fields, compare, decode, named, root_shape

KUBECTL = "kubectl"  #: the manager whose applies follow those that kubectl's client side made
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LONGEST = 256 * 1024  #: bytes of an object's annotations
NONE_LEFT: list[Tree] = [{}]  #: the entries of who wants no more of them


def standing(new: Tree, old: Tree | None, subresource: str) -> list[Tree]:
    """The entries that a write begins with."""
    before: list[Tree] = [] if old is None else old["metadata"].get("managedFields") or []
    told = new["metadata"].get("managedFields")
    if old is None or subresource or not told or told == before:
        return before
    if told == NONE_LEFT:
        return []
    return told if all(map(sound, told)) else before


def sound(entry: Tree) -> bool:
    """Whether an entry names who, how and which fields."""
    if entry.get("operation") not in ("Apply", "Update") or not entry.get("apiVersion"):
        return False
    if entry.get("fieldsType") != "FieldsV1" or not isinstance(entry.get("fieldsV1", {}), dict):
        return False
    try:
        return all(_step(step) for path in decode(entry.get("fieldsV1") or {}) for step in path)
    except (AttributeError, RecursionError, ValueError):
        return False


def _step(step: str) -> bool:
    match step[:2]:
        case "f:":
            return True
        case "v:":
            return msgspec.json.decode(step[2:]) is not None
        case "k:":
            return isinstance(msgspec.json.decode(step[2:]), dict)
    return False


def client_side(kind: Kind, old: Tree | None) -> Fields:
    """What kubectl last applied from its own side and what still is so: its server-side apply takes that over."""
    if old is None or not (config := _last_applied(old)):
        return frozenset()
    shape = root_shape(kind)
    try:
        if kind.custom is None:
            normalise(config, type_name(kind.type))
        else:
            kind.custom.normalise(config)
        fields, found = named(config, shape), compare(config, old, shape)
    except (ApiError, AttributeError, TypeError, ValueError):  # somebody wrote the annotation by hand
        return frozenset()
    return fields - found.added - found.modified - found.removed


def _last_applied(tree: Tree) -> Tree:
    text = tree["metadata"].get("annotations", {}).get(LAST_APPLIED, "")
    try:
        found: Any = msgspec.json.decode(text) if text else {}
    except (msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def remember(new: Tree, old: Tree, configuration: bytes) -> None:
    """Let kubectl's client side see what was applied by its server side, where it had applied before."""
    if LAST_APPLIED not in old["metadata"].get("annotations", {}):
        return
    config = msgspec.json.decode(configuration)
    config["metadata"].get("annotations", {}).pop(LAST_APPLIED, None)
    text = msgspec.json.encode(config, order="deterministic").decode() + "\n"
    if len(text.encode()) <= LONGEST:
        new["metadata"].setdefault("annotations", {})[LAST_APPLIED] = text
