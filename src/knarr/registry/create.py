"""Create: a new object, or AlreadyExists."""

from knarr.kinds.kind import Kind, Tree
from knarr.meta.errors import AlreadyExists, MethodNotAllowed
from knarr.registry import pipeline
from knarr.registry.core import Core, Options, is_service
from knarr.registry.entry import Entry, encode, load
from knarr.registry.managed import Applied, record
from knarr.store.store import Mismatch

GENERATED_TRIES = 8  #: names that are drawn before a generated one is given up


async def create(
    core: Core,
    kind: Kind,
    namespace: str,
    body: Tree,
    options: Options | None = None,
    *,
    applied: Applied | None = None,
) -> Entry:
    """Write a new object; `body` is used up. Raises AlreadyExists, Invalid, BadRequest."""
    options = options or Options()
    if kind.custom is not None and kind.custom.terminating:
        raise MethodNotAllowed("create not allowed while custom resource definition is terminating")
    pipeline.read(kind, body, options)
    pipeline.place(kind, body["metadata"], namespace)
    kind.defaults(body)
    fields = record(kind, body, None, options, "", applied)
    if options.admit is not None:
        await options.admit(body, None)
    generated = not body["metadata"].get("name")
    for left in reversed(range(GENERATED_TRIES if generated else 1)):
        try:
            return await _write(core, kind, namespace, body, options, fields)
        except AlreadyExists:
            if not left:
                raise
            del body["metadata"]["name"]
    raise AssertionError("the last try returns or raises")


async def _write(core: Core, kind: Kind, namespace: str, tree: Tree, options: Options, fields: list[Tree]) -> Entry:
    pipeline.begin_life(kind, tree["metadata"])
    pipeline.set_managers(tree, fields)
    kind.prepare_create(tree)
    if is_service(kind):
        core.services.complete(tree, None)
    await pipeline.apart(kind, pipeline.validate_create, tree, options)
    name: str = tree["metadata"]["name"]
    resource = core.resource(kind)
    if resource.get(namespace, name) is not None:
        raise exists(kind, name)
    if options.approve is not None:
        await options.approve(tree, None)
    promised = core.services.allocate(tree, None) if is_service(kind) else set()
    try:
        value = encode(tree)
        if options.dry_run:
            return load(kind, value, 0)
        return await core.put(kind, resource.key(namespace, name), value, 0)
    except Mismatch as other:
        await core.applied(max(other.actual, core.store.revision))  # who is refused must then find it
        raise exists(kind, name) from None
    finally:
        core.services.settle(promised)


def exists(kind: Kind, name: str) -> AlreadyExists:
    return AlreadyExists(f'{kind.resource} "{name}" already exists', kind=kind.plural, group=kind.group, name=name)
