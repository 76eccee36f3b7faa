"""Which of several equal pods go first when there are too many. Called by what keeps a number of replicas.

Keeps true, from the strongest rule to the weakest: a pod without a node before one that has it; Pending before Unknown
before Running; unready before ready; a lower `pod-deletion-cost` first; from the fuller node first; the one that became
ready later first; more restarts first; the younger first. Times are compared by their order of magnitude, so that among
pods of about one age the choice is random but firm. After upstream's ActivePodsWithRanks.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cmp_to_key

from knarr.kinds.pod import condition, is_active, is_ready
from knarr.kinds.types.core_v1 import Pod
from knarr.meta import clock

COST = "controller.kubernetes.io/pod-deletion-cost"
PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def deletion_order(pods: Iterable[Pod], related: Iterable[Pod], now: datetime) -> list[Pod]:
    """The pods, first to go first. `related` are those that should be spread with them, themselves included."""
    crowd = Counter(pod.spec.nodeName for pod in related if is_active(pod))

    def firm(pod: Pod) -> tuple[bool, int, bool, int, int]:
        phase = PHASES.get(pod.status.phase, 0)
        return (bool(pod.spec.nodeName), phase, is_ready(pod), deletion_cost(pod), -crowd[pod.spec.nodeName])

    def compare(one: Pod, other: Pod) -> int:
        if (first := firm(one)) != (second := firm(other)):
            return -1 if first < second else 1
        if is_ready(one) and (order := _later_first(_ready_since(one), _ready_since(other), one, other, now)):
            return order
        if (count := _restarts(one)) != (least := _restarts(other)):
            return -1 if count > least else 1
        return _later_first(one.metadata.creationTimestamp, other.metadata.creationTimestamp, one, other, now)

    return sorted(pods, key=cmp_to_key(compare))


def deletion_cost(pod: Pod) -> int:
    """What the pod's annotation says its deletion costs; 0 when it says nothing that is a 32-bit number."""
    text = pod.metadata.annotations.get(COST, "")
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(text) > 11 or (len(digits) > 1 and digits[0] == "0"):
        return 0
    return int(text) if -(2**31) <= int(text) < 2**31 else 0


def _ready_since(pod: Pod) -> str:
    ready = condition(pod, "Ready")
    return ready.lastTransitionTime if ready is not None else ""


def _restarts(pod: Pod) -> tuple[int, int]:
    """The most restarts of one container, and of one that starts with the pod and runs beside it."""
    sidecars = {container.name for container in pod.spec.initContainers if container.restartPolicy == "Always"}
    beside = [status.restartCount for status in pod.status.initContainerStatuses if status.name in sidecars]
    counts: Sequence[int] = [status.restartCount for status in pod.status.containerStatuses]
    return max(counts, default=0), max(beside, default=0)


def _later_first(one: str, other: str, pod: Pod, another: Pod, now: datetime) -> int:
    """Compare two times; 0 when they are the same. Of two equally old ones the pods' uids decide."""
    if one == other:
        return 0
    if not one or not other:
        return -1 if not one else 1
    ages = _magnitude(one, now), _magnitude(other, now)
    if ages[0] != ages[1]:
        return -1 if ages[0] < ages[1] else 1
    return -1 if pod.metadata.uid < another.metadata.uid else 1


def _magnitude(time: str, now: datetime) -> int:
    """The order of magnitude, to base 2, of an age in nanoseconds; -1 for the future."""
    age = (now - clock.parse(time)).total_seconds() * 1e9
    return int(math.log2(age)) if age > 0 else -1
