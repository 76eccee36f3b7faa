"""The one door to time and randomness: nothing else reads a clock, draws a number or makes a UID.

Waiting is not here: it is on the running event loop's clock (`asyncio.sleep`, `loop.call_later`).
`knarr.testing` installs a `Clock` of its own, so a whole cluster runs on virtual time with a seed.
"""

import os
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from typing import Protocol

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  #: upstream's alphabet of generated suffixes: no vowels, no look-alikes

LETTER = len(ALPHABET).bit_length()  #: bits that one of its letters takes
PAGE = 4096  #: bytes of randomness that are drawn at once
_VERSION_4 = 0x4000_8000_0000_0000_0000  #: the bits that say version 4 and RFC 9562's variant
_CLEAR = ~0xF000_C000_0000_0000_0000


class Clock(Protocol):
    """Where time and randomness come from."""

    rng: random.Random

    def now(self) -> float:
        """Seconds since the epoch."""


class Drawn(random.SystemRandom):
    """The system's randomness, drawn by the page: a name takes five numbers, and each draw is a system call."""

    def __init__(self) -> None:
        super().__init__()
        self._page = BytesIO()
        os.register_at_fork(after_in_child=self._turn)

    def _turn(self) -> None:
        self._page = BytesIO(os.urandom(PAGE))

    def getrandbits(self, k: int) -> int:
        """A number of k bits; no two threads, nor parent and child, get the same: a read of the page is one step."""
        size = (k + 7) // 8
        if k < 0 or size > PAGE:
            return super().getrandbits(k)
        while len(drawn := self._page.read(size)) < size:
            self._turn()
        return int.from_bytes(drawn) >> (size * 8 - k)


@dataclass
class RealClock:
    """The machine's clock and an unpredictable generator."""

    rng: random.Random = field(default_factory=Drawn)

    def now(self) -> float:
        return time.time()


class _InUse(threading.local):
    """A clock for each thread: a cluster on virtual time in one leaves another thread's cluster on real time."""

    clock: Clock = RealClock()


_in_use = _InUse()


def use(clock: Clock) -> Clock:
    """Install a clock in this thread; return the one it replaces."""
    previous, _in_use.clock = _in_use.clock, clock
    return previous


def current() -> Clock:
    """The clock that is in use in this thread."""
    return _in_use.clock


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.fromtimestamp(_in_use.clock.now(), UTC)


def unix() -> float:
    """The current time in seconds since the epoch."""
    return _in_use.clock.now()


def rng() -> random.Random:
    """The source of names and jitter. Never of secrets: those come from `secrets` or cryptography."""
    return _in_use.clock.rng


def uid() -> str:
    """A random (version 4) UUID."""
    text = f"{_in_use.clock.rng.getrandbits(128) & _CLEAR | _VERSION_4:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def suffix(length: int = 5) -> str:
    """A random suffix as upstream's `generateName` appends."""
    rng, letters = _in_use.clock.rng, ""
    while len(letters) < length:  # as `choice` draws them, which takes four times as long
        if (drawn := rng.getrandbits(LETTER)) < len(ALPHABET):
            letters += ALPHABET[drawn]
    return letters


def timestamp(when: datetime | None = None) -> str:
    """A metav1.Time: RFC 3339, UTC, whole seconds."""
    return stamp(when.timestamp() if when is not None else _in_use.clock.now())


def stamp(seconds: float) -> str:
    """The metav1.Time of a time in seconds since the epoch."""
    return _stamp(int(seconds // 1))


@lru_cache(64)
def _stamp(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}Z"


def micro_timestamp(when: datetime | None = None) -> str:
    """A metav1.MicroTime: RFC 3339, UTC, six fractional digits."""
    return f"{(when or now()).isoformat(timespec='microseconds')[:26]}Z"


def parse(text: str) -> datetime:
    """Read an RFC 3339 time; raise ValueError when it is none."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return when.astimezone(UTC)


def since(text: str, when: datetime) -> timedelta:
    """How long before `when` the timestamp `text` lies."""
    return when - parse(text)
