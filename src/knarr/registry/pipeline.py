"""The way of an object into the store: read, default, admit, prepare, validate, encode. Shared by all writing verbs."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from knarr.kinds import metadata as metadata_rules
from knarr.kinds.decode import MOST_COMPLAINTS, complaints
from knarr.kinds.decode import warnings as decoding_warnings
from knarr.kinds.kind import Kind, Tree, no_rules
from knarr.kinds.schema import normalise, strict, type_name
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta import clock
from knarr.meta.errors import BadRequest
from knarr.meta.field import FieldError, invalid
from knarr.registry.core import Options
from knarr.registry.entry import Entry

SUFFIX = 5
LONGEST_BASE = 63 - SUFFIX  #: of a generated name
KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")  #: by an update
CARRIED = (*KEPT, "generation", "managedFields")  #: what an update has of the object, whatever the client says
UNRULED = ("binding", "finalize")  #: subresources that only the rules of metadata hold for
OURS = ("resourceVersion", *CARRIED)  #: what no client says of a new object
IGNORED = ("apiVersion", "kind", "metadata", "status")  #: changes of these are no new generation


def read(kind: Kind, tree: Tree, options: Options) -> None:
    """Check a body against the kind's schema, in place; complain of what is unknown as fieldValidation asks."""
    schema = kind.custom.name if kind.custom is not None else type_name(kind.type)
    findings = kind.custom.normalise(tree) if kind.custom is not None else normalise(tree, schema)
    if findings.unknown or options.duplicates:
        if options.field_validation == "Strict":
            raise strict(tree, schema, findings.unknown, options.duplicates)
        if options.field_validation != "Ignore":
            told = decoding_warnings(complaints(options.duplicates, findings.unknown))
            options.warnings += list(told)[:MOST_COMPLAINTS]
    tree["apiVersion"], tree["kind"] = kind.api_version, kind.kind
    tree.setdefault("metadata", {})


def read_changed(kind: Kind, tree: Tree, old: Tree, options: Options) -> None:
    """As `read`, for a tree whose untouched parts are the stored tree's own: those have been checked before."""
    if kind.custom is not None:
        read(kind, tree, options)
        return
    kept = {key: value for key, value in tree.items() if type(value) is dict and value is old.get(key)}
    changed = {key: value for key, value in tree.items() if key not in kept}
    read(kind, changed, options)
    tree.clear()
    tree.update(changed | kept)


def place(kind: Kind, metadata: Tree, namespace: str) -> None:
    """Put an object into the namespace of its request."""
    if not kind.namespaced:
        metadata.pop("namespace", None)
    elif metadata.setdefault("namespace", namespace) != namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")


def begin_life(kind: Kind, metadata: Tree) -> None:
    """What the server alone says of a new object."""
    if metadata.get("resourceVersion"):
        raise BadRequest("resourceVersion should not be set on objects to be created")
    for key in OURS:
        metadata.pop(key, None)
    if not metadata.get("name") and (base := metadata.get("generateName")):
        metadata["name"] = base[:LONGEST_BASE] + clock.suffix(SUFFIX)
    metadata["uid"] = clock.uid()
    metadata["creationTimestamp"] = clock.timestamp()
    if kind.generation:
        metadata["generation"] = 1


def carry_on(new: Tree, old: Tree) -> None:
    """What an update can't change about an object's life. A uid that differs is left, for validation to refuse."""
    metadata, before = new["metadata"], old["metadata"]
    uid = metadata.get("uid")
    for key in CARRIED:
        if key in before:
            metadata[key] = before[key]
        else:
            metadata.pop(key, None)
    if uid:
        metadata["uid"] = uid


def set_managers(tree: Tree, fields: list[Tree]) -> None:
    """Say who set what."""
    if fields:
        tree["metadata"]["managedFields"] = fields
    else:
        tree["metadata"].pop("managedFields", None)


def count_generation(kind: Kind, new: Tree, old: Tree) -> None:
    """A new generation for a new specification."""
    if kind.generation and spec_of(kind, new) != spec_of(kind, old):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def spec_of(kind: Kind, tree: Tree) -> Tree:
    """What is specified. The status of a custom resource is too, where it is no subresource."""
    whole = kind.custom is not None and "status" not in kind.subresources
    return {key: value for key, value in tree.items() if key not in IGNORED or (whole and key == "status")}


def struct(kind: Kind, tree: Tree) -> Any:
    """The tree as its kind's Struct."""
    try:
        if kind.custom is not None:
            return kind.custom.object(tree)
        return msgspec.convert(tree, kind.type)
    except msgspec.ValidationError as error:
        raise BadRequest(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {error}'
        ) from None


def changed_struct(kind: Kind, tree: Tree, old: Any, old_tree: Tree) -> Any:
    """A changed tree as its kind's Struct. What it has taken over from the old tree is taken from the old Struct."""
    if kind.custom is not None:
        return struct(kind, tree)
    taken = [key for key, value in tree.items() if value is old_tree.get(key)]
    if not taken:
        return struct(kind, tree)
    own = struct(kind, {key: value for key, value in tree.items() if key not in taken})
    return replace(own, **{key: getattr(old, key) for key in taken})


def same_metadata(tree: Tree, old: Tree) -> bool:
    """Whether nothing of an object's metadata changes, which breaks no rule; `tree` has no resourceVersion."""
    before = old["metadata"]
    return bool(before == {**tree["metadata"], "resourceVersion": before.get("resourceVersion")})


def check(kind: Kind, name: str, errors: Iterable[FieldError]) -> None:
    """Refuse an object that breaks a rule."""
    if found := list(errors):
        raise invalid(kind.kind, kind.group, name, found)


async def apart(kind: Kind, check: Callable[..., None], *arguments: Any) -> None:
    """Run a check of an object; in a thread where expressions take part, which may take their time."""
    if kind.custom is not None and kind.custom.expressions is not None:
        await asyncio.to_thread(check, kind, *arguments)
    else:
        check(kind, *arguments)


def validate_create(kind: Kind, tree: Tree, options: Options) -> None:
    found = struct(kind, tree)
    check(kind, found.metadata.name, [*metadata_rules.validate(kind, found.metadata), *kind.validate(found)])
    options.warnings += kind.warnings(found)


def validate_update(kind: Kind, tree: Tree, old: Entry, old_tree: Tree, options: Options, subresource: str) -> None:
    """The rules for a changed object. What breaks a rule of metadata is told twice, as upstream does."""
    if subresource in UNRULED:
        if not same_metadata(tree, old_tree):
            changed = msgspec.convert(tree["metadata"], ObjectMeta)
            check(kind, changed.name, list(metadata_rules.validate_update(kind, changed, old.metadata())) * 2)
        return
    before = old.object()
    new = changed_struct(kind, tree, before, old_tree)
    errors: list[FieldError] = []
    if not same_metadata(tree, old_tree):
        errors += list(metadata_rules.validate_update(kind, new.metadata, before.metadata)) * 2
    if subresource == "status":
        errors += kind.validate_status(new, before)
    elif (part := kind.parts.get(subresource)) is not None:
        errors += part.validate(new, before)
    elif subresource in ("", "scale"):
        errors += kind.validate(new) if kind.validate_update is no_rules else kind.validate_update(new, before)
    check(kind, new.metadata.name, errors)
    if subresource in ("", "scale") and _warns(kind, new, before):
        options.warnings += kind.warnings(new)


def _warns(kind: Kind, new: Any, before: Any) -> bool:
    """Whether who changes an object is told what might be wrong with it."""
    if kind.quiet_updates:
        return False
    return not kind.generation or new.metadata.generation != before.metadata.generation
