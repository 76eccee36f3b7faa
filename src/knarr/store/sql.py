# ruff: noqa: S608  (what is put into statements here is question marks and constants)
"""Every statement of the SQLite store.

`log` holds each write that is not compacted, `head` the newest write of each key that exists. A value is stored once;
an event's previous value is that of the row named by its `previous`.
"""

SCHEMA = 1  #: kept in user_version; a file with a greater one is refused
APPLICATION = 0x6B6E6172  #: "knar", kept in application_id

SETUP = "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL"

OPEN = """
PRAGMA synchronous=FULL;
PRAGMA journal_size_limit=67108864;
PRAGMA cache_size=-16384;
PRAGMA temp_store=MEMORY
"""

CREATE = f"""
CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    key      TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    deleted  INTEGER NOT NULL,
    value    BLOB    NOT NULL
);
CREATE INDEX log_key ON log (key, revision);
CREATE TABLE head (key TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE state (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO state VALUES ('compacted', 0), ('swept', 0);
PRAGMA application_id={APPLICATION};
PRAGMA user_version={SCHEMA};
"""

REVISION = "SELECT max(coalesce((SELECT max(revision) FROM log), 0), (SELECT max(number) FROM state))"
COMPACTED = "SELECT number FROM state WHERE name = 'compacted'"
SWEPT = "SELECT number FROM state WHERE name = 'swept'"

RECORD = "SELECT log.key, log.value, log.revision, log.created FROM head JOIN log USING (revision) WHERE head.key = ?"
RECORD_AT = """
SELECT * FROM (
    SELECT key, value, revision, created, deleted FROM log
    WHERE key = ? AND revision <= ? ORDER BY revision DESC LIMIT 1
) WHERE NOT deleted
"""

RANGE = """
SELECT log.key, log.value, log.revision, log.created FROM head JOIN log USING (revision)
WHERE head.key > ? AND head.key >= ? AND head.key < ? ORDER BY head.key LIMIT ?
"""
# The cross join fixes the order: keys come from the index one by one, so a limit ends the search and nothing is sorted.
RANGE_AT = """
SELECT log.key, log.value, log.revision, log.created FROM (
    SELECT key, max(revision) AS revision FROM log
    WHERE key > ? AND key >= ? AND key < ? AND revision <= ? GROUP BY key ORDER BY key
) AS newest CROSS JOIN log USING (revision) WHERE NOT log.deleted ORDER BY newest.key LIMIT ?
"""

_EVENT = """
SELECT log.deleted, log.key, log.value, log.revision, log.created, before.value, log.previous
FROM log LEFT JOIN log AS before ON before.revision = log.previous
"""
EVENTS = _EVENT + "WHERE log.revision > ? ORDER BY log.revision LIMIT ?"
HISTORY = _EVENT + "WHERE log.key = ? AND log.revision > ? ORDER BY log.revision LIMIT ?"

SET_COMPACTED = "UPDATE state SET number = ? WHERE name = 'compacted'"
SET_SWEPT = "UPDATE state SET number = ? WHERE name = 'swept'"
SWEEP_SUPERSEDED = """
DELETE FROM log WHERE revision IN (SELECT previous FROM log WHERE revision > ? AND revision <= ? AND previous > 0)
"""
SWEEP_DELETED = "DELETE FROM log WHERE revision > ? AND revision <= ? AND deleted"
NEXT_SLICE = "SELECT max(revision) FROM (SELECT revision FROM log WHERE revision > ? AND revision <= ? LIMIT ?)"
FREE_PAGES = "PRAGMA freelist_count"


def heads(count: int) -> str:
    """The newest writes of `count` keys."""
    marks = ",".join("?" * count)
    return (
        "SELECT log.key, log.value, log.revision, log.created FROM head JOIN log USING (revision) "
        f"WHERE head.key IN ({marks})"
    )


def append(count: int) -> str:
    """Add `count` writes to the log."""
    return "INSERT INTO log (revision, key, created, previous, deleted, value) VALUES " + ",".join(
        ["(?,?,?,?,?,?)"] * count
    )


def set_heads(count: int) -> str:
    """Point `count` keys at their newest write."""
    return "INSERT OR REPLACE INTO head (key, revision) VALUES " + ",".join(["(?,?)"] * count)


def drop_heads(count: int) -> str:
    """Forget `count` keys that exist no longer."""
    return f"DELETE FROM head WHERE key IN ({','.join('?' * count)})"


def vacuum(pages: int) -> str:
    """Give free pages back to the file system."""
    return f"PRAGMA incremental_vacuum({pages})"
