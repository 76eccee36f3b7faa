"""ReplicaSet: so many equal pods, whatever happens to single ones. What one pass does is `loop/replication.py`'s.

Pods of the sets of one owner, such as a Deployment's, are spread together: of too many, those on the fullest node go.
"""

from collections.abc import Sequence

from knarr.kinds.types.apps_v1 import ReplicaSet, ReplicaSetCondition, ReplicaSetStatus
from knarr.kinds.types.core_v1 import Pod
from knarr.loop import replication
from knarr.loop.claims import controller_of
from knarr.loop.runner import Context, Controller
from knarr.meta import labels


def related(context: Context, set_: ReplicaSet, pods: Sequence[Pod]) -> Sequence[Pod]:
    """The pods of all sets that have this one's owner; only asked for when some must go."""
    owner = controller_of(set_)
    if owner is None or len(pods) <= replication.wanted(set_):
        return pods
    siblings = context.cache(ReplicaSet).by_index("owner", owner.uid)
    return [pod for sibling in siblings for pod in context.cache(Pod).by_index("owner", sibling.metadata.uid)]


KIND = replication.Replicated(
    name="replicaset",
    component="replicaset-controller",
    kind="ReplicaSet",
    of=ReplicaSet,
    status_of=ReplicaSetStatus,
    condition_of=ReplicaSetCondition,
    selector=lambda set_: labels.of_object(set_.spec.selector),
    related=related,
    terminating=True,
)


def controller() -> Controller:
    """The controller, with memory of its own."""
    return replication.controller(KIND)
