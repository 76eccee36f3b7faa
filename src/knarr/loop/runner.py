"""Runs a controller: what changed wakes keys, workers reconcile them, failures come back later.

A controller is data: what it watches and which keys a change wakes, and `sync`, which brings one key nearer its spec
from the snapshot. A pass that fails half-way is tried again; one key's failure never ends the controller.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from knarr.client.api import Api
from knarr.client.cache import Cache
from knarr.client.informer import Informer, Informers
from knarr.client.transport import TransportError
from knarr.kinds.types.base import Type
from knarr.loop.again import again_when_failed
from knarr.loop.events import Recorder
from knarr.loop.executor import is_namespace_ending
from knarr.loop.managed import Managed
from knarr.loop.queue import LONGEST_DELAY, WorkQueue
from knarr.loop.waits import Waits
from knarr.meta import clock
from knarr.meta.errors import AlreadyExists, ApiError, Conflict, Forbidden, NotFound

T = TypeVar("T", bound=Type)
Key = tuple[str, str]  #: namespace and name
REFUSED_EVERY = 60.0  #: seconds between warnings that a controller may not do what it has to

log = logging.getLogger("knarr.loop")


@dataclass(frozen=True)
class Context:
    """What a controller works with."""

    api: Api
    informers: Informers
    recorder: Recorder
    waits: Waits = field(default_factory=Waits)  #: what all of them wait for
    _caches: dict[type[Any], Cache[Any]] = field(default_factory=dict, repr=False)  #: of whole collections
    _managed: dict[Informer[Any], Managed] = field(default_factory=dict, repr=False)

    def cache(self, type_: type[T], **scope: str) -> Cache[T]:
        """What is known of a type's objects; of use once the informer is synced, as a controller's sources are."""
        if scope:
            return self.informers.of(type_, **scope).cache
        if (known := self._caches.get(type_)) is None:
            known = self._caches[type_] = self.informers.of(type_).cache
        return known

    def managed(self, informer: Informer[Any]) -> Managed:
        """Who tells the changes of an informer's objects by the kind that manages them."""
        if (known := self._managed.get(informer)) is None:
            known = self._managed[informer] = Managed(informer)
        return known


Between = Callable[[Any, Any, Context], Iterable[Key]]


def itself(obj: Any) -> Iterable[Key]:
    """The key of the object that changed."""
    return [(obj.metadata.namespace, obj.metadata.name)]


def controlled_by(kind: str) -> Callable[[Any], Iterable[Key]]:
    """The key of the `kind` that manages the object that changed."""

    def keys(obj: Any) -> Iterable[Key]:
        return [
            (obj.metadata.namespace, owner.name)
            for owner in obj.metadata.ownerReferences
            if owner.controller and owner.kind == kind
        ]

    return keys


def no_keys(obj: Any) -> Iterable[Key]:
    return ()


def any_change(old: Any, new: Any) -> bool:
    return True


@dataclass(frozen=True)
class Source:
    """A collection to watch, and the keys that a change of one of its objects wakes: by the object alone, or `related`
    by what else is known. Of a change, the keys of the old and of the new object are woken, if it `matters`. `between`
    gives keys by what differs between the two, either of which may be None. Objects that another kind than `manager`
    manages may be left out."""

    type: type[Any]
    keys: Callable[[Any], Iterable[Key]] = no_keys
    related: Callable[[Any, Context], Iterable[Key]] | None = None
    matters: Callable[[Any, Any], bool] = any_change
    between: Between | None = None
    manager: str = ""
    namespace: str = ""
    labels: str = ""
    fields: str = ""


Result = float | datetime | None
Enqueue = Callable[[Key], None]


@dataclass(frozen=True)
class Controller:
    """One controller. `sync` gives the seconds or the time until it should look again, None if an event will tell.

    `background`, if any, runs beside the workers, with a function that wakes a key. `observe`, if any, hears of every
    change before the keys are woken: for the expectations that some controllers keep.
    """

    name: str  #: "statefulset"; its events come from the component "statefulset-controller"
    sources: Sequence[Source]
    sync: Callable[[Key, Context], Awaitable[Result]]
    background: Callable[[Context, Enqueue], Awaitable[None]] | None = None
    observe: Callable[[Any, Any], None] | None = None
    #: index name and key function by type, made before the first sync
    indexes: Sequence[tuple[type[Any], str, Callable[[Any], Iterable[Hashable]]]] = ()
    component: str = ""  #: of its events, where it is not the name and "-controller"
    workers: int = 0  #: keys at a time, where it is to be more than other controllers have
    longest: float = LONGEST_DELAY  #: seconds that a key which fails waits at most


