"""Lists that are asked for again: the entries and the JSON of whole pages, kept while nothing in them changes.

Many clients ask for the same list, and a list of thousands takes longer to join than to send. What is kept is bounded,
is told apart by the resource's own count of changes, and only begins with the second request for the same page.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from knarr.registry.entry import META, Entry

KEPT = 32 * 1024 * 1024  #: bytes of JSON that are kept for all pages together
PAGES = 256  #: pages whose entries are kept

Key = tuple[str, str, str, int]  #: the resource's prefix, the namespace, the key before the page, its limit


class Joined(bytes):
    """A list's JSON with its line's end, the same object for all who ask. `packed` is its gzip once one was made."""

    head: bytes = b""  #: what comes before the items
    packed: bytes = b""


@dataclass(slots=True)
class Kept:
    """A page as of one state of its resource. `join` may run in a thread."""

    state: int
    entries: list[Entry]
    more: bool  #: whether another page follows
    asked: int = 0
    body: Joined | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)  #: whoever waits for it gets what the holder joined

    def joined(self, head: bytes) -> Joined | None:
        """The page's JSON with this head, when it is there already."""
        body = self.body
        return body if body is not None and body.head == head else None

    def join(self, head: bytes) -> bytes:
        """The page's JSON with this head; the items are joined once, and only kept when they are asked for again."""
        with self.lock:
            if (body := self.joined(head)) is not None:
                return body
            if self.body is not None:
                body = Joined(b"".join((head, memoryview(self.body)[len(self.body.head) :])))
            else:
                fresh = together(head, self.entries)
                if self.asked < 2 or len(fresh) > KEPT:
                    return fresh
                body = Joined(fresh)
            body.head = head
            self.body = body
            return body


def together(head: bytes, entries: list[Entry]) -> bytes:
    """A list's JSON in one copy: pieces of their own would leave the threads' heaps full of holes."""
    if not entries:
        return head + b',"items":[]}\n'
    parts: list[bytes | memoryview] = [memoryview(entry.raw)[entry.raw.index(META) :] for entry in entries]
    parts[0] = b'%b,"items":[{%b' % (head, bytes(parts[0]))
    parts[-1] = b"%b]}\n" % bytes(parts[-1])
    return b",{".join(parts)


class Pages:
    """The pages that were asked for last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Kept] = OrderedDict()

    def find(self, key: Key, state: int) -> Kept | None:
        """A page, if its resource has not changed since."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.state != state:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        kept.asked += 1
        return kept

    def keep(self, key: Key, kept: Kept) -> None:
        """Remember a page, in place of the one before it."""
        kept.asked = 1
        self._kept[key] = kept
        self._kept.move_to_end(key)
        size = sum(len(other.body) for other in self._kept.values() if other.body is not None)
        while len(self._kept) > PAGES or (size > KEPT and len(self._kept) > 1):
            _, dropped = self._kept.popitem(last=False)
            size -= len(dropped.body or b"")
