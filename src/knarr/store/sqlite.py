"""The store in one SQLite file: the default. One thread writes, another reads; the event loop waits for neither.

All writes that arrive while a commit runs share the next one. Within a commit each write sees those before it, so an
expectation holds at the moment of its write. What a commit wrote is published and acknowledged when it is on disk.
"""

import asyncio
import os
import queue
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from knarr.store import backup, file, sql
from knarr.store.feed import BATCH, Feed
from knarr.store.group import Newest, Outcome, Write, commit, sweep
from knarr.store.store import Closed, Compacted, Event, Future, Record

T = TypeVar("T")

HELD = 2_000  #: the newest events kept in memory for watches; older ones are read from the file
GROUP = 256  #: writes after which a commit takes no more, and that are handed over at once at the most


class SqliteStore:
    """Made by `open_sqlite`. Its methods belong to the event loop that opened it."""

    def __init__(self, opened: file.Opened) -> None:
        self._path, self._descriptor = opened.path, opened.descriptor
        self._writer, self._reader = opened.writer, opened.reader
        self.compacted = opened.compacted
        self._next, self._newest = opened.revision + 1, Newest()  # the writer thread's own
        self._feed = Feed(opened.revision, HELD)
        self._loop = asyncio.get_running_loop()
        self._gathered: list[Write] = []  # by this turn of the event loop
        self._queue: queue.SimpleQueue[list[Write] | Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()
        self._readers = ThreadPoolExecutor(1, "store-reader")
        self._open = True

    @property
    def revision(self) -> int:
        return self._feed.revision

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        return await self._write(key, value, expect)

    async def delete(self, key: str, *, expect: int | None = None) -> int:
        return await self._write(key, None, expect)

    async def get(self, key: str, *, revision: int = 0) -> Record | None:
        self._check(revision)
        statement, values = (sql.RECORD_AT, (key, revision)) if revision else (sql.RECORD, (key,))
        rows = await self._read(lambda: self._rows(statement, values))
        self._check(revision)
        return Record(*rows[0][:4]) if rows else None

    async def range(
        self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0
    ) -> tuple[int, list[Record]]:
        self._check(revision)
        at, rows = await self._read(lambda: self._snapshot(prefix, revision, after, limit or -1))
        self._check(revision)
        return at, [Record(*row) for row in rows]

    def watch(self, prefix: str = "", *, after: int) -> AsyncIterator[list[Event]]:
        return self._feed.follow(prefix, after, self._older)

    async def history(self, key: str, *, after: int = 0, limit: int = 0) -> list[Event]:
        self._check(after)
        values = (key, after or self.compacted, limit or -1)
        return [_event(row) for row in await self._read(lambda: self._rows(sql.HISTORY, values))]

    async def compact(self, revision: int) -> None:
        self._check(revision)
        if revision <= self.compacted:
            return
        await self._in_writer(lambda: self._writer.execute(sql.SET_COMPACTED, (revision,)))
        self.compacted = revision
        self._feed.forget(revision)
        while await self._in_writer(lambda: sweep(self._writer, revision)):  # in slices: writes go in between
            pass

    async def backup(self, target: Path) -> int:
        """Copy the store as of now into a file that is not there yet; give the copy's revision."""
        self._check(0)
        return await self._loop.run_in_executor(None, backup.save, self._path, target)

    async def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._feed.close()
        self._hand_over()
        self._queue.put(None)
        await self._loop.run_in_executor(self._readers, self._thread.join)
        self._readers.shutdown()
        self._reader.close()
        self._writer.close()
        os.close(self._descriptor)

    async def _write(self, key: str, value: bytes | None, expect: int | None) -> int:
        self._check(0)
        write = Write(key, value, expect, self._loop.create_future())
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(write)
        return await write.done

    def _hand_over(self) -> None:
        """Give the writer's thread what one turn of the event loop has brought: to wake it costs more than a write."""
        gathered, self._gathered = self._gathered, []
        for start in range(0, len(gathered), GROUP):
            self._queue.put(gathered[start : start + GROUP])

    async def _read(self, read: Callable[[], T]) -> T:
        with file.translated(self._path):
            return await self._loop.run_in_executor(self._readers, read)

    async def _in_writer(self, act: Callable[[], T]) -> T:
        """Run something on the writer's thread, between two commits."""
        self._check(0)
        done: asyncio.Future[T] = self._loop.create_future()

        def run() -> None:
            try:
                with file.translated(self._path):
                    result = act()
            except Exception as error:  # handed to the one who waits
                self._loop.call_soon_threadsafe(_fail, done, error)
            else:
                self._loop.call_soon_threadsafe(_succeed, done, result)

        self._hand_over()
        self._queue.put(run)
        return await done

    def _check(self, revision: int) -> None:
        if not self._open:
            raise Closed("the store is closed")
        if revision and revision < self.compacted:
            raise Compacted(self.compacted)
        if revision > self.revision:
            raise Future(revision, self.revision)

    async def _older(self, after: int) -> list[Event]:
        """Events that the feed no longer holds, from the file."""
        if after < self.compacted:
            raise Compacted(self.compacted)
        last = self.revision
        rows = await self._read(lambda: self._rows(sql.EVENTS, (after, BATCH)))
        if after < self.compacted:
            raise Compacted(self.compacted)
        return [_event(row) for row in rows if row[3] <= last]

    def _rows(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return self._reader.execute(statement, values).fetchall()

    def _snapshot(self, prefix: str, revision: int, after: str, limit: int) -> tuple[int, list[tuple[Any, ...]]]:
        span = (after, prefix, prefix + "\U0010ffff")
        if revision:
            return revision, self._rows(sql.RANGE_AT, (*span, revision, limit))
        with self._reader:  # one transaction: the rows and the revision they belong to
            at, rows = self._reader.execute(sql.REVISION).get, self._rows(sql.RANGE, (*span, limit))
        return at, rows

    def _work(self) -> None:
        """The writer's thread: commit what has arrived, again and again, until told to stop."""
        while True:
            item = self._queue.get()
            if item is None:
                return
            if not isinstance(item, list):
                item()
                continue
            group, stop, held = self._group(item)
            outcome = commit(self._writer, self._newest, group, self._next, self._path)
            self._next += len(outcome.events) or len(group)  # a failed commit's revisions are not used again
            try:
                self._loop.call_soon_threadsafe(self._finish, outcome)
            except RuntimeError:  # the loop is gone, and with it whoever waited
                return
            if held:
                held()
            if stop:
                return

    def _group(self, group: list[Write]) -> tuple[list[Write], bool, Callable[[], None] | None]:
        """The writes that have arrived by now; ends before whatever else stands in the queue, which is returned too."""
        while len(group) < GROUP:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return group, True, None
            if not isinstance(item, list):
                return group, False, item
            group += item
        return group, False, None

    def _finish(self, outcome: Outcome) -> None:
        """Publish a commit, then acknowledge its writes; on the event loop."""
        if outcome.events and not self._feed.closed:
            self._feed.publish(outcome.events)
        for done, revision in outcome.written:
            _succeed(done, revision)
        for done, error in outcome.refused:
            _fail(done, error)


async def open_sqlite(path: Path) -> SqliteStore:
    """Open or make the store in a file; raises InUse, Corrupt, TooNew or Failed and then leaves nothing open."""

    return SqliteStore(await asyncio.get_running_loop().run_in_executor(None, file.open_store, path))


def _event(row: tuple[Any, ...]) -> Event:
    deleted, key, value, revision, created, before, previous = row
    return Event("delete" if deleted else "put", key, value, revision, created, before, previous)


def _succeed(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[T], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
