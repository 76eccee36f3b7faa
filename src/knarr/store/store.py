"""The store: a revisioned log of bytes that knows nothing of what they mean. The registry is its only caller.

Every driver keeps these promises (`tests/contract/test_store.py`): each write gets a revision of its own, greater than
every one before it, across restarts and failed commits too; a write is acknowledged, and seen by a watcher, only when
it is durable; a watch gives every event after its revision once and in order, or says `Compacted`.
"""

from collections.abc import AsyncIterator
from typing import Literal, Protocol

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """A key's value at some revision."""

    key: str
    value: bytes
    revision: int  #: of the write that set this value
    created: int  #: of the write that began this life of the key


class Event(msgspec.Struct, frozen=True, gc=False):
    """One write. A delete has a revision of its own, an empty value, and the last value as `previous`."""

    type: Literal["put", "delete"]
    key: str
    value: bytes
    revision: int
    created: int
    previous: bytes | None
    previous_revision: int  #: 0 when the key was absent


class StoreError(Exception):
    """Whatever a store can fail with."""


class Mismatch(StoreError):
    """A write expected another revision of its key: 0 stands for absent, None for any."""

    def __init__(self, key: str, expected: int | None, actual: int) -> None:
        super().__init__(f"{key}: expected revision {expected}, found {actual}")
        self.key, self.expected, self.actual = key, expected, actual


class Compacted(StoreError):
    """The asked-for history is gone up to `revision`."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"history up to revision {revision} is compacted")
        self.revision = revision


class Future(StoreError):
    """A snapshot of a revision that is yet to be written."""

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(f"revision {revision} is not written yet, the last is {current}")
        self.revision, self.current = revision, current


class Closed(StoreError):
    """The store is closed."""


class Failed(StoreError):
    """The driver could not write; nothing of the write is visible."""


class Corrupt(StoreError):
    """The file is not a store, or a damaged one."""


class TooNew(StoreError):
    """The file was written by a newer version of knarr."""


class InUse(StoreError):
    """Another process has the store open."""


class Store(Protocol):
    """What every driver offers."""

    @property
    def revision(self) -> int:
        """The revision of the last durable write; 0 when there was none."""

    @property
    def compacted(self) -> int:
        """History up to here is gone; snapshots and watches begin here at the earliest."""

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        """Write a value and return its revision.

        `expect` is the key's current revision, 0 if it must not exist, None if anything will do; else Mismatch.
        """

    async def delete(self, key: str, *, expect: int | None = None) -> int:
        """Remove a key and return the revision of that; Mismatch when it is absent or not as expected."""

    async def get(self, key: str, *, revision: int = 0) -> Record | None:
        """A key's record, now or as of a revision."""

    async def range(
        self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0
    ) -> tuple[int, list[Record]]:
        """The records under a prefix, sorted by key, and the revision they are a snapshot of.

        `after` leaves out keys up to and with that one; `limit` 0 is no limit.
        """

    def watch(self, prefix: str = "", *, after: int) -> AsyncIterator[list[Event]]:
        """Every event with a revision greater than `after`, in order, in batches; ends with Compacted or Closed."""

    async def history(self, key: str, *, after: int = 0, limit: int = 0) -> list[Event]:
        """The events of a key that are not compacted, oldest first: those later than `after`, at most `limit` (0: all).

        Raises Compacted when events after `after`, if that is given, may be gone."""

    async def compact(self, revision: int) -> None:
        """Forget history up to a revision; current values stay."""

    async def close(self) -> None:
        """Stop; a write under way is finished first."""
