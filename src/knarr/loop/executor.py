"""Carries out steps. Called by every controller's `sync`."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from knarr.client.api import Api, metadata
from knarr.client.transport import TransportError
from knarr.loop.events import Recorder
from knarr.loop.steps import Create, Delete, Event, Note, Patch, Replace, Status, Step, Wait
from knarr.meta.errors import AlreadyExists, ApiError, NotFound

log = logging.getLogger("knarr.loop")


async def carry_out(api: Api, steps: Iterable[Step], recorder: Recorder, *, together: bool = False) -> datetime | None:
    """Carry out steps in order and give the earliest time that one of them waits for; the first failure ends it.

    `together` lets runs of creates, or of deletes, go at the same time: 1, then 2, 4 and so on, so that what fails for
    all fails once (upstream's slow start).
    """
    planned = list(steps)
    runs = [[step] for step in planned]
    if together:
        runs = [list(run) for _, run in groupby(planned, key=type)]
    for run in runs:
        for batch in batches(run):
            await _carry_out_batch(api, batch, recorder)
    times = [step.until for step in planned if isinstance(step, Wait) and step.until is not None]
    return min(times, default=None)


def batches(run: Sequence[Step]) -> Iterable[Sequence[Step]]:
    """The run in batches of 1, 2, 4, ..."""
    start, size = 0, 1
    while start < len(run):
        yield run[start : start + size]
        start, size = start + size, size * 2


async def _carry_out_batch(api: Api, batch: Sequence[Step], recorder: Recorder) -> None:
    if len(batch) == 1:
        await carry_out_one(api, batch[0], recorder)
        return
    results = await asyncio.gather(*(carry_out_one(api, step, recorder) for step in batch), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def carry_out_one(api: Api, step: Step, recorder: Recorder) -> None:
    """Carry out one step and record what its note says."""
    log.debug("%s", step)
    if isinstance(step, Wait):
        return
    if isinstance(step, Event):
        await recorder.event(step.obj, step.type, step.reason, step.message)
        return
    note = None if isinstance(step, Status) else step.note
    try:
        name = await _act(api, step)
    except (ApiError, TransportError) as error:
        await _record(recorder, note, "Warning", metadata(step.obj).name, str(error))
        raise
    if name is not None:
        await _record(recorder, note, "Normal", name, "")


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
        case Delete(obj=obj, propagation=propagation, grace=grace):
            try:
                await api.delete(type(obj), name, meta.namespace, uid=meta.uid, propagation=propagation, grace=grace)
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
