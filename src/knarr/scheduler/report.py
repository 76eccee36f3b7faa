"""What is said on a pod that has no node: an event, and a condition that says why and where it is nominated to."""

from collections.abc import Mapping

from knarr.client.api import Api
from knarr.kinds.pod import is_terminating
from knarr.kinds.types.core_v1 import Pod, PodCondition
from knarr.loop.events import Recorder
from knarr.meta import clock

UNSCHEDULABLE, FAILED = "Unschedulable", "SchedulerError"  #: no node will do; a node would, but it could not be bound


async def report(
    api: Api, recorder: Recorder, pod: Pod, reason: str, message: str, nominated: str | None = None
) -> bool:
    """Say why the pod has no node and, unless None, where it is nominated to, "" for nowhere.

    Return whether the pod still wants a node; raises ApiError.
    """
    await recorder.event(pod, "Warning", "FailedScheduling", message)
    if (patch := refusal(pod, reason, message, nominated)) is not None:
        pod = await patch_status(api, pod, patch)
    return not is_terminating(pod)


async def patch_status(api: Api, pod: Pod, status: Mapping[str, object]) -> Pod:
    """Change the status of this very pod, not of one that has its name by now; give it as it is then."""
    meta = pod.metadata
    patch = {"metadata": {"uid": meta.uid}, "status": status}
    return await api.patch(Pod, meta.name, meta.namespace, patch, kind="strategic", subresource="status")


def refusal(pod: Pod, reason: str, message: str, nominated: str | None = None) -> dict[str, object] | None:
    """The patch of a pod's status that says why it has no node and, unless None, where it is nominated to.

    None when it says so already.
    """
    known = next((c for c in pod.status.conditions if c.type == "PodScheduled"), None)
    same = known is not None and (known.status, known.reason, known.message) == ("False", reason, message)
    node = {} if nominated in (None, pod.status.nominatedNodeName) else {"nominatedNodeName": nominated or None}
    if same:
        return dict(node) or None
    since = known.lastTransitionTime if known is not None and known.status == "False" else clock.timestamp()
    condition = PodCondition(
        type="PodScheduled",
        status="False",
        reason=reason,
        message=message,
        lastTransitionTime=since,
        observedGeneration=pod.metadata.generation,
    )
    return {"conditions": [condition], **node}
