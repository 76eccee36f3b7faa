"""The three patch types: RFC 7386 merge, RFC 6902 JSON patch, and Kubernetes' strategic merge.

All give a new value and leave target and patch alone. The registry's patch verb applies them to Trees;
`knarr.kinds.patch_schema` says how each field merges.
"""

import copy
from typing import Any, Protocol

import msgspec

from knarr.meta.errors import BadRequest, Invalid, RequestEntityTooLarge

Tree = dict[str, Any]

DIRECTIVE, RETAIN, DELETE_FROM, ORDER = "$patch", "$retainKeys", "$deleteFromPrimitiveList/", "$setElementOrder/"
REJECTED = "the server rejected our request due to an error in our request"
MOST_OPERATIONS = 10_000  #: of one JSON patch
MOST_COPIED = 3 * 1024 * 1024  #: bytes that the copies of one JSON patch may come to


class PatchField(Protocol):
    """How one field merges: upstream's patchStrategy and patchMergeKey tags."""

    @property
    def strategy(self) -> str:
        """ "", "merge", "replace", "retainKeys" or "merge,retainKeys"."""

    @property
    def merge_key(self) -> str: ...

    @property
    def schema(self) -> "PatchSchema | None":
        """Of the object, or of the list's items; None when it is not a known object."""


