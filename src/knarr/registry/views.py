"""Kinds that show the objects of another: the same object in an older or a newer form, in one storage.

The server calls these around the registry's verbs, which know only the stored kind; a patch is worked out on the form
that its author sees.
"""

import copy

import msgspec

from knarr.kinds.kind import Kind, Tree
from knarr.meta.errors import ApiError
from knarr.registry import pipeline
from knarr.registry.core import Options
from knarr.registry.entry import Entry


def stored(kind: Kind) -> Kind:
    """The kind whose objects these are."""
    return kind.view.kind if kind.view else kind


def inward(kind: Kind, tree: Tree, options: Options) -> Tree:
    """A body of this kind as one of the stored kind; checked, and defaulted by its own kind's rules."""
    if kind.view is None:
        return tree
    pipeline.read(kind, tree, options)
    options.duplicates = []  # told of already
    options.form = kind
    return converted(kind, tree)


def converted(kind: Kind, tree: Tree) -> Tree:
    """A checked tree of this kind as one of the stored kind; of one's own, and used up."""
    if kind.view is None:
        return tree
    kind.defaults(tree)
    found = kind.view.inward(tree)
    return found | {"apiVersion": kind.view.kind.api_version, "kind": kind.view.kind.kind}


def form(kind: Kind, api_version: str) -> Kind:
    """The view of a stored kind's objects in a version; the kind itself where there is no such view."""
    if api_version in ("", kind.api_version):
        return kind
    from knarr.kinds.table import BUILTIN  # every kind's rules: not before an object has a writer in another version

    group, _, version = api_version.rpartition("/")
    found = BUILTIN.by_kind(group, version, kind.kind)
    return found if found is not None and stored(found) is kind else kind


def outward(kind: Kind, raw: bytes) -> bytes:
    """A stored object's bytes, or a bookmark's, in the form of this kind."""
    if kind.view is None:
        return raw
    return msgspec.json.encode(shown(kind, msgspec.json.decode(raw)))


def shown(kind: Kind, tree: Tree) -> Tree:
    """A stored object's tree in the form of this kind."""
    if kind.view is None:
        return tree
    found = kind.view.outward(tree) if len(tree) > 3 else tree  # a bookmark has metadata only
    return {"kind": kind.kind, "apiVersion": kind.api_version} | {
        key: value for key, value in found.items() if key not in ("kind", "apiVersion")
    }


def seen(kind: Kind, entry: Entry) -> Entry:
    """A stored entry in the form of this kind."""
    return Entry(kind, outward(kind, entry.raw), entry.revision) if kind.view else entry


def fields(kind: Kind, selector: str) -> str:
    """A field selector in the stored kind's names."""
    for name, own in (kind.view.fields if kind.view else {}).items():
        selector = selector.replace(name, own)
    return selector


def moved(before: Kind, after: Kind, tree: Tree) -> Tree:
    """A tree of one's own in one form in another of the same objects, with nobody's defaults."""
    if before is after:
        return tree
    found = shown(after, before.view.inward(tree) if before.view else tree)
    return found | {"apiVersion": after.api_version, "kind": after.kind}


def copied(kind: Kind, tree: Tree) -> Tree:
    """A stored object's tree in the form of this kind, which is left to whoever has it."""
    return tree if kind.view is None else shown(kind, copy.deepcopy(tree))


def named(kind: Kind, error: ApiError) -> ApiError:
    """An error of the stored kind's resource as one of the resource that was asked for."""
    own = stored(kind)
    if (error.kind, error.group) == (own.plural, own.group) != (kind.plural, kind.group):
        error.message = error.message.replace(f'{own.resource} "', f'{kind.resource} "', 1)
        error.group = kind.group
    return error
