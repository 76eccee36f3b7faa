"""Changing an object that exists: the loop behind update, patch, status, scale and binding.

A change that names the resourceVersion it is based on is refused when another came first; one that names none is
worked out anew from the newer object.
"""

from collections.abc import Callable

from knarr.kinds.kind import Kind, Tree
from knarr.meta.errors import BadRequest, Conflict
from knarr.registry import pipeline
from knarr.registry.brought import KUBECTL, remember
from knarr.registry.core import Core, Options, is_service, revision_of
from knarr.registry.delete import take_endpoints
from knarr.registry.entry import Entry, at_rest, encode, load
from knarr.registry.managed import Applied, record
from knarr.store.store import Mismatch

MAIN = ("", "scale")  #: subresources that write the whole object by its own rules
STATUS = ("metadata", "status")  #: what a write to /status is about
TRIES = 6  #: as often a patch is worked out anew when others write the object at the same time
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"

#: From the current object and its tree to the wanted tree, whose resourceVersion is that of the object it is based on,
#: or "". It may hold parts of the current tree where nobody else changes them: that one stays as it is.
Change = Callable[[Entry, Tree], Tree]


async def modify(
    core: Core,
    kind: Kind,
    namespace: str,
    name: str,
    change: Change,
    options: Options,
    *,
    subresource: str = "",
    tries: int = 1000,
    applied: Applied | None = None,
) -> Entry:
    """Change an object; raises NotFound, Conflict, Invalid. When nothing changes, nothing is written."""
    told = len(options.warnings)
    for left in reversed(range(tries)):
        old = core.find(kind, namespace, name)
        del options.warnings[told:]
        before = old.tree()
        new = change(old, before)
        pinned = _pinned(kind, new, before, old.revision)
        _stays(kind, new["metadata"], namespace, name)
        if subresource not in pipeline.UNRULED:  # those change what is stored, and so defaulted, in a few places
            kind.defaults(new)
        fields = record(kind, new, before, options, subresource, applied)
        if applied is not None and options.field_manager == KUBECTL:
            remember(new, before, applied.configuration)
        if options.admit is not None:
            await options.admit(new, before)
        _prepare(core, kind, new, before, subresource)
        pipeline.set_managers(new, fields)
        await pipeline.apart(kind, pipeline.validate_update, new, old, before, options, subresource)
        if options.approve is not None:
            await options.approve(new, before)
        try:
            return await _write(core, kind, core.resource(kind).key(namespace, name), new, old, before, options)
        except Mismatch as newer:
            await core.applied(max(newer.actual, core.store.revision))  # who is refused must then find the newer one
            if pinned or not left:
                raise conflict(kind, name, MODIFIED) from None
    raise AssertionError("the last try returns or raises")


def conflict(kind: Kind, name: str, why: str, *, resource: str = "", plural: str = "") -> Conflict:
    return Conflict(
        f'Operation cannot be fulfilled on {resource or kind.resource} "{name}": {why}',
        kind=plural or kind.plural,
        group=kind.group,
        name=name,
    )


def _pinned(kind: Kind, new: Tree, before: Tree, revision: int) -> bool:
    """Whether the new tree says what it is based on; raises Conflict when that is not the current object."""
    metadata = new.setdefault("metadata", {})
    based = revision_of(metadata.pop("resourceVersion", "") or "")
    name, own = before["metadata"]["name"], before["metadata"].get("uid", "")
    if based and based != revision:
        raise conflict(kind, name, MODIFIED)
    uid = metadata.get("uid")
    if uid and uid != own:
        raise conflict(kind, name, f"Precondition failed: UID in precondition: {uid}, UID in object meta: {own}")
    return bool(based)


def _stays(kind: Kind, metadata: Tree, namespace: str, name: str) -> None:
    """An object has the name and the namespace of its URL."""
    if not metadata.get("name"):
        raise BadRequest(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if metadata["name"] != name:
        raise BadRequest(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")
    if kind.namespaced and metadata.setdefault("namespace", namespace) != namespace:
        raise BadRequest(
            f"the namespace of the object ({metadata['namespace']}) does not match "
            f"the namespace on the request ({namespace})"
        )


def _prepare(core: Core, kind: Kind, new: Tree, before: Tree, subresource: str) -> None:
    """Make the wanted tree what may be written, but for breaking a rule."""
    pipeline.carry_on(new, before)
    if subresource == "status":
        _keep_all_but_status(new, before)
        kind.prepare_status(new, before)
    elif (part := kind.parts.get(subresource)) is not None:
        part.prepare(new, before)
        pipeline.count_generation(kind, new, before)
    elif subresource in MAIN:
        kind.prepare_update(new, before)
        if is_service(kind):
            core.services.complete(new, before)
        pipeline.count_generation(kind, new, before)


def _keep_all_but_status(new: Tree, old: Tree) -> None:
    """A status is written with labels and annotations, and nothing else."""
    own = {key: new[key] for key in STATUS if key in new}
    new.clear()
    new.update({key: value for key, value in old.items() if key not in STATUS} | own)
    for key in ("finalizers", "ownerReferences"):
        if key in old["metadata"]:
            new["metadata"][key] = old["metadata"][key]
        else:
            new["metadata"].pop(key, None)


async def _write(core: Core, kind: Kind, key: str, new: Tree, old: Entry, before: Tree, options: Options) -> Entry:
    promised = core.services.allocate(new, before) if is_service(kind) else set()
    try:
        value = encode(new)
        if options.dry_run:
            return load(kind, value, old.revision)
        if ends(new, before):
            ended = load(kind, value, await core.remove(key, old.revision))
            await take_endpoints(core, kind, ended)
            return ended
        if value == at_rest(old):
            return old
        return await core.put(kind, key, value, old.revision)
    finally:
        core.services.settle(promised)


def ends(new: Tree, old: Tree) -> bool:
    """Whether this update takes away the last thing that kept a deleted object."""
    metadata, before = new["metadata"], old["metadata"]
    if not before.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if before.get("deletionGracePeriodSeconds") or metadata.get("deletionGracePeriodSeconds"):
        return False
    return new["kind"] != "Namespace" or not new.get("spec", {}).get("finalizers")
