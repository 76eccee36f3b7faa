"""What was ever written to a cluster's store: every revision in order, as lines to compare and a digest over them."""

import hashlib
from collections.abc import Callable, Iterable
from itertools import zip_longest

from knarr.store.memory import MemoryStore
from knarr.store.store import Event

Told = Callable[[Event], None]


class RecordedStore(MemoryStore):
    """A store in memory that tells `listeners` of every write, before anybody else sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.listeners: list[Told] = []

    def copy(self) -> "RecordedStore":
        return self._copied_to(RecordedStore())

    def _publish(self, event: Event) -> None:
        for told in self.listeners:
            told(event)
        super()._publish(event)


class History:
    """The writes so far: `digest` covers every byte of them; `lines` names them, if they are kept."""

    def __init__(self, *, lines: bool = False) -> None:
        self._hash = hashlib.sha256()
        self._keep = lines
        self.lines: list[str] = []
        self.writes = 0

    def __call__(self, event: Event) -> None:
        head = f"{event.revision} {event.type} {event.key} "
        self._hash.update(head.encode() + event.value + b"\n")
        self.writes += 1
        if self._keep:
            self.lines.append(head + event.value.decode())

    @property
    def digest(self) -> str:
        """SHA-256 over the lines, in hexadecimal."""
        return self._hash.hexdigest()


def first_difference(one: Iterable[str], other: Iterable[str]) -> tuple[str, str] | None:
    """The first two lines that differ, "" for one that is missing; None when all are equal."""
    for mine, theirs in zip_longest(one, other, fillvalue=""):
        if mine != theirs:
            return mine, theirs
    return None
