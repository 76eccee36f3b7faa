"""Binding: a pod is given its node, once."""

from knarr.kinds.kind import Kind, Tree
from knarr.meta import clock
from knarr.meta.errors import BadRequest
from knarr.registry.core import Core, Options
from knarr.registry.entry import Entry
from knarr.registry.modify import conflict, modify


async def bind(core: Core, kind: Kind, namespace: str, name: str, body: Tree, options: Options | None = None) -> Entry:
    """Set the pod's node to the binding's target; raises Conflict when it has one or is on its way out."""
    node = (body.get("target") or {}).get("name", "")
    if not node:
        raise BadRequest("target.name: Required value")
    wanted = body.get("metadata") or {}

    def change(old: Entry, before: Tree) -> Tree:
        pod = before | {key: dict(before[key]) for key in ("metadata", "spec", "status")}
        if wanted.get("uid") and wanted["uid"] != pod["metadata"]["uid"]:
            actual = pod["metadata"]["uid"]
            why = f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {actual}"
            raise conflict(kind, name, why, resource="pods/binding", plural="pods/binding")
        if why := refusal(pod):
            raise conflict(kind, name, why, resource="pods/binding", plural="pods/binding")
        pod["metadata"].pop("resourceVersion")
        if annotations := wanted.get("annotations"):
            pod["metadata"]["annotations"] = {**(pod["metadata"].get("annotations") or {}), **annotations}
        if labels := wanted.get("labels"):
            pod["metadata"]["labels"] = {**labels, **(pod["metadata"].get("labels") or {})}
        pod["spec"]["nodeName"] = node
        scheduled(pod["status"])
        return pod

    return await modify(core, kind, namespace, name, change, options or Options(), subresource="binding")


def refusal(pod: Tree) -> str:
    """Why a pod can't be bound; "" when it can."""
    name = pod["metadata"]["name"]
    if pod["metadata"].get("deletionTimestamp"):
        return f"pod {name} is being deleted, cannot be assigned to a host"
    if node := pod["spec"].get("nodeName"):
        return f'pod {name} is already assigned to node "{node}"'
    if pod["spec"].get("schedulingGates"):
        return f"pod {name} has non-empty .spec.schedulingGates"
    return ""


def scheduled(status: Tree) -> None:
    """Say in the pod's status that it has a node, and no longer where it might have one."""
    conditions = [c for c in status.get("conditions") or () if c.get("type") != "PodScheduled"]
    found = {"type": "PodScheduled", "status": "True", "lastTransitionTime": clock.timestamp()}
    status["conditions"] = [*conditions, found]
    status.pop("nominatedNodeName", None)
