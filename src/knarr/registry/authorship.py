"""Who wrote what and when, of the last writes: what the log of the store, which knows only bytes, does not tell.

It is in memory alone, and as bounded as history is; `knarr history` shows it.
"""

from collections import OrderedDict
from contextvars import ContextVar

import msgspec

from knarr.meta import clock

KEPT = 20_000  #: writes


class Author(msgspec.Struct, frozen=True):
    """Who has a request carried out: the field manager that the client names, and the user."""

    manager: str = "knarr"
    user: str = "system:apiserver"


SERVER = Author()  #: the API server itself
AUTHOR: ContextVar[Author] = ContextVar("author", default=SERVER)  #: of the request that is being answered


class Authorship:
    """By revision, the author and the time of a write, in seconds since the epoch."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._writes: OrderedDict[int, tuple[Author, float]] = OrderedDict()  # a dict is slow to give up its first

    def note(self, revision: int) -> None:
        """Remember who has just written."""
        self._writes[revision] = AUTHOR.get(), clock.unix()
        if len(self._writes) > self._kept:
            self._writes.popitem(last=False)

    def of(self, revision: int) -> tuple[Author, float] | None:
        """Who wrote a revision, and when; None when that is forgotten."""
        return self._writes.get(revision)
