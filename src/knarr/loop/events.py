"""Records events without ever keeping a caller waiting or failing it: they go through a bounded queue to one writer.

Where the server is in the same process, events that wait are written together: their writes share one commit. Then,
between two writes, the writer lets others go first, until the event loop has nothing else to do: a burst of events
tells what happened, and does not hold up what still is to happen. The more events wait, the shorter its patience.

`Recorder.run` must run somewhere for events to be written. Components that share a process share the queue.
"""

import asyncio
import logging
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from knarr.client.api import Api
from knarr.client.transport import TransportError
from knarr.kinds.types.core_v1 import Event, EventSource, ObjectReference
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.correlation import Correlator, Counted
from knarr.loop.steps import reference
from knarr.meta import clock
from knarr.meta.errors import ApiError, NotFound

QUEUE_LENGTH = 10_000  #: events that wait to be written; the next is dropped
AT_ONCE = 64  #: events written at once where the server is in the same process; else each would need a connection
PATIENCE = 1.0  #: seconds at most between two writes, where nothing else waits to be written
CROWD = 5_000  #: events that wait when there is no patience left
LOOK, LATE = 0.005, 0.001  #: seconds after which the writer looks whether the loop is busy: whether it is woken late
LOOKS = 3  #: how often in a row it is woken in time when the loop is not
TRIES, TRY_SECONDS = 12, 10.0  #: how often and at what distance an unreachable server is tried, as client-go

log = logging.getLogger("knarr.loop")


class Occurrence(Struct, frozen=True):
    """What was recorded, before it is an object."""

    about: ObjectReference
    type: str
    reason: str
    message: str
    component: str
    host: str
    when: datetime


class Writer:
    """Turns occurrences into events on the server, in order, at most `together` of them at once."""

    def __init__(self, api: Api, length: int = QUEUE_LENGTH, *, together: int = 1) -> None:
        self._api, self._together = api, together
        self._queue: asyncio.Queue[Occurrence] = asyncio.Queue(length)
        self._correlator = Correlator()
        self._dropped = 0  # since the queue was last empty
        self._stamp = 0  # makes the names unique: nanoseconds, and always more than the last
        self._gone: dict[str, datetime] = {}  # namespaces, and when they were found to be no more

    def put(self, occurrence: Occurrence) -> None:
        try:
            self._queue.put_nowait(occurrence)
        except asyncio.QueueFull:
            self._dropped += 1
            if self._dropped == 1:
                log.warning("too many events, dropped: %s and those that follow", occurrence)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if self._queue.empty():
                if self._dropped:
                    log.warning("events were dropped: %d", self._dropped)
                self._dropped = 0
                self._gone.clear()
            taken, batch = self._batch(await self._queue.get())
            began = loop.time()
            if batch:
                await self._deliver_all(batch)
            for _ in range(taken):
                self._queue.task_done()
            if self._together > 1 and loop.time() > began:  # not so on virtual time, where a write takes none
                await self._let_others_go_first()

    async def _let_others_go_first(self) -> None:
        loop = asyncio.get_running_loop()
        began, in_time = loop.time(), 0
        while in_time < LOOKS and loop.time() - began < PATIENCE * (1 - self._queue.qsize() / CROWD):
            looked = loop.time()
            await asyncio.sleep(LOOK)
            in_time = in_time + 1 if loop.time() - looked < LOOK + LATE else 0

    def _batch(self, occurrence: Occurrence) -> tuple[int, list[Counted]]:
        """How many occurrences are taken from the queue, this one among them, and what of them is to be written at
        once. An event that changes another ends the batch: that one may be in it.
        """
        taken, batch = 1, list[Counted]()
        while True:
            counted = None if self._is_late(occurrence) else self._counted(occurrence)
            if counted is not None:
                batch.append(counted)
            if taken == self._together or self._queue.empty() or (counted is not None and counted.again):
                return taken, batch
            occurrence, taken = self._queue.get_nowait(), taken + 1

    def _counted(self, occurrence: Occurrence) -> Counted | None:
        self._stamp = max(self._stamp + 1, int(occurrence.when.timestamp() * 1e9))
        return self._correlator.count(event_of(occurrence, self._stamp), occurrence.when.timestamp())

    async def _deliver_all(self, batch: list[Counted]) -> None:
        """Write new events at the same time, and one that changes another, which can be the last alone, after them."""
        *first, last = batch
        if first:
            async with asyncio.TaskGroup() as tasks:
                for counted in first if last.again else batch:
                    tasks.create_task(self._deliver(counted), name="event")
        if last.again or not first:
            await self._deliver(last)

    def _is_late(self, occurrence: Occurrence) -> bool:
        """Whether it happened in a namespace that is no more: thousands may wait of one that went."""
        if not self._gone:
            return False
        gone = self._gone.get(occurrence.about.namespace)
        if gone is not None and occurrence.when > gone:
            del self._gone[occurrence.about.namespace]  # it is there again
            return False
        return gone is not None

    async def flush(self) -> None:
        """Return when everything recorded so far was written or given up."""
        await self._queue.join()

    async def _deliver(self, counted: Counted) -> None:
        for tries_left in reversed(range(TRIES)):
            try:
                self._correlator.written(counted.key, await self._write(counted))
                return
            except ApiError as error:
                log.debug("event refused: %s (%s)", error, counted.event.message)
                if isinstance(error, NotFound) and error.kind == "namespaces":
                    self._gone[counted.event.metadata.namespace] = clock.now()
                return
            except TransportError as error:
                if not tries_left:
                    log.warning("event lost: %s (%s)", error, counted.event.message)
                    return
            await asyncio.sleep(TRY_SECONDS * clock.rng().random() if tries_left == TRIES - 1 else TRY_SECONDS)

    async def _write(self, counted: Counted) -> Event:
        event = counted.event
        if counted.again:
            patch = {"count": event.count, "lastTimestamp": event.lastTimestamp, "message": event.message}
            try:
                return await self._api.patch(
                    Event, event.metadata.name, event.metadata.namespace, patch, kind="strategic"
                )
            except NotFound:
                log.debug("event %s has expired, written anew", event.metadata.name)
            event = replace(event, metadata=ObjectMeta(name=event.metadata.name, namespace=event.metadata.namespace))
        await self._api.tell(event)
        return event


