"""What a controller has done that its cache does not show yet, so that a stale cache never makes it do it twice.

A controller states what it is about to do, tells every creation and deletion that it hears of, and plans for a key only
when `satisfied`. What never shows is given up after upstream's five minutes. A deletion that the controller did not ask
for puts the owner in doubt: the garbage collector may have found it gone, which the cache of owners does not show yet.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 300.0  #: seconds

Key = tuple[str, str]


@dataclass
class Expected:
    since: float
    creations: int = 0
    deletions: set[str] = field(default_factory=set)


class Expectations:
    def __init__(self) -> None:
        self._expected: dict[Key, Expected] = {}
        self._doubted: set[Key] = set()

    def satisfied(self, key: Key) -> bool:
        """Whether the cache can be believed for this key."""
        expected = self._expected.get(key)
        if expected is None:
            return True
        if expected.creations <= 0 and not expected.deletions:
            return True
        return asyncio.get_running_loop().time() - expected.since > PATIENCE

    def expect(self, key: Key, creations: int = 0, deletions: Iterable[str] = ()) -> None:
        """Say, before doing it, how many objects will be created and which uids deleted."""
        now = asyncio.get_running_loop().time()
        self._expected[key] = Expected(now, creations, set(deletions))

    def created(self, key: Key, count: int = 1) -> None:
        """A creation was seen, or failed and will not be."""
        if (expected := self._expected.get(key)) is not None:
            expected.creations -= count

    def deleted(self, key: Key, uid: str) -> None:
        """A deletion was seen, or failed and will not be. An object with a deletion time counts as deleted."""
        if (expected := self._expected.get(key)) is not None:
            expected.deletions.discard(uid)

    def forget(self, key: Key) -> None:
        """The owner is gone."""
        self._expected.pop(key, None)
        self._doubted.discard(key)

    def doubted(self, key: Key) -> bool:
        """Whether an object was deleted by somebody else since the owner was last looked at."""
        return key in self._doubted

    def doubt(self, key: Key) -> None:
        self._doubted.add(key)

    def trust(self, key: Key) -> None:
        """The owner is looked at now."""
        self._doubted.discard(key)

    def observe(self, owner_kind: str, old: Any, new: Any) -> None:
        """Take in a change of an object that an owner of this kind manages."""
        obj = old if new is None else new
        for owner in obj.metadata.ownerReferences:
            if owner.controller and owner.kind == owner_kind:
                key = (obj.metadata.namespace, owner.name)
                if old is None:
                    self.created(key)
                if new is None or new.metadata.deletionTimestamp:
                    if not self._awaited(key, obj.metadata.uid) and not _was_leaving(old):
                        self.doubt(key)
                    self.deleted(key, obj.metadata.uid)

    def _awaited(self, key: Key, uid: str) -> bool:
        expected = self._expected.get(key)
        return expected is not None and uid in expected.deletions


def _was_leaving(obj: Any) -> bool:
    return obj is not None and bool(obj.metadata.deletionTimestamp)
