"""Pods that went before their node had said that they ended: by force, or because their node was taken for lost.

The pod that takes such a one's place may run beside it. That is the user's choice, and it is said so on the set, once,
when the successor is seen. The node, when it can be asked, says the rest (`knarr.node.unconfirmed`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from knarr.controllers.statefulset_status import is_finished
from knarr.kinds.pod import DISRUPTION_TARGET
from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import Pod
from knarr.loop.claims import controller_of
from knarr.loop.steps import Event

REASON = "UnconfirmedPredecessor"


class Departed:
    """The last unconfirmed pod of each name, by its set's uid."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, Pod]] = defaultdict(dict)

    def observe(self, old: object, new: object) -> None:
        """Take in a change of any object that the controller hears of."""
        if new is not None:
            return
        if isinstance(old, StatefulSet):
            self._pods.pop(old.metadata.uid, None)
        elif isinstance(old, Pod) and is_unconfirmed(old):
            owner = controller_of(old)
            if owner is not None and owner.kind == "StatefulSet":
                self._pods[owner.uid][old.metadata.name] = old

    def told(self, set_: StatefulSet, pods: Iterable[Pod]) -> Iterator[Event]:
        """What to say of those of the set's pods that have taken such a place."""
        if not (gone := self._pods.get(set_.metadata.uid)):
            return
        for pod in pods:
            before = gone.get(pod.metadata.name)
            if before is not None and before.metadata.uid != pod.metadata.uid:
                del gone[pod.metadata.name]
                yield Event(set_, "Warning", REASON, message(before))


def message(pod: Pod) -> str:
    meta = pod.metadata
    return (
        f"Pod {meta.name} takes the place of one (uid {meta.uid}) that was deleted before node {pod.spec.nodeName} "
        "said that its processes had ended: the two may run at the same time"
    )


def is_unconfirmed(pod: Pod) -> bool:
    """Whether a pod that is gone may still run: its node wrote no end into its status before. Of pods that are granted
    no time at all that is so whenever they are deleted, as their template says, and nobody is told each time."""
    if not pod.spec.nodeName or pod.spec.terminationGracePeriodSeconds == 0:
        return False
    return not is_finished(pod) or is_taken_for_dead(pod)


def is_taken_for_dead(pod: Pod) -> bool:
    """Whether somebody else than the pod's node said that it has ended: that node's word has no running container."""
    by_collector = any(c.type == DISRUPTION_TARGET and c.reason == "DeletionByPodGC" for c in pod.status.conditions)
    states = [status.state for status in pod.status.containerStatuses]
    return by_collector or any(state is not None and state.running is not None for state in states)
