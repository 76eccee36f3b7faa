"""What stands in a Table's cells, worded as upstream's printers word it: ages, label lists, access modes.

Called by the `row` functions of the kinds. Every age is relative to the `now` the row was given.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from knarr.kinds.types import core_v1, meta_v1
from knarr.meta import clock

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400

ACCESS_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def duration(seconds: float) -> str:
    """A length of time with two or three digits of precision: "81s", "4m2s", "22d"."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 2 * MINUTE:
        return f"{max(whole, 0)}s"
    if whole < 10 * MINUTE:
        return _two(whole // MINUTE, "m", whole % MINUTE, "s")
    if whole < 3 * HOUR:
        return f"{whole // MINUTE}m"
    if whole < 8 * HOUR:
        return _two(whole // HOUR, "h", whole % HOUR // MINUTE, "m")
    if whole < 2 * DAY:
        return f"{whole // HOUR}h"
    if whole < 8 * DAY:
        return _two(whole // DAY, "d", whole % DAY // HOUR, "h")
    if whole < 2 * YEAR:
        return f"{whole // DAY}d"
    if whole < 8 * YEAR:
        return _two(whole // YEAR, "y", whole % YEAR // DAY, "d")
    return f"{whole // YEAR}y"


def _two(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"


def since(timestamp: str, now: datetime) -> str:
    """How long ago a timestamp was, `<unknown>` when unset."""
    return duration(clock.since(timestamp, now).total_seconds()) if timestamp else UNKNOWN


class Dated(Protocol):
    """Any object: its metadata knows when it was created."""

    @property
    def metadata(self) -> meta_v1.ObjectMeta: ...


def age(obj: Dated, now: datetime) -> str:
    """How old an object is."""
    return since(obj.metadata.creationTimestamp, now)


def labels(pairs: Mapping[str, str]) -> str:
    """Labels or a plain selector: "a=b,c=d"."""
    return ",".join(f"{key}={pairs[key]}" for key in sorted(pairs)) or NONE


def containers(containers: Iterable[core_v1.Container]) -> tuple[str, str]:
    """The names and the images of containers, each comma-separated."""
    listed = list(containers)
    return ",".join(c.name for c in listed), ",".join(c.image for c in listed)


def access_modes(modes: Iterable[str]) -> str:
    """Access modes in short form, in upstream's order."""
    given = set(modes)
    return ",".join(short for mode, short in ACCESS_MODES.items() if mode in given)
