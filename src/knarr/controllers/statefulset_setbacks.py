"""Pods that end soon after they were made: their replacements come ever more seldom, where the set opted in to it.

Held in the controller's memory, like the back-off of a DaemonSet's pods: a controller that starts anew begins at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from knarr.controllers.statefulset_status import is_finished, is_terminating
from knarr.kinds.statefulset_options import BACK_OFF, is_on
from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import Pod
from knarr.loop.backoff import Backoff
from knarr.loop.steps import Delete, Event, Step

FIRST_WAIT, LONGEST_WAIT = 1.0, 900.0  #: seconds, as for a DaemonSet's pods


class Setbacks:
    """How often the pod of each name has ended lately."""

    def __init__(self) -> None:
        self._failing = Backoff(FIRST_WAIT, LONGEST_WAIT)
        self._told: dict[str, str] = {}  # the uid of the last pod of each set and name that was told of

    def held(self, set_: StatefulSet, pods: Sequence[Pod], now: datetime) -> dict[str, datetime]:
        """The names of finished pods whose replacement has to wait, and until when."""
        if not is_on(set_, BACK_OFF):
            return {}
        ended = [pod.metadata.name for pod in pods if is_finished(pod) and not is_terminating(pod)]
        waits = {name: self._failing.left((set_.metadata.uid, name)) for name in ended}
        return {name: now + timedelta(seconds=left) for name, left in waits.items() if left > 0}

    def replaced(self, set_: StatefulSet, steps: Iterable[Step]) -> None:
        """Take in which finished pods are replaced now: the next of their names waits longer."""
        for step in steps:
            if isinstance(step, Delete) and isinstance(step.obj, Pod) and is_finished(step.obj):
                self._failing.failed((set_.metadata.uid, step.obj.metadata.name))

    def told(self, set_: StatefulSet, pods: Sequence[Pod], held: dict[str, datetime], now: datetime) -> Iterator[Event]:
        """One event for each pod whose replacement waits."""
        for pod in pods:
            name, key = pod.metadata.name, f"{set_.metadata.uid}/{pod.metadata.name}"
            if name in held and self._told.get(key) != pod.metadata.uid:
                self._told[key] = pod.metadata.uid
                seconds = (held[name] - now).total_seconds()
                said = f"Back-off {seconds:.0f}s replacing Pod {name} in StatefulSet {set_.metadata.name}: it ended as "
                yield Event(set_, "Warning", "BackOff", f"{said}{pod.status.phase}")

    def forget(self, uid: str) -> None:
        """The set of this uid is gone."""
        self._failing.sweep()
        for key in [key for key in self._told if key.startswith(f"{uid}/")]:
            del self._told[key]
