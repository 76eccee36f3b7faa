"""Snapshots of a cluster: copies of its store in the data directory, and the way back to one of them."""

import re
from dataclasses import dataclass
from pathlib import Path

from knarr.app import agents, lookup, shutdown, startup
from knarr.app.config import Cluster, ConfigError
from knarr.store import backup
from knarr.store.store import Store, StoreError

NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
ENDING = ".db"
SECONDS = 600.0  #: a copy may take


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot: its name, and what it is a copy of."""

    name: str
    copy: backup.Copy


def path(cluster: Cluster, name: str) -> Path:
    """Where the snapshot of that name is, or is to be; ConfigError for a bad name."""
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"snapshot name {name!r}: must be 1 to 63 lower case letters, digits, dots and dashes, "
            "beginning and ending with a letter or digit"
        )
    return cluster.data_dir / "snapshots" / (name + ENDING)


def existing(cluster: Cluster, name: str) -> Path:
    """Where the snapshot of that name is; ConfigError when there is none."""
    file = path(cluster, name)
    if not file.is_file():
        known = ", ".join(each.stem for each in _files(cluster)) or "none"
        raise ConfigError(f"cluster {cluster.name!r} has no snapshot {name!r} (known: {known})")
    return file


def save(cluster: Cluster, name: str) -> int:
    """Save the cluster as it is, running or not; give the revision of its store."""
    file = path(cluster, name)
    if cluster.store != "sqlite":
        raise ConfigError(f"cluster {cluster.name!r} keeps its state in {cluster.store}: there is no file to copy")
    if file.exists():
        raise ConfigError(f"cluster {cluster.name!r} has a snapshot {name!r} already")
    if lookup.server_alive(cluster):
        return int(str(agents.ask(cluster, {"snapshot": name}, SECONDS)))
    return _save(cluster, name)


async def save_running(cluster: Cluster, store: Store, name: str) -> int:
    """Save from within the server process; ValueError says why that cannot be."""
    import asyncio

    from knarr.store.sqlite import SqliteStore

    try:
        if not isinstance(store, SqliteStore):
            raise ConfigError(f"cluster {cluster.name!r} keeps its state in memory: there is no file to copy")
        target = path(cluster, name)
        await asyncio.to_thread(target.parent.mkdir, mode=0o700, exist_ok=True)
        return await store.backup(target)
    except (ConfigError, StoreError, OSError) as error:
        raise ValueError(str(error)) from error


def load(cluster: Cluster, name: str) -> int:
    """Go back to a snapshot; give the revision at which the cluster goes on. A server that runs is stopped meanwhile.

    Agents and pods live on: they end what the snapshot does not know, and start what it does.
    """
    file = existing(cluster, name)
    try:
        backup.look(file)  # before anything is stopped
        with startup.locked(cluster):
            alive = lookup.server_alive(cluster)
            if alive:
                shutdown.stop_processes(cluster, keep=cluster.real_names)
            try:
                return backup.load(file, cluster.data_dir / "store.db")
            finally:
                if alive:
                    startup.begin(cluster, cluster)
    except StoreError as error:
        raise ConfigError(f"snapshot {name!r} of cluster {cluster.name!r}: {error}") from error


def known(cluster: Cluster) -> list[Snapshot]:
    """All snapshots, the oldest first."""
    try:
        found = [Snapshot(file.stem, backup.look(file)) for file in _files(cluster)]
    except StoreError as error:
        raise ConfigError(str(error)) from error
    return sorted(found, key=lambda each: each.copy.taken)


def remove(cluster: Cluster, name: str) -> None:
    """Delete a snapshot."""
    existing(cluster, name).unlink()


def _files(cluster: Cluster) -> list[Path]:
    return sorted((cluster.data_dir / "snapshots").glob("*" + ENDING))


def _save(cluster: Cluster, name: str) -> int:
    target = path(cluster, name)
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        return backup.save(cluster.data_dir / "store.db", target)
    except (StoreError, OSError) as error:
        raise ConfigError(f"snapshot {name!r} of cluster {cluster.name!r}: {error}") from error
