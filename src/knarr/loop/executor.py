"""Carries out steps. Called by every controller's `sync`."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import chain, groupby

from knarr.client.api import Api, metadata
from knarr.client.transport import TransportError
from knarr.loop import waits
from knarr.loop.events import Recorder
from knarr.loop.steps import Create, Delete, Event, Note, Patch, Replace, Status, Step, Wait
from knarr.meta.errors import AlreadyExists, ApiError, NotFound

NAMESPACE_TERMINATING = "NamespaceTerminating"  #: the cause of such a refusal
log = logging.getLogger("knarr.loop")


def nobody(step: Step) -> None:
    return None


async def carry_out(
    api: Api,
    steps: Iterable[Step],
    recorder: Recorder,
    *,
    together: bool = False,
    undone: Callable[[Step], None] = nobody,
) -> datetime | None:
    """Carry out steps in order and give the earliest time that one of them waits for; the first failure ends it.

    `together` lets runs of creates, or of deletes, go at the same time: 1, then 2, 4 and so on, so that what fails for
    all fails once (upstream's slow start). `undone` hears of every step that failed or was not tried.
    """
    planned = list(steps)
    runs = [[step] for step in planned]
    if together:
        runs = [list(run) for _, run in groupby(planned, key=type)]
    queue = deque(batch for run in runs for batch in batches(run))
    while queue:
        batch = queue.popleft()
        try:
            await _carry_out_batch(api, batch, recorder, undone)
        except BaseException:
            for step in chain.from_iterable(queue):
                undone(step)
            raise
    times = [step.until for step in planned if isinstance(step, Wait) and step.until is not None]
    return min(times, default=None)


def batches(run: Sequence[Step]) -> Iterable[Sequence[Step]]:
    """The run in batches of 1, 2, 4, ..."""
    start, size = 0, 1
    while start < len(run):
        yield run[start : start + size]
        start, size = start + size, size * 2


async def _carry_out_batch(api: Api, batch: Sequence[Step], recorder: Recorder, undone: Callable[[Step], None]) -> None:
    tasks = (_carry_out_or_tell(api, step, recorder, undone) for step in batch)
    if len(batch) == 1:
        await next(tasks)
        return
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def _carry_out_or_tell(api: Api, step: Step, recorder: Recorder, undone: Callable[[Step], None]) -> None:
    try:
        await carry_out_one(api, step, recorder)
    except BaseException:
        undone(step)
        raise


async def carry_out_one(api: Api, step: Step, recorder: Recorder) -> None:
    """Carry out one step and record what its note says."""
    log.debug("%s", step)
    if isinstance(step, Wait):
        waits.add(step)
        return
    if isinstance(step, Event):
        await recorder.event(step.obj, step.type, step.reason, step.message)
        return
    note = None if isinstance(step, Status) else step.note
    try:
        name = await _act(api, step)
    except (ApiError, TransportError) as error:
        if isinstance(step, Create) and is_namespace_ending(error):
            raise  # nothing can be created there any more, and nobody need be told
        await _record(recorder, note, "Warning", metadata(step.obj).name, str(error))
        raise
    if name is not None:
        await _record(recorder, note, "Normal", name, "")


def is_namespace_ending(error: Exception) -> bool:
    """Whether an object was refused because its namespace is being deleted."""
    return isinstance(error, ApiError) and any(cause.reason == NAMESPACE_TERMINATING for cause in error.causes)


async def _act(api: Api, step: Create | Delete | Replace | Patch | Status) -> str | None:
    """Do it; give the object's name, which the server may have made, or None when it was done already."""
    meta = metadata(step.obj)
    name: str = meta.name
    match step:
        case Create(obj=obj, keep=keep):
            try:
                name = metadata(await api.create(obj)).name
            except AlreadyExists:
                if not keep:
                    raise
                return None
        case Delete(obj=obj, propagation=propagation, grace=grace, unchanged=unchanged):
            version = meta.resourceVersion if unchanged else ""
            try:
                await api.delete(
                    type(obj),
                    name,
                    meta.namespace,
                    uid=meta.uid,
                    resource_version=version,
                    propagation=propagation,
                    grace=grace,
                )
            except NotFound:
                log.debug("%s: gone already", step)
        case Replace(obj=obj):
            await api.update(obj)
        case Patch(obj=obj, patch=patch, kind=kind, subresource=subresource):
            await api.patch(type(obj), name, meta.namespace, patch, kind=kind, subresource=subresource)
        case Status(obj=obj):
            await api.update(obj, subresource="status")
    return name


async def _record(recorder: Recorder, note: Note | None, type_: str, name: str, error: str) -> None:
    if note is None:
        return
    said = note.failed if error else note.done
    if said is not None:
        reason, message = said
        await recorder.event(note.on, type_, reason, message.replace("{name}", name).replace("{error}", error))
