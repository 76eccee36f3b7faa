"""An update of a StatefulSet takes no more pods down than maxUnavailable.

Each other pod of the set counts as up when it was ready at a moment that the controller may go by. Of a parallel set it
costs nothing to take down a pod that was not available yet.
"""

from collections.abc import Iterator
from datetime import timedelta

from knarr.kinds.pod import is_available, is_finished, is_ready, ordinal
from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import Pod
from knarr.meta import clock
from knarr.meta.percent import share
from knarr.testing.invariants.statefulsets import first, known, replicas, sets_of, was_ready
from knarr.testing.invariants.world import World, Write


def unavailable(write: Write, world: World) -> Iterator[str]:
    if write.writer != "statefulset" or write.type is not Pod or not write.asked_to_go:
        return
    found = [list(_too_many(write, world, set_)) for set_ in sets_of(write, world)]
    if found and all(found):
        yield from found[0]


def _too_many(write: Write, world: World, set_: StatefulSet) -> Iterator[str]:
    number, numbers = ordinal(write.obj, set_.metadata.name), range(first(set_), first(set_) + replicas(set_))
    if number is None or number not in numbers or not is_ready(write.old):
        return
    if any(is_finished(pod) or not _is_up(pod, set_, write) for pod in known(write, world, set_, number)):
        return  # it may have seemed to be down already
    down = [other for other in numbers if other != number and not was_ready(write, world, set_, other)]
    if len(down) + 1 > most(set_):
        yield f"{most(set_)} may be down, and {down} are"


def _is_up(pod: Pod, set_: StatefulSet, write: Write) -> bool:
    """Whether a pod had to count as up at the earliest moment that the writer may go by."""
    if set_.spec.podManagementPolicy != "Parallel":
        return is_ready(pod)
    return is_available(pod, set_.spec.minReadySeconds or 0, clock.now() - timedelta(seconds=write.time - write.since))


def most(set_: StatefulSet) -> int:
    """How many pods an update may have down."""
    rolling = set_.spec.updateStrategy.rollingUpdate if set_.spec.updateStrategy else None
    return max(1, share(rolling.maxUnavailable, replicas(set_))) if rolling and rolling.maxUnavailable else 1
