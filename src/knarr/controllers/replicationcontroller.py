"""ReplicationController: what the ReplicaSet was before selectors had expressions.

What one pass does is `loop/replication.py`'s.
"""

from knarr.kinds.types.core_v1 import (
    ReplicationController,
    ReplicationControllerCondition,
    ReplicationControllerStatus,
)
from knarr.loop import replication
from knarr.loop.runner import Controller
from knarr.meta import labels

KIND = replication.Replicated(
    name="replicationcontroller",
    component="replication-controller",
    kind="ReplicationController",
    of=ReplicationController,
    status_of=ReplicationControllerStatus,
    condition_of=ReplicationControllerCondition,
    selector=lambda controller: labels.of_labels(controller.spec.selector),
)


def controller() -> Controller:
    """The controller, with memory of its own."""
    return replication.controller(KIND)