class PatchSchema(Protocol):
    """The fields of one type."""

    def field(self, name: str) -> PatchField | None: ...


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: objects merge, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(target: Tree, operations: Any) -> Tree:
    """RFC 6902. Raises BadRequest for what is no patch and Invalid for one that does not apply or copies too much."""
    import jsonpatch  # 10 ms, for a patch type that few clients use

    if not isinstance(operations, list):
        found = {dict: "object", str: "string", bool: "bool", type(None): "null"}.get(type(operations), "number")
        raise BadRequest(f"error decoding patch: json: cannot unmarshal {found} into Go value of type jsonpatch.Patch")
    if len(operations) > MOST_OPERATIONS:
        most, got = MOST_OPERATIONS, len(operations)
        told = f"The allowed maximum operations in a JSON patch is {most}, got {got}"
        raise RequestEntityTooLarge(f"Request entity too large: {told}")
    patched, copied = copy.deepcopy(target), 0
    try:
        for operation in operations:
            if operation["op"] == "copy":  # a few of them could double an object again and again
                source = jsonpatch.JsonPointer(operation["from"]).resolve(patched)
                copied += len(msgspec.json.encode(source))
                if copied > MOST_COPIED:
                    raise Invalid(REJECTED)
            patched = jsonpatch.JsonPatch([operation]).apply(patched, in_place=True)
    except (
        jsonpatch.JsonPatchException,
        jsonpatch.JsonPointerException,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise Invalid(REJECTED) from error
    if not isinstance(patched, dict):
        raise Invalid(REJECTED)
    return patched


def strategic_merge(target: Tree, patch: Tree, schema: PatchSchema | None) -> Tree:
    """Kubernetes' merge: lists of objects merge by the key their schema names, `$` directives steer it."""
    match patch.get(DIRECTIVE):
        case None:
            pass
        case "replace":
            return {k: copy.deepcopy(v) for k, v in patch.items() if k != DIRECTIVE}
        case "delete":
            return {}
        case "merge":
            patch = {k: v for k, v in patch.items() if k != DIRECTIVE}
        case other:
            raise BadRequest(f"unknown patch type found: {shown(other)}")
    merged = _retained(target, patch)
    for key, value in patch.items():
        if key == RETAIN or key.startswith((DELETE_FROM, ORDER)):
            continue
        if value is None:
            merged.pop(key, None)
        elif (deleted := patch.get(DELETE_FROM + key)) is None or not isinstance(value, list):
            merged[key] = _merge_value(merged.get(key), value, schema.field(key) if schema else None)
        else:
            kept = [item for item in merged.get(key) or [] if item not in deleted]
            merged[key] = _merge_value(kept, value, schema.field(key) if schema else None)
    for key, order in patch.items():
        if key.startswith(DELETE_FROM) and (name := key.removeprefix(DELETE_FROM)) not in patch and name in merged:
            merged[name] = [item for item in merged[name] if item not in order]
    for key, order in patch.items():
        if key.startswith(ORDER) and isinstance(merged.get(name := key.removeprefix(ORDER)), list):
            field = schema.field(name) if schema else None
            merged[name] = _ordered(merged[name], order, field.merge_key if field else "", target.get(name))
    return merged


def _retained(target: Tree, patch: Tree) -> Tree:
    """What `$retainKeys` leaves of the target; every key of the patch must be among them."""
    keep = patch.get(RETAIN)
    if keep is None:
        return dict(target)
    if not isinstance(keep, list):
        raise BadRequest(f"$retainKeys must be a list of strings: {shown(keep)}")
    directives = (DELETE_FROM, ORDER)
    if any(key not in keep for key in patch if key != RETAIN and not key.startswith(directives)):
        raise BadRequest("the list of keys to retain does not contain all the keys of the patch")
    return {key: value for key, value in target.items() if key in keep}


def _merge_value(old: Any, new: Any, field: PatchField | None) -> Any:
    strategy = field.strategy if field else ""
    if isinstance(new, dict):
        mergeable = isinstance(old, dict) and "replace" not in strategy
        return strategic_merge(old if mergeable else {}, new, field.schema if field else None)
    if not isinstance(new, list):
        return new
    if field is None or "merge" not in strategy:
        return [_settled(item, field.schema if field else None) for item in new]
    if field.merge_key:
        return _merge_objects(old if isinstance(old, list) else [], new, field)
    before = old if isinstance(old, list) else []
    return _ordered(before + [item for item in new if item not in before], new, "", before)


def _settled(item: Any, schema: PatchSchema | None) -> Any:
    """A value that replaces: itself, without directives inside."""
    return strategic_merge({}, item, schema) if isinstance(item, dict) else copy.deepcopy(item)


def _merge_objects(old: list[Any], new: list[Any], field: PatchField) -> list[Any]:
    """Merge two lists of objects by their merge key; entries that say so delete or replace.

    Entries that only the patch has come first, the others keep their places, as upstream orders them.
    """
    key = field.merge_key
    entries = [item for item in new if not _is_directive(item, "replace", key)]
    if len(entries) != len(new):
        return [_settled({k: v for k, v in item.items() if k != DIRECTIVE}, field.schema) for item in entries]
    merged, before, order = list(old), old, list[Tree]()
    for item in new:
        identity = _identity(item, key)
        at = [i for i, existing in enumerate(merged) if _identity(existing, key) == identity]
        directive = item.get(DIRECTIVE)
        if directive == "delete":
            merged = [existing for i, existing in enumerate(merged) if i not in at]
            before = [existing for existing in before if _identity(existing, key) != identity]
            continue
        if directive not in (None, "merge", "replace"):
            raise BadRequest(f"unknown patch type found: {shown(directive)}")
        if at:
            kept = {} if directive == "replace" else merged[at[0]]
            merged[at[0]] = strategic_merge(kept, {k: v for k, v in item.items() if k != DIRECTIVE}, field.schema)
        else:
            merged.append(strategic_merge({}, {k: v for k, v in item.items() if k != DIRECTIVE}, field.schema))
        order.append(item)
    return _ordered(merged, order, key, before)


def _is_directive(item: Any, name: str, key: str) -> bool:
    """Whether a list entry is a directive for the whole list: one without a merge key."""
    return isinstance(item, dict) and item.get(DIRECTIVE) == name and key not in item


def _identity(item: Any, key: str) -> Any:
    if not isinstance(item, dict):
        raise BadRequest(f"expected a list of objects with {key}, found {shown(item)}")
    if key not in item:
        raise BadRequest(f"map: {shown(item)} does not contain declared merge key: {key}")
    return item[key]


def _ordered(merged: list[Any], order: Any, key: str, before: Any) -> list[Any]:
    """`$setElementOrder`: the named entries in its order; the others where they stood relative to those `before`."""
    rank = {_mark(item, key): i for i, item in enumerate(order if isinstance(order, list) else ())}
    place = {_mark(item, key): i for i, item in enumerate(before if isinstance(before, list) else ())}
    named = sorted((item for item in merged if _mark(item, key) in rank), key=lambda item: rank[_mark(item, key)])
    others = [item for item in merged if _mark(item, key) not in rank]
    out: list[Any] = []
    while named and others:
        at, other = place.get(_mark(named[0], key), -1), place.get(_mark(others[0], key), len(place))
        out.append(named.pop(0) if at < other else others.pop(0))
    return out + named + others


def _mark(item: Any, key: str) -> Any:
    """What tells an entry from others, hashable: its merge key or its own text."""
    value = item.get(key) if key and isinstance(item, dict) else item
    return value if isinstance(value, (str, int, float, bool)) else repr(value)


def shown(value: Any) -> str:
    """A value as Go's %v prints it."""
    match value:
        case dict():
            return "map[" + " ".join(f"{k}:{shown(value[k])}" for k in sorted(value)) + "]"
        case list():
            return "[" + " ".join(map(shown, value)) + "]"
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
    return str(value)