async def run(controller: Controller, context: Context, workers: int = 5) -> None:
    """Run until cancelled: wait for the sources' caches, then reconcile."""
    queue: WorkQueue[Key] = WorkQueue(longest=controller.longest)
    refusals = Refusals()
    recorder = context.recorder.named(controller.component or f"{controller.name}-controller")
    context = replace(context, recorder=recorder)
    try:
        await _connect(controller, context, queue)
        async with asyncio.TaskGroup() as tasks:
            for number in range(max(workers, controller.workers)):
                tasks.create_task(_work(controller, context, queue, refusals), name=f"{controller.name} {number}")
            if controller.background is not None:
                tasks.create_task(_background(controller, context, queue), name=f"{controller.name} background")
    finally:
        queue.close()


async def run_all(controllers: Iterable[Controller], context: Context, workers: int = 5) -> None:
    """Run controllers beside each other, and the writer of their events, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(context.recorder.run(), name="events")
        for controller in controllers:
            tasks.create_task(run(controller, context, workers), name=controller.name)


async def _connect(controller: Controller, context: Context, queue: WorkQueue[Key]) -> None:
    """Make the sources' changes wake keys. Keys are first told when all caches are there: `related` reads them."""
    informers: list[tuple[Source, Informer[Any]]] = [
        (
            source,
            context.informers.of(source.type, namespace=source.namespace, labels=source.labels, fields=source.fields),
        )
        for source in controller.sources
    ]
    for type_, index, key in controller.indexes:
        context.cache(type_).add_index(index, key)
    for _, informer in informers:
        await informer.wait_synced()
    for source, informer in informers:
        listener = _listener(controller, context, queue, source)
        if source.manager:
            context.managed(informer).on_change(source.manager, listener)
        else:
            informer.on_change(listener)


def _listener(
    controller: Controller, context: Context, queue: WorkQueue[Key], source: Source
) -> Callable[[Any, Any], None]:
    observe, told = controller.observe, source.between or _by_either(source)
    matters = None if source.matters is any_change else source.matters

    def wake(old: Any, new: Any) -> None:  # called for every change, by every controller
        if observe is not None:
            observe(old, new)
        if matters is not None and old is not None and new is not None and not matters(old, new):
            return
        for key in told(old, new, context):
            queue.add(key)  # once, however often it is told

    return wake


def _by_either(source: Source) -> Between:
    """The keys by what an object was, and by what it is."""
    keys, related = source.keys, source.related

    def told(old: Any, new: Any, context: Context) -> Iterable[Key]:
        if old is None or new is None:
            return keys(new or old)
        return (*keys(old), *keys(new))

    def told_of_all(old: Any, new: Any, context: Context) -> Iterable[Key]:
        assert related is not None, "else there is nothing but the keys"
        both = told(old, new, context)
        if old is None or new is None:
            return (*both, *related(new or old, context))
        return (*both, *related(old, context), *related(new, context))

    return told if related is None else told_of_all


class Refusals:
    """Tells which of a controller's refusals are worth a warning: that it may not do its work has to be said, but
    whoever may not does not, again and again, for each of its keys.
    """

    def __init__(self) -> None:
        self._told = -math.inf  # in the running loop's time

    def level(self, error: Exception) -> int:
        """The log level of a pass's failure."""
        if isinstance(error, Forbidden) and not is_namespace_ending(error):
            now = asyncio.get_running_loop().time()
            if now - self._told < REFUSED_EVERY:
                return logging.DEBUG
            self._told = now
            return logging.WARNING
        routine = isinstance(error, (Conflict, Forbidden, NotFound)) and not isinstance(error, AlreadyExists)
        return logging.DEBUG if routine else logging.WARNING


async def _work(controller: Controller, context: Context, queue: WorkQueue[Key], refusals: Refusals) -> None:
    while True:
        key = await queue.get()
        try:
            with context.waits.of_pass(controller.name, key):
                again = await controller.sync(key, context)
        except (ApiError, TransportError, ExceptionGroup) as error:
            level, delay = refusals.level(error), queue.retry(key)
            log.log(level, "%s %s/%s: %s; again in %.3f s", controller.name, *key, error, delay)
        except Exception:  # a fault in a controller: one key's pass is lost, the others go on
            log.exception("%s %s/%s failed", controller.name, *key)
            queue.retry(key)
        else:
            queue.forget(key)
            if again is not None:
                queue.add_after(key, seconds_until(again))
        finally:
            queue.done(key)
        await asyncio.sleep(0)  # a pass that waits for nothing must not be followed by a thousand others of its sort


async def _background(controller: Controller, context: Context, queue: WorkQueue[Key]) -> None:
    assert controller.background is not None, "only called for controllers that have one"
    background = controller.background
    await again_when_failed(f"{controller.name} background", lambda: background(context, queue.add))


def seconds_until(when: float | datetime) -> float:
    """Seconds to wait until a time, or the seconds themselves; never so short that a pass could spin."""
    if isinstance(when, datetime):
        when = (when - clock.now()).total_seconds()
    return max(when, 0.001)