class Recorder:
    """Records events as one component. `together`: see `Writer`."""

    def __init__(
        self, api: Api, component: str, host: str = "", writer: Writer | None = None, *, together: int = 1
    ) -> None:
        self.component, self.host = component, host
        self._writer = writer or Writer(api, together=together)
        self._api = api

    def named(self, component: str, host: str = "") -> "Recorder":
        """A recorder for another component that shares this one's queue."""
        return Recorder(self._api, component, host, self._writer)

    async def event(self, obj: Any, type_: str, reason: str, message: str) -> None:
        """Record. `obj` is an object or an ObjectReference; `type_` is Normal or Warning."""
        self.note(obj, type_, reason, message)

    def note(self, obj: Any, type_: str, reason: str, message: str) -> None:
        """Record, where nothing can be awaited."""
        about = reference(obj)
        self._writer.put(Occurrence(about, type_, reason, message, self.component, self.host, clock.now()))

    async def run(self) -> None:
        """Write what is recorded, until cancelled."""
        await self._writer.run()

    async def flush(self) -> None:
        await self._writer.flush()


def event_of(occurrence: Occurrence, stamp: int) -> Event:
    """The event that is written when it is the first of its sort; `stamp` makes its name."""
    about = occurrence.about
    when = clock.timestamp(occurrence.when)
    return Event(
        metadata=ObjectMeta(name=f"{about.name}.{stamp:016x}", namespace=about.namespace or "default"),
        involvedObject=about,
        type=occurrence.type,
        reason=occurrence.reason,
        message=occurrence.message,
        source=EventSource(component=occurrence.component, host=occurrence.host),
        reportingComponent=occurrence.component,
        reportingInstance=occurrence.host,
        firstTimestamp=when,
        lastTimestamp=when,
        count=1,
    )
