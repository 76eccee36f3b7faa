"""Server-side apply: the client says which fields it wants and what they are; what it no longer names, goes.

A field that somebody else has and wants otherwise is a conflict, unless the client insists.
"""

import copy
from collections.abc import Set
from typing import Any

import msgspec

from knarr.kinds.kind import Kind, Tree
from knarr.kinds.schema import Findings, normalise, type_name
from knarr.meta.errors import BadRequest, NotFound
from knarr.registry import views
from knarr.registry.core import Core, Options
from knarr.registry.create import create
from knarr.registry.entry import Entry
from knarr.registry.fieldsets import Path, Shape, children, named, root_shape
from knarr.registry.managed import Applied, Manager, owned, read
from knarr.registry.modify import TRIES, modify


async def apply(
    core: Core,
    kind: Kind,
    namespace: str,
    name: str,
    body: Tree,
    options: Options,
    *,
    force: bool = False,
    subresource: str = "",
) -> tuple[Entry, bool]:
    """Apply a configuration; return the object and whether it is new. `options.field_manager` must be set.

    Of a view, the configuration is in its form and the stored object comes back.
    """
    _check(kind, name, body)
    target = views.stored(kind)
    options.form = kind if kind.view else None
    shape = root_shape(kind)
    saved = msgspec.json.encode(body)
    applied = Applied(owned(named(body, shape), kind, subresource), force, saved)

    def change(old: Entry, before: Tree) -> Tree:
        wanted: Tree = msgspec.json.decode(saved)
        mine = views.shown(kind, old.tree())
        new: Tree = merged(mine, wanted, shape)
        new = prune(new, mine, wanted, options.field_manager, kind, subresource)
        version = wanted.get("metadata", {}).get("resourceVersion", "")
        new["metadata"]["resourceVersion"] = version
        normalised(kind, new)
        return views.converted(kind, new)

    try:
        entry = await modify(
            core, target, namespace, name, change, options, subresource=subresource, tries=TRIES, applied=applied
        )
        return entry, False
    except NotFound:
        if subresource or core.resource(target).get(namespace, name) is not None:
            raise
        made = views.inward(kind, body, options)
        return await create(core, target, namespace, made, options, applied=applied), True


def normalised(kind: Kind, tree: Tree) -> Findings:
    found: Findings = kind.custom.normalise(tree) if kind.custom is not None else normalise(tree, type_name(kind.type))
    return found


def _check(kind: Kind, name: str, body: Tree) -> None:
    """Refuse a configuration that can't be applied."""
    unknown = normalised(kind, msgspec.json.decode(msgspec.json.encode(body))).unknown
    body |= {"apiVersion": kind.api_version, "kind": kind.kind}  # the URL says so when the body does not
    body["metadata"] = metadata = body.get("metadata") or {}
    if metadata.setdefault("name", name) != name:
        raise BadRequest(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")
    if metadata.get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    if unknown:
        at = f"({metadata.get('namespace', '')}/{name}; {kind.api_version}, Kind={kind.kind})"
        lines = [f".{path}: field not declared in schema" for path in unknown]
        told = lines[0] if len(lines) == 1 else "errors:\n  " + "\n  ".join(lines)
        raise BadRequest(f"failed to create typed patch object {at}: {told}")


def merged(old: Any, new: Any, shape: Shape) -> Any:
    """The old value with what the new one sets."""
    shape = shape.fits(new).fits(old)
    if shape.kind == "leaf" or old is None or new is None:
        return new
    if shape.kind in ("struct", "map"):
        result = dict(old)
        for step, child, inner in children(new, shape):
            key = step[2:]
            result[key] = merged(old.get(key), child, inner)
        return result
    before = {step: (child, inner) for step, child, inner in children(old, shape)}
    after = {step: (child, inner) for step, child, inner in children(new, shape)}
    order = list(after) if before.keys() <= after.keys() else [*before, *(s for s in after if s not in before)]
    return [
        merged(before[s][0] if s in before else None, after[s][0], after[s][1]) if s in after else before[s][0]
        for s in order
    ]


def prune(new: Tree, old: Tree, wanted: Tree, manager: str, kind: Kind, subresource: str) -> Tree:
    """The tree without what this manager named the last time and nobody names any more; in that time's version."""
    me = Manager(manager, "Apply", kind.api_version, subresource, "", frozenset())
    managers = [read(entry) for entry in old["metadata"].get("managedFields") or []]
    last = next((m for m in managers if m.same(me)), me)
    form = kind if last.version == kind.api_version else views.form(views.stored(kind), last.version)
    own = wanted if form is kind else views.moved(kind, form, copy.deepcopy(wanted))
    fields = owned(named(own, root_shape(form)), form, subresource)
    kept = fields.union(*(m.fields for m in managers if not m.same(me)))
    needed = {path[:depth] for path in kept for depth in range(1, len(path) + 1)}
    found = views.moved(kind, form, new)
    for path in sorted(last.fields - needed):
        _drop(found, path, root_shape(form), needed)
    return views.moved(form, kind, found)


def _drop(tree: Any, path: Path, shape: Shape, needed: Set[Path], depth: int = 1) -> None:
    """Remove a field, if it is there, and what is empty without it and nobody's."""
    shape = shape.fits(tree)
    step = path[depth - 1]
    found = next(((child, inner) for s, child, inner in children(tree, shape) if s == step), None)
    if found is None:
        return
    value, inner = found
    if depth < len(path):
        if not isinstance(value, dict | list):
            return
        _drop(value, path, inner, needed, depth + 1)
        if value or path[:depth] in needed:
            return
    if isinstance(tree, dict):
        del tree[step[2:]]
    else:
        tree.remove(value)
