"""Steps: what a plan wants done, as data. Planned by every controller, carried out by `knarr.loop.executor`.

`str(step)` is at once the log line and what a test compares: "create pod db-0", "delete pod db-2: outdated",
"wait for db-0: not ready". Steps compare equal when they want the same.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from knarr.client.api import PatchKind, metadata
from knarr.kinds.types.base import Type
from knarr.kinds.types.core_v1 import ObjectReference

Propagation = Literal["", "Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class Note:
    """What to record about a step, as an event on another object: a (reason, message) for each outcome, or None.

    "{name}" in a message stands for the name of the step's object (given by the server where it was generated),
    "{error}" for what went wrong.
    """

    on: Any
    done: tuple[str, str] | None = None
    failed: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object. One that exists already is a failure, unless `keep` says that it will do."""

    obj: Any
    reason: str = ""
    note: Note | None = None
    keep: bool = False

    def __str__(self) -> str:
        return _line("create", self.obj, self.reason)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete this very object, not another of its name. One that is gone already is fine. `unchanged`: only in the
    version that was looked at; another one is a conflict, and a failure.
    """

    obj: Any
    reason: str = ""
    note: Note | None = None
    propagation: Propagation = ""
    grace: int | None = None
    unchanged: bool = False

    def __str__(self) -> str:
        return _line("delete", self.obj, self.reason)


@dataclass(frozen=True, slots=True)
class Replace:
    """Write an object over the one that its resourceVersion names; a conflict is a failure."""

    obj: Any
    reason: str = ""
    note: Note | None = None

    def __str__(self) -> str:
        return _line("update", self.obj, self.reason)


@dataclass(frozen=True, slots=True)
class Patch:
    """Change an object by a patch."""

    obj: Any
    patch: Any
    kind: PatchKind = "merge"
    subresource: str = ""
    reason: str = ""
    note: Note | None = None

    def __str__(self) -> str:
        what = f"patch {self.subresource} of" if self.subresource else "patch"
        return _line(what, self.obj, self.reason)


@dataclass(frozen=True, slots=True)
class Status:
    """Write an object's status; a conflict is a failure."""

    obj: Any
    reason: str = ""

    def __str__(self) -> str:
        return _line("update status of", self.obj, self.reason)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done about an object yet: why, and when to look again if no event will say."""

    obj: Any
    reason: str
    until: datetime | None = None

    def __str__(self) -> str:
        name = self.obj if isinstance(self.obj, str) else metadata(self.obj).name
        return f"wait for {name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Event:
    """Record an event."""

    obj: Any
    type: Literal["Normal", "Warning"]
    reason: str
    message: str

    def __str__(self) -> str:
        return f"event on {_name(self.obj)}: {self.reason}: {self.message}"


Step = Create | Delete | Replace | Patch | Status | Wait | Event


def reference(obj: Type | ObjectReference) -> ObjectReference:
    """A reference to an object, as events carry it."""
    if isinstance(obj, ObjectReference):
        return obj
    meta: Any = metadata(obj)
    found: Any = obj
    return ObjectReference(
        apiVersion=found.apiVersion,
        kind=found.kind,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resourceVersion=meta.resourceVersion,
    )


def _name(obj: Any) -> str:
    if isinstance(obj, ObjectReference):
        return f"{obj.kind.lower()} {obj.name}"
    meta = metadata(obj)
    return f"{obj.kind.lower()} {meta.name or meta.generateName}"


def _line(verb: str, obj: Any, reason: str) -> str:
    return f"{verb} {_name(obj)}: {reason}" if reason else f"{verb} {_name(obj)}"
