"""Delete: an object goes at once, or it is marked and waits for its finalizers or its grace period.

An object that waits has a deletionTimestamp; the update that takes its last finalizer away ends it (`modify`), and so
does a delete with no grace period left. What goes gracefully is marked even when no time is left to it: who watches
sees it marked before it is gone.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from knarr.kinds.kind import Kind, Tree
from knarr.kinds.metadata import FOREGROUND, ORPHAN
from knarr.kinds.types.core_v1 import Endpoints
from knarr.meta import clock
from knarr.meta.errors import Conflict
from knarr.registry.core import Core, Options, is_service
from knarr.registry.entry import Entry, encode, load
from knarr.store.store import Mismatch

LONGEST = 10**9  #: seconds, some thirty years

#: Kinds whose delete answers with the object; the others answer with a Status.
SHOWN = frozenset(
    {
        "pods", "services", "serviceaccounts", "podtemplates", "resourcequotas", "persistentvolumes",
        "persistentvolumeclaims", "storageclasses.storage.k8s.io", "csidrivers.storage.k8s.io",
        "csinodes.storage.k8s.io", "volumeattachments.storage.k8s.io",
    }
)  # fmt: skip


@dataclass(slots=True)
class DeleteOptions:
    """What a delete is asked. `grace` is in seconds, None leaves it to the kind."""

    uid: str = ""
    resource_version: str = ""
    grace: int | None = None
    propagation: str = ""  #: Orphan, Background, Foreground
    orphan: bool | None = None  #: the older form of propagation
    dry_run: bool = False


@dataclass(slots=True)
class Deleted:
    """The answer: the object, as it is now or last was, or for most kinds that are gone a Status of success."""

    entry: Entry
    gone: bool
    shown: bool

    def status(self) -> Tree:
        """The Status that stands for the object."""
        kind = self.entry.kind
        details: dict[str, Any] = {"name": self.entry.name, "kind": kind.plural, "uid": self.entry.uid}
        if kind.group:
            details["group"] = kind.group
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


@dataclass(slots=True)
class _Plan:
    """What a delete does to an object."""

    tree: Tree
    write: bool = False
    remove: bool = False


async def delete(
    core: Core, kind: Kind, namespace: str, name: str, wish: DeleteOptions | None = None, options: Options | None = None
) -> Deleted:
    """Delete an object; raises NotFound and, when a precondition does not hold, Conflict."""
    wish, options = wish or DeleteOptions(), options or Options()
    while True:
        old = core.find(kind, namespace, name)
        check_preconditions(kind, old, wish)
        for asked in (options.admit, options.approve):
            if asked is not None:
                await asked({}, old.tree())
        plan = plan_delete(kind, old, wish)
        try:
            return await _carry_out(core, kind, old, plan, dry_run=wish.dry_run or options.dry_run)
        except Mismatch as newer:
            await core.applied(max(newer.actual, core.store.revision))


def check_preconditions(kind: Kind, old: Entry, wish: DeleteOptions) -> None:
    if wish.uid and wish.uid != old.uid:
        why = f"the UID in the precondition ({wish.uid}) does not match the UID in record ({old.uid}). "
        raise _unmet(kind, old, why + "The object might have been deleted and then recreated")
    if wish.resource_version and wish.resource_version != str(old.revision):
        why = f"the ResourceVersion in the precondition ({wish.resource_version}) does not match the ResourceVersion "
        raise _unmet(kind, old, why + f"in record ({old.revision}). The object might have been modified")


def plan_delete(kind: Kind, old: Entry, wish: DeleteOptions) -> _Plan:
    """What to do with an object, from its state and what is asked."""
    tree = old.tree()
    if kind.kind == "Namespace" and tree.get("spec", {}).get("finalizers"):
        return _namespace(tree)
    metadata = tree["metadata"]
    if kind.begin_end is not None and not metadata.get("deletionTimestamp"):
        kind.begin_end(tree, clock.timestamp())
        return _Plan(tree, write=True)
    before = dict(metadata)
    graceful, pending = _grace(kind, old, metadata, wish)
    if pending:
        return _Plan(tree)
    finalizers = _finalizers(kind, metadata, wish)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    if graceful:
        period = metadata["deletionGracePeriodSeconds"]
        return _Plan(tree, remove=not period and not finalizers, write=True)
    if not finalizers:
        return _Plan(tree, remove=True)
    _mark(metadata, 0)
    return _Plan(tree, write=metadata != before)


async def _carry_out(core: Core, kind: Kind, old: Entry, plan: _Plan, *, dry_run: bool) -> Deleted:
    key = core.resource(kind).key(old.namespace, old.name)
    shown = not plan.remove or kind.resource in SHOWN
    value = encode(plan.tree)
    if dry_run or not (plan.remove or plan.write):
        return Deleted(load(kind, value, old.revision), plan.remove, shown)
    if not plan.remove:
        return Deleted(await core.put(kind, key, value, old.revision), False, shown)
    revision = (await core.put(kind, key, value, old.revision)).revision if plan.write else old.revision
    try:
        revision = await core.remove(key, revision)
    except Mismatch:
        if not plan.write:
            raise
        # whoever wrote to it after it was marked has ended it
    await take_endpoints(core, kind, old)
    return Deleted(load(kind, value, revision), True, shown)


async def take_endpoints(core: Core, kind: Kind, gone: Entry) -> None:
    """Take the Endpoints of a service with it, as upstream: the next service of its name must not lead where it did."""
    if not is_service(kind):
        return
    resource = core.resource(core.kinds.by_type(Endpoints))
    while (left := resource.get(gone.namespace, gone.name)) is not None:
        try:
            await core.remove(resource.key(left.namespace, left.name), left.revision)
        except Mismatch as newer:
            await core.applied(max(newer.actual, core.store.revision))


def _grace(kind: Kind, old: Entry, metadata: Tree, wish: DeleteOptions) -> tuple[bool, bool]:
    """Mark an object that goes gracefully: whether it does, and whether it does already and nothing is to be done."""
    default = kind.grace(old.object())
    if default is None:
        return False, False
    asked = None if wish.grace is None else (1 if wish.grace < 0 else wish.grace)
    if not metadata.get("deletionTimestamp"):
        period = default if asked is None or default == 0 else asked
        _mark(metadata, period)
        return True, False
    current = metadata.get("deletionGracePeriodSeconds") or 0
    if not current:
        return False, False
    if asked is None or asked >= current:
        return False, True
    began = clock.parse(metadata["deletionTimestamp"]) - _ahead(current)
    metadata["deletionTimestamp"] = clock.timestamp(began + _ahead(asked))
    metadata["deletionGracePeriodSeconds"] = asked
    return True, False


def _mark(metadata: Tree, period: int) -> None:
    """Say that an object is to go, and when; the first time this is a new generation."""
    if not metadata.get("deletionTimestamp"):
        metadata["deletionTimestamp"] = clock.timestamp(clock.now() + _ahead(period))
        if metadata.get("generation"):
            metadata["generation"] += 1
    metadata["deletionGracePeriodSeconds"] = period


def _ahead(seconds: int) -> timedelta:
    """How far from the delete its deletionTimestamp lies; no calendar has room for every period."""
    return timedelta(seconds=min(seconds, LONGEST))


def _finalizers(kind: Kind, metadata: Tree, wish: DeleteOptions) -> list[str]:
    """The finalizers after the client has said what becomes of the dependents."""
    current: list[str] = metadata.get("finalizers") or []
    kept = [name for name in current if name not in (ORPHAN, FOREGROUND)]
    if wish.orphan is not None:
        return [*kept, ORPHAN] if wish.orphan else kept
    if wish.propagation:
        return kept + {"Orphan": [ORPHAN], "Foreground": [FOREGROUND]}.get(wish.propagation, [])
    if ORPHAN in current or FOREGROUND in current:
        return current
    return [*kept, ORPHAN] if kind.propagation == "orphan" else kept


def _namespace(tree: Tree) -> _Plan:
    """A namespace first ends what is in it."""
    metadata = tree["metadata"]
    if metadata.get("deletionTimestamp"):
        return _Plan(tree)
    metadata["deletionTimestamp"] = clock.timestamp()
    tree.setdefault("status", {})["phase"] = "Terminating"
    return _Plan(tree, write=True)


def _unmet(kind: Kind, old: Entry, why: str) -> Conflict:
    qualified = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    return Conflict(
        f'Operation cannot be fulfilled on {qualified} "{old.name}": {why}',
        kind=kind.kind,
        group=kind.group,
        name=old.name,
    )
