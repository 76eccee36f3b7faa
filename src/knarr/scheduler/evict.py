"""Carries a preemption out: each victim is told why, then deleted with its grace period, and who else was to have the
room looks elsewhere. Called by the scheduler.
"""

import asyncio
import logging
from collections.abc import Sequence

from knarr.client.api import Api
from knarr.client.transport import TransportError
from knarr.kinds.pod import disrupted, is_terminating
from knarr.kinds.types.core_v1 import Pod
from knarr.loop.events import Recorder
from knarr.meta import clock
from knarr.meta.errors import ApiError, NotFound
from knarr.scheduler.board import Key, key_of, priority_of
from knarr.scheduler.nominations import Nominations
from knarr.scheduler.preemption import REASON
from knarr.scheduler.report import patch_status

log = logging.getLogger("knarr.scheduler")


async def evict(
    api: Api, recorder: Recorder, victims: Sequence[Pod], preemptor: Pod, node: str, told: set[str]
) -> None:
    """Have the victims leave, and note in `told` the uids of those that will; raises the first ApiError.

    Those that are gone or going already are left alone.
    """
    answers = await asyncio.gather(
        *(_evict_one(api, recorder, victim, preemptor, node, told) for victim in victims),
        return_exceptions=True,
    )
    for answer in answers:
        if answer is not None:
            raise answer


async def _evict_one(api: Api, recorder: Recorder, victim: Pod, preemptor: Pod, node: str, told: set[str]) -> None:
    meta = victim.metadata
    if not is_terminating(victim):
        message = f"{preemptor.spec.schedulerName}: preempting to accommodate a higher priority pod"
        condition = disrupted(victim, REASON, message, clock.now())
        try:
            await patch_status(api, victim, {"conditions": [condition]})
            await api.delete(Pod, meta.name, meta.namespace, uid=meta.uid)
        except NotFound:
            return
        said = f"Preempted by pod {preemptor.metadata.uid} on node {node}"
        await recorder.event(victim, "Normal", "Preempted", said)
    told.add(meta.uid)


async def make_way(api: Api, nominations: Nominations, pod: Pod, node: str) -> set[Key]:
    """Send pods of lower priority away from the node where room is made for this one; return which."""
    moved: set[Key] = set()
    for other in nominations.below(node, priority_of(pod)):
        moved.add(key_of(other))
        nominations.drop(key_of(other))
        try:
            await patch_status(api, other, {"nominatedNodeName": None})
        except (ApiError, TransportError) as error:  # it may stay written: no room is kept for it any more
            log.info("pod %s/%s: %s", *key_of(other), error)
    return moved
