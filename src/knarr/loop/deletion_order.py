"""Which of several equal pods go first when there are too many. Called by what keeps a number of replicas.

Keeps true, from the strongest rule to the weakest: a pod without a node before one that has it; Pending before Unknown
before Running; unready before ready; a lower `pod-deletion-cost` first; from the fuller node first; the one that became
ready later first; more restarts first; the younger first. Times are compared by their order of magnitude, so that among
pods of about one age the choice is random but firm: their uids decide. After upstream's ActivePodsWithRanks, which asks
the uids already where two became ready at about one time, but not at the same; what is an order here is none there.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any

from knarr.kinds.pod import condition, is_active
from knarr.kinds.types.core_v1 import ContainerStatus, Pod
from knarr.meta import clock

COST = "controller.kubernetes.io/pod-deletion-cost"
PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def deletion_order(pods: Iterable[Pod], related: Iterable[Pod], now: datetime) -> list[Pod]:
    """The pods, first to go first. `related` are those that should be spread with them, themselves included."""
    crowd = Counter(pod.spec.nodeName for pod in related if is_active(pod))
    age = cache(lambda time: _magnitude(time, now))  # many pods share a second
    return sorted(pods, key=lambda pod: _rank(pod, crowd[pod.spec.nodeName], age))


def deletion_cost(pod: Pod) -> int:
    """What the pod's annotation says its deletion costs; 0 when it says nothing that is a 32-bit number."""
    text = pod.metadata.annotations.get(COST, "")
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(text) > 11 or (len(digits) > 1 and digits[0] == "0"):
        return 0
    return int(text) if -(2**31) <= int(text) < 2**31 else 0


def _rank(pod: Pod, crowd: int, age: Callable[[str], int]) -> tuple[Any, ...]:
    """What decides, the strongest rule first; of equal ranks none is found, as uids differ."""
    meta, spec, status = pod.metadata, pod.spec, pod.status
    ready = condition(pod, "Ready")
    since = ready.lastTransitionTime if ready is not None and ready.status == "True" else None
    return (
        bool(spec.nodeName),
        PHASES.get(status.phase, 0),
        since is not None,
        deletion_cost(pod) if meta.annotations else 0,
        -crowd,
        age(since) if since is not None else 0,
        -_most(status.containerStatuses),
        -_beside(pod) if spec.initContainers else 0,
        age(meta.creationTimestamp),
        meta.uid,
    )


def _most(statuses: Iterable[ContainerStatus]) -> int:
    """The most restarts of one container."""
    return max((status.restartCount for status in statuses), default=0)


def _beside(pod: Pod) -> int:
    """The most restarts of one container that starts with the pod and runs beside it."""
    sidecars = {container.name for container in pod.spec.initContainers if container.restartPolicy == "Always"}
    return _most(status for status in pod.status.initContainerStatuses if status.name in sidecars)


def _magnitude(time: str, now: datetime) -> int:
    """The order of magnitude, to base 2, of an age in nanoseconds; -1 for the future, -2 for no time."""
    if not time:
        return -2
    age = (now - clock.parse(time)).total_seconds() * 1e9
    return int(math.log2(age)) if age > 0 else -1
