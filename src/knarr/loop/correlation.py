"""Which events are one: the rules by which client-go's recorder counts, combines and drops events. Pure but for the
memory it keeps. Called by `knarr.loop.events`.

The same event again raises a count. From the tenth event of one reason within ten minutes whose messages differ, they
are combined under one. An object that is the subject of more than 25 events at once may have one more every 5 minutes.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from knarr.kinds.types.core_v1 import Event

MEMORY = 4096  #: keys remembered of each sort
COMBINE_AFTER, COMBINE_SECONDS = 10, 600.0
BURST, REFILL_SECONDS = 25, 300.0
COMBINED = "(combined from similar events): "

V = TypeVar("V")
Identity = tuple[str, ...]


class Recent(Generic[V]):
    """The values of the keys used last."""

    def __init__(self, most: int = MEMORY) -> None:
        self._most = most
        self._values: OrderedDict[Identity, V] = OrderedDict()

    def get(self, key: Identity) -> V | None:
        if (value := self._values.get(key)) is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Identity, value: V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)


@dataclass
class Similar:
    """The messages of one reason, and when the last came."""

    messages: dict[str, None] = field(default_factory=dict)  #: in the order of their coming
    last: float = 0.0


class Bucket(Struct):
    tokens: float
    last: float


class Counted(Struct, frozen=True):
    """An event as it is to be written: anew, or as a change of the one written before."""

    event: Event
    key: Identity
    again: bool


class Correlator:
    """Remembers what was recorded."""

    def __init__(self) -> None:
        self._buckets: Recent[Bucket] = Recent()
        self._similar: Recent[Similar] = Recent()
        self._written: Recent[Event] = Recent()

    def count(self, event: Event, now: float) -> Counted | None:
        """The event to write for `event`, or None when its object has had too many; `now` in seconds."""
        about = _subject(event)
        event, key = self._combine(event, about, now)
        if not self._allowed(about, now):
            return None
        before = self._written.get(key)
        if before is not None:
            event = replace(
                event,
                metadata=before.metadata,
                firstTimestamp=before.firstTimestamp,
                count=(before.count or 1) + 1,
            )
        self._written.put(key, event)
        return Counted(event, key, again=before is not None)

    def written(self, key: Identity, event: Event) -> None:
        """Remember how an event reads on the server."""
        self._written.put(key, event)

    def _combine(self, event: Event, about: Identity, now: float) -> tuple[Event, Identity]:
        alike = (*about, event.type, event.reason)
        similar = self._similar.get(alike)
        if similar is None or now - similar.last > COMBINE_SECONDS:
            similar = Similar()
        similar.last = now
        similar.messages[event.message] = None
        self._similar.put(alike, similar)
        if len(similar.messages) < COMBINE_AFTER:
            return event, (*alike, event.message)
        similar.messages.popitem()  # so that it stays bounded while the storm lasts
        return replace(event, message=COMBINED + event.message), alike

    def _allowed(self, about: Identity, now: float) -> bool:
        bucket = self._buckets.get(about) or Bucket(BURST, now)
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.last) / REFILL_SECONDS)
        bucket.last = now
        self._buckets.put(about, bucket)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


def _subject(event: Event) -> Identity:
    source: Any = event.source
    about = event.involvedObject
    return (source.component, source.host, about.kind, about.namespace, about.name, about.uid, about.apiVersion)
