"""One commit of the SQLite store, and the sweep behind a compaction. Called by the writer's thread only."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from knarr.store import file, sql
from knarr.store.store import Event, Mismatch, Record

REMEMBERED = 1_000  #: keys of which the writer knows what they hold, those written last
LARGE = 64 * 1024  #: bytes of a value that is read again rather than remembered
SLICE = 500  #: writes that one step of a sweep looks at
PAGES = 500  #: pages that one step of a sweep gives back


@dataclass(slots=True, eq=False)
class Write:
    """A put, or a delete when `value` is None, and who waits for it."""

    key: str
    value: bytes | None
    expect: int | None
    done: asyncio.Future[int]


@dataclass(slots=True)
class Outcome:
    """What became of a group: the events in order, and an answer for each write."""

    events: list[Event] = field(default_factory=list)
    written: list[tuple[asyncio.Future[int], int]] = field(default_factory=list)
    refused: list[tuple[asyncio.Future[int], Exception]] = field(default_factory=list)


class Newest:
    """What the keys hold that were written last, so that it need not be read: objects mostly change soon again, and
    for each row that is read the writer's thread waits for the interpreter's lock.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._known: OrderedDict[str, Record | None] = OrderedDict()  # None: the key does not exist

    def of(self, connection: apsw.Connection, keys: Iterable[str]) -> dict[str, Record]:
        """The records of those of the keys that exist."""
        found: dict[str, Record] = {}
        unknown: list[str] = []
        for key in keys:
            if key not in self._known:
                unknown.append(key)
            elif (record := self._known[key]) is not None:
                found[key] = record
        if unknown:
            found.update((row[0], Record(*row)) for row in connection.execute(sql.heads(len(unknown)), unknown))
        return found

    def put(self, keys: Iterable[str], current: Mapping[str, Record]) -> None:
        """Take in what the keys hold after a commit; one without a record does not exist."""
        for key in keys:
            self._known.pop(key, None)
            record = current.get(key)
            if record is None or len(record.value) <= LARGE:
                self._known[key] = record
        while len(self._known) > self._most:
            self._known.popitem(last=False)


def commit(connection: apsw.Connection, newest: Newest, group: list[Write], revision: int, path: Path) -> Outcome:
    """Write a group durably, its revisions starting at `revision`; when that fails, none of it is kept."""
    keys = {write.key: None for write in group}
    try:
        with file.translated(path), _transaction(connection):
            current = newest.of(connection, keys)
            outcome = _plan(current, group, revision)
            if outcome.events:
                _write(connection, outcome.events)
    except Exception as error:  # handed to those who wait
        return Outcome(refused=[(write.done, error) for write in group])
    newest.put(keys, current)
    return outcome


def sweep(connection: apsw.Connection, revision: int) -> bool:
    """Delete a slice of what is superseded up to a compacted revision; return whether more is left to do."""
    with _transaction(connection):
        swept: int = connection.execute(sql.SWEPT).get
        to: int | None = connection.execute(sql.NEXT_SLICE, (swept, revision, SLICE)).get
        if to is not None:
            connection.execute(sql.SWEEP_SUPERSEDED, (swept, to))
            connection.execute(sql.SWEEP_DELETED, (swept, to))
            connection.execute(sql.SET_SWEPT, (to,))
    if to is not None:
        return True
    before: int = connection.execute(sql.FREE_PAGES).get
    connection.execute(sql.vacuum(PAGES)).fetchall()
    after: int = connection.execute(sql.FREE_PAGES).get
    return 0 < after < before


def _plan(current: dict[str, Record], group: list[Write], revision: int) -> Outcome:
    """Run the group over the current records, which it changes on the way."""
    outcome = Outcome()
    for write in group:
        old = current.get(write.key)
        actual = old.revision if old else 0
        if (write.expect is not None and write.expect != actual) or (write.value is None and old is None):
            outcome.refused.append((write.done, Mismatch(write.key, write.expect, actual)))
            continue
        created = old.created if old else revision
        before = old.value if old else None
        if write.value is None:
            outcome.events.append(Event("delete", write.key, b"", revision, created, before, actual))
            del current[write.key]
        else:
            outcome.events.append(Event("put", write.key, write.value, revision, created, before, actual))
            current[write.key] = Record(write.key, write.value, revision, created)
        outcome.written.append((write.done, revision))
        revision += 1
    return outcome


def _write(connection: apsw.Connection, events: list[Event]) -> None:
    """Few statements for many writes: each one costs a handover of the interpreter's lock."""
    rows = [
        value
        for event in events
        for value in (
            event.revision,
            event.key,
            event.created,
            event.previous_revision,
            event.type == "delete",
            event.value,
        )
    ]
    connection.execute(sql.append(len(events)), rows)
    last = {event.key: event for event in events}
    alive = [value for event in last.values() if event.type == "put" for value in (event.key, event.revision)]
    gone = [event.key for event in last.values() if event.type == "delete"]
    if alive:
        connection.execute(sql.set_heads(len(alive) // 2), alive)
    if gone:
        connection.execute(sql.drop_heads(len(gone)), gone)


@contextmanager
def _transaction(connection: apsw.Connection) -> Iterator[None]:
    """Commit in the end. A connection's own context holds the interpreter's lock until the disk has everything."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
