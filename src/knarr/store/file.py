"""Opening a SQLite store's file: its lock, its schema, and what can be wrong with it. Runs in the driver's threads."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from knarr.store import sql
from knarr.store.store import Corrupt, Failed, InUse, TooNew

CHECKED = 64 * 1024 * 1024  #: files up to this many bytes are checked whole when opened; larger ones as they are read


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into the store's."""
    try:
        yield
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise Corrupt(f"{path} is damaged or not a knarr store: {error}") from error
    except apsw.Error as error:
        raise Failed(f"{path}: {error}") from error


@dataclass(frozen=True, slots=True)
class Opened:
    """A store's file, locked and open, and where its log stands."""

    path: Path
    descriptor: int
    writer: apsw.Connection
    reader: apsw.Connection
    revision: int
    compacted: int


def open_store(path: Path) -> Opened:
    """Lock and open a store; when that fails, nothing stays open."""
    with ExitStack() as undo:
        descriptor = _lock(path)
        undo.callback(os.close, descriptor)
        os.close(private(path))  # made here, for SQLite would let everybody read it
        with translated(path):
            writer = apsw.Connection(str(path), statementcachesize=400)
            undo.callback(writer.close)
            _prepare(writer, path)
            reader = _reader(path)
            undo.callback(reader.close)
            revision, compacted = writer.execute(sql.REVISION).get, writer.execute(sql.COMPACTED).get
        undo.pop_all()
    return Opened(path, descriptor, writer, reader, revision, compacted)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a store that stays closed; InUse when another process has it."""
    descriptor = _lock(path)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path) -> int:
    """Take the store for this process and return the descriptor that holds it; the lock dies with the process."""
    descriptor = private(path.with_name(path.name + ".lock"))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise InUse(f"{path} is in use by another process") from error
    return descriptor


def private(path: Path) -> int:
    """Open a file for this user alone; it is made when it is not there."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Failed(f"{path} cannot be opened: {error.strerror}") from error


def _reader(path: Path) -> apsw.Connection:
    """A connection for snapshots beside the writer."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(5000)
    connection.execute("PRAGMA query_only=1")
    return connection


def _prepare(connection: apsw.Connection, path: Path) -> None:
    connection.set_busy_timeout(5000)
    connection.execute(sql.SETUP)
    connection.execute(sql.OPEN)
    with connection:
        if not connection.execute("SELECT count(*) FROM sqlite_master").get:
            connection.execute(sql.CREATE)
            return
    check(connection, path)


def check(connection: apsw.Connection, path: Path) -> None:
    """Raise Corrupt or TooNew when an open file is no store that this version can use."""
    application, version = connection.pragma("application_id"), connection.pragma("user_version")
    if application != sql.APPLICATION:
        raise Corrupt(f"{path} is an SQLite file but not a knarr store")
    if version > sql.SCHEMA:
        raise TooNew(f"{path} was written by a newer knarr (format {version}, this one knows up to {sql.SCHEMA})")
    if path.stat().st_size <= CHECKED and (finding := connection.execute("PRAGMA quick_check(1)").get) != "ok":
        raise Corrupt(f"{path} is damaged: {finding}")
