"""What could help a pod that no node would take: after a change, only the pods that it concerns are tried again. Pure.

Named for upstream's queueing hints. A node that changes, or on which room is made, helps the pods that it would take,
also if less important ones had to go for them.
Who looks at other pods (affinity, spread) may be helped by any of them, who has claims by any change of storage.
"""

from collections.abc import Callable

from knarr.kinds.types.core_v1 import Node, Pod
from knarr.scheduler.board import Place, looks_out
from knarr.scheduler.filters.complaint import Nominated
from knarr.scheduler.preemption import may_help

Helps = Callable[[Pod], bool]


def looks_at_others(pod: Pod) -> bool:
    """Whether it matters to the pod where others are."""
    return looks_out(pod) or bool(pod.spec.topologySpreadConstraints)


def has_claims(pod: Pod) -> bool:
    """Asked of every pod that waits, at every change of storage."""
    return any(volume.persistentVolumeClaim is not None or volume.ephemeral is not None for volume in pod.spec.volumes)


def room_on(place: Place, nominated: Nominated | None = None) -> Helps:
    """A node as it is now, seen alone, with the pods for which room is made, by node."""
    return lambda pod: beyond_one_node(pod) or may_help(place, pod, nominated)


def beyond_one_node(pod: Pod) -> bool:
    """Whether a node seen alone does not say whether it would take the pod."""
    return looks_at_others(pod) or has_claims(pod)


def matters(old: Node, new: Node) -> bool:
    """Whether a node changed in what decisions look at."""
    return (
        old.spec != new.spec
        or old.metadata.labels != new.metadata.labels
        or old.status.allocatable != new.status.allocatable
    )
