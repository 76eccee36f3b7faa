"""managedFields: who set which fields, by which operation. Worked out on every write that names its manager.

An update takes over what it changes, an apply owns what it names (`apply`). Fields that the server alone writes are
nobody's. The cluster's own parts are recorded only on objects that others have fields of: the entries would double the
size of every pod that a controller makes, and nobody else applies to those.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from knarr.kinds.kind import Kind, Tree
from knarr.kinds.schema import normalise, type_name
from knarr.meta import clock
from knarr.meta.errors import Cause, Conflict
from knarr.registry import views
from knarr.registry.brought import KUBECTL, client_side, standing
from knarr.registry.core import Options
from knarr.registry.fieldsets import Differences, Fields, Path, compare, decode, encode, root_shape, text
from knarr.registry.first_fields import FirstFields

QUIET = ("knarr", "kubelet")  #: how the cluster's own parts are named; see the module's docstring
UNTRACKED = ("binding", "finalize")  #: subresources whose writes make nobody an owner
BEFORE_APPLY = "before-first-apply"  #: who has the fields of an object without entries once somebody applies to it
UNTIMED = "scale"  #: the subresource whose entries have no time
_OWN = ("name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields", "resourceVersion")
UNOWNED: frozenset[Path] = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",), *(("f:metadata", "f:" + name) for name in _OWN)}
)


@dataclass(frozen=True, slots=True)
class Manager:
    """One entry of managedFields."""

    name: str
    operation: str  #: Apply or Update
    version: str
    subresource: str
    time: str
    fields: Fields

    def same(self, other: "Manager") -> bool:
        """Whether both are one manager's entry. Who applies stays the same in whatever version."""
        mine, theirs = (
            (m.name, m.operation, m.subresource, "" if m.operation == "Apply" else m.version) for m in (self, other)
        )
        return mine == theirs

    def __str__(self) -> str:
        if self.operation == "Apply":
            return f'"{self.name}"'
        part = f' with subresource "{self.subresource}"' if self.subresource else ""
        return f'"{self.name}"{part} using {self.version}'


@dataclass(frozen=True, slots=True)
class Applied:
    """An apply's fields; `force` takes those of others over instead of refusing. `configuration` is what was sent."""

    fields: Fields
    force: bool = False
    configuration: bytes = b""


def record(
    kind: Kind, new: Tree, old: Tree | None, options: Options, subresource: str, applied: Applied | None
) -> list[Tree]:
    """The managedFields of a defaulted tree that is about to replace another; raises Conflict for an apply."""
    before = standing(new, old, subresource)
    if not options.field_manager or subresource in UNTRACKED:
        return before
    if options.field_manager.startswith(QUIET) and not before and applied is None:
        return before
    if old is None and applied is None and options.form is None and kind.custom is None:
        return created(kind, new, options.field_manager, subresource)
    changes = Changes(kind, old, new, subresource)
    version = (options.form or kind).api_version
    changed = changes.seen(version)
    if not (changed.added or changed.modified or changed.removed or applied):
        return before
    operation = "Apply" if applied else "Update"
    me = Manager(options.field_manager, operation, version, subresource, "", frozenset())
    managers = [read(entry) for entry in before]
    if applied:
        if old is not None and not managers:
            all_ = Changes(kind, None, old, subresource).taken(version)
            managers = [Manager(BEFORE_APPLY, "Update", version, subresource, clock.timestamp(), all_)]
        allowed = client_side(options.form or kind, old) if me.name == KUBECTL else frozenset[Path]()
        return [write(m) for m in ordered(after_apply(managers, me, changes, applied, allowed))]
    return [write(m) for m in ordered(after_update(managers, me, changes))]


def created(kind: Kind, new: Tree, manager: str, subresource: str) -> list[Tree]:
    """The managedFields of a new object that nobody applied."""

    def fields() -> Tree:
        return encode(Changes(kind, None, new, subresource).taken(kind.api_version))

    found = _first.get((kind.type, subresource), new, fields)
    if not found:
        return []
    me = Manager(manager, "Update", kind.api_version, subresource, clock.timestamp(), frozenset())
    return [write(me) | {"fieldsV1": found}]


_first = FirstFields()


