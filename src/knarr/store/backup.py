"""Copies of a SQLite store's file: taken while it is written to, and put back. Blocking: call it from a thread.

A store that was put back has a greater revision than the one it replaces, and no history before it: whoever watches
from, or lists at, a revision that he saw is told `Compacted`, and no revision is ever given to two writes.
"""

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import apsw

from knarr.store import file, sql
from knarr.store.store import Failed


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a store as `look` finds it."""

    revision: int
    size: int  #: bytes
    taken: float  #: seconds since the epoch


def save(source: Path, target: Path) -> int:
    """Copy a store as of one commit, whoever has it open; give its revision. The target must not be there."""
    if target.exists():
        raise Failed(f"{target} is there already")
    temporary = target.with_name(target.name + ".new")
    temporary.unlink(missing_ok=True)
    try:
        with file.translated(source), closing(_open(source)) as reader:
            os.close(file.private(temporary))
            with closing(apsw.Connection(str(temporary))) as writer:
                with writer.backup("main", reader, "main") as copying:
                    while not copying.done:
                        copying.step()
                writer.pragma("journal_mode", "delete")
                revision: int = writer.execute(sql.REVISION).get
        _sync(temporary)
        temporary.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise Failed(f"{target}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return revision


def look(copy: Path) -> Copy:
    """What a copy is of; raises Corrupt or TooNew when no store can be made of it."""
    with file.translated(copy), closing(_open(copy)) as reader:
        file.check(reader, copy)
        revision: int = reader.execute(sql.REVISION).get
    known = copy.stat()
    return Copy(revision, known.st_size, known.st_mtime)


def load(copy: Path, store: Path) -> int:
    """Put a copy in a store's place, which nobody has open; give the revision that the store now begins at.

    When it fails, at whatever moment, the store is the old or the new one, whole. InUse when somebody has it open.
    """
    look(copy)
    with file.locked(store):
        last = _settle(store)
        temporary = store.with_name(store.name + ".new")
        temporary.unlink(missing_ok=True)
        try:
            save(copy, temporary)
            with file.translated(temporary), closing(apsw.Connection(str(temporary))) as writer, writer:
                revision: int = max(last, writer.execute(sql.REVISION).get) + 1
                writer.execute(sql.SET_COMPACTED, (revision,))
            _sync(temporary)
            temporary.replace(store)
            _sync(store.parent)
        except OSError as error:
            raise Failed(f"{store}: {error}") from error
        finally:
            temporary.unlink(missing_ok=True)
    return revision


def _settle(store: Path) -> int:
    """Write what waits in a store's log into its file, so that no log of it is left; give its last revision."""
    if not store.exists():
        return 0
    with file.translated(store), closing(apsw.Connection(str(store))) as connection:
        revision: int = connection.execute(sql.REVISION).get
        connection.pragma("journal_mode", "delete")
    return revision


def _open(path: Path) -> apsw.Connection:
    if not path.is_file():
        raise Failed(f"{path}: no such file")
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(5000)
    connection.execute("PRAGMA query_only=1")
    return connection


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
