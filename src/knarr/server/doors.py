"""Who may come in: how many connections there are at once, altogether and from one address. `http` has one for each
of its sockets.

Up to `MOST` are served; a few more are told that there are too many (429, as busy API servers say), the rest are closed
unread. No address has more than half of them, so that one pod cannot keep the others out. When it gets full, those that
have been idle longest are closed first.
"""

import resource
from collections import Counter

MOST = 8192  #: connections that are served at once
TOLD = 64  #: connections beyond that get an answer
SPARE = 512  #: file descriptors that are left for everything else
DESCRIPTORS = 65536  #: as many as this are asked for
IDLE_ENOUGH = 10.0  #: seconds after which an idle connection may have to go
AT_ONCE = 64  #: how many then go


class Doors:
    """Counts connections by address, from the first byte of their handshake to their end."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._by_address: Counter[str] = Counter()
        self._total = 0

    @property
    def full(self) -> bool:
        return self._total >= self.most

    def crowded(self, address: str) -> bool:
        """Whether one more from there is too many to be served."""
        return self.full or self._by_address[address] >= max(1, self.most // 2)

    def closed(self, address: str) -> bool:
        """Whether one more from there is not even answered."""
        return self._total >= self.most + TOLD or self._by_address[address] >= max(1, self.most // 2) + TOLD

    def enter(self, address: str) -> None:
        self._by_address[address] += 1
        self._total += 1

    def leave(self, address: str) -> None:
        self._total -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


def most() -> int:
    """How many connections the file descriptors of this process allow; more of these are asked for first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(TOLD, min(MOST, wanted - SPARE))