class Changes:
    """What a write changes, in the fields of each version that somebody has written the object in."""

    def __init__(self, kind: Kind, old: Tree | None, new: Tree, subresource: str) -> None:
        self._kind, self._old, self._new, self._subresource = kind, old, new, subresource
        self._seen: dict[str, Differences] = {}

    def seen(self, version: str) -> Differences:
        """The changes as a version shows them; as the stored one does where that version is not served."""
        if version not in self._seen:
            form = views.form(self._kind, version)
            old = empty(form) if self._old is None else views.copied(form, self._old)
            found = compare(old, views.copied(form, self._new), root_shape(form))
            self._seen[version] = _owned(found, form, self._subresource)
        return self._seen[version]

    def taken(self, version: str) -> Fields:
        """What the write sets, in a version's fields."""
        changed = self.seen(version)
        return changed.added | changed.modified

    def left(self, manager: Manager) -> Manager:
        """Another's entry without what this write takes or removes."""
        gone = self.taken(manager.version) | self.seen(manager.version).removed
        return replace(manager, fields=manager.fields - gone)


def after_update(managers: Sequence[Manager], me: Manager, changes: Changes) -> list[Manager]:
    """Whoever changes a field has it, alone."""
    taken, removed = changes.taken(me.version), changes.seen(me.version).removed
    mine = next((m for m in managers if m.same(me)), me)
    others = [changes.left(m) for m in managers if not m.same(me)]
    time = clock.timestamp() if taken and me.subresource != UNTIMED else mine.time
    mine = replace(mine, time=time, fields=(mine.fields | taken) - removed)
    return [m for m in (*others, mine) if m.fields]


def after_apply(
    managers: Sequence[Manager], me: Manager, changes: Changes, applied: Applied, allowed: Fields
) -> list[Manager]:
    """Whoever applies has what it names, perhaps together with others who want the same; `allowed` is no conflict."""
    others = [m for m in managers if not m.same(me)]
    conflicts = [(m, path) for m in others for path in sorted((m.fields & changes.taken(m.version)) - allowed)]
    if conflicts and not applied.force:
        raise refusal(conflicts)
    others = [changes.left(m) for m in others]
    mine = next((m for m in managers if m.same(me)), me)
    touched = changes.taken(me.version) or changes.seen(me.version).removed
    time = clock.timestamp() if touched else mine.time
    return [m for m in (*others, replace(mine, version=me.version, time=time, fields=applied.fields)) if m.fields]


def refusal(conflicts: Sequence[tuple[Manager, Path]]) -> Conflict:
    """The conflict of an apply."""
    causes = [Cause("FieldManagerConflict", f"conflict with {m}", text(path)) for m, path in conflicts]
    if len(conflicts) == 1:
        message = f"Apply failed with 1 conflict: conflict with {conflicts[0][0]}: {text(conflicts[0][1])}"
    else:
        lines = []
        for name in sorted({str(m) for m, _ in conflicts}):
            lines.append(f"conflicts with {name}:")
            lines += [f"- {text(path)}" for m, path in conflicts if str(m) == name]
        message = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
    return Conflict(message, causes=causes)


def ordered(managers: Iterable[Manager]) -> list[Manager]:
    return sorted(managers, key=lambda m: (m.operation, m.time, m.name, m.version, m.subresource))


def read(entry: Tree) -> Manager:
    return Manager(
        entry.get("manager", ""),
        entry.get("operation", ""),
        entry.get("apiVersion", ""),
        entry.get("subresource", ""),
        entry.get("time") or "",
        frozenset(decode(entry.get("fieldsV1") or {})),
    )


def write(manager: Manager) -> Tree:
    found = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.version,
        "time": manager.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": encode(manager.fields),
        "subresource": manager.subresource,
    }
    return {key: value for key, value in found.items() if value != ""}


def empty(kind: Kind) -> Tree:
    """What an object is before anybody sets a field of it."""
    tree: Tree = {}
    if kind.custom is None:
        normalise(tree, type_name(kind.type))
    return tree


def owned(fields: Fields, kind: Kind, subresource: str) -> Fields:
    """The fields that a write to this subresource can set."""
    kept = fields - UNOWNED
    if subresource == "status":
        return frozenset(path for path in kept if path[0] in ("f:status", "f:metadata"))
    if "status" in kind.subresources:
        return frozenset(path for path in kept if path[0] != "f:status")
    return kept


def _owned(found: Differences, kind: Kind, subresource: str) -> Differences:
    return Differences(*(owned(fields, kind, subresource) for fields in (found.added, found.modified, found.removed)))
