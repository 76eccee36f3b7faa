"""Pods that a node does not take: of another system, or put there by name where no scheduler would have put them.

Who writes `spec.nodeName` himself goes past the scheduler; the node then looks for itself whether the pod belongs and
fits there, as the kubelet does, and in its words. What the scheduler has placed is not judged again: it knows better
which pods are about to leave.
https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename
"""

from collections.abc import Iterable, Iterator

from knarr.kinds import pod_resources
from knarr.kinds.host_ports import conflicts, host_ports
from knarr.kinds.placement import is_selected
from knarr.kinds.types.core_v1 import Node, Pod
from knarr.meta import quantity
from knarr.meta.quantity import Quantity
from knarr.node import sysctls
from knarr.node.memory import Memory, Reason

SYSTEM = "linux"
COMPUTE = ("cpu", "memory", "ephemeral-storage")  #: what is looked at; CPU counts in thousandths
NO_MATCH = "node(s) didn't match Pod's node affinity/selector"
NO_PORTS = "node(s) didn't have free ports for the requested pod ports"


def told(pod: Pod, memory: Memory) -> Reason | None:
    """Why the pod may not run here, as far as is known."""
    if why := sysctls.forbidden(pod):
        return Reason(sysctls.REASON, why)
    return memory.refused


def unplaced(pod: Pod) -> bool:
    """Whether neither a scheduler nor a node has said anything of the pod yet."""
    return not pod.status.conditions and not pod.status.startTime


def of_system(pod: Pod) -> Reason | None:
    """Why no node of this system takes the pod."""
    if pod.spec.os is not None and pod.spec.os.name != SYSTEM:
        return Reason("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    return None


def of_profile(pod: Pod) -> Reason | None:
    """Why no node with processes takes a pod that AppArmor is to confine: none here could, and none may pretend to."""
    contexts = [each.securityContext for each in (*pod.spec.initContainers, *pod.spec.containers)]
    profiles = [
        each.appArmorProfile.type for each in (pod.spec.securityContext, *contexts) if each and each.appArmorProfile
    ]
    if all(each == "Unconfined" for each in profiles):
        return None
    return Reason("AppArmor", "Cannot enforce AppArmor: nodes of this cluster apply no profiles of it")


def of_node(pod: Pod, node: Node, others: Iterable[Pod]) -> Reason | None:
    """Why this node does not take a pod that nobody placed; `others` are those it has taken and that are not over."""
    others = list(others)
    shortage = next(lacking(pod, node, others), None)
    if shortage is not None:
        return shortage
    if not is_selected(pod.spec, node):
        return Reason("NodeAffinity", f"Predicate NodeAffinity failed: {NO_MATCH}")
    taken = [port for other in others for port in host_ports(other)]
    if any(conflicts(port, taken) for port in host_ports(pod)):
        return Reason("NodePorts", f"Predicate NodePorts failed: {NO_PORTS}")
    return None


def lacking(pod: Pod, node: Node, others: list[Pod]) -> Iterator[Reason]:
    room = {name: counted(name, quantity.parse(amount)) for name, amount in node.status.allocatable.items()}
    if "pods" in room and len(others) + 1 > room["pods"]:
        yield short_of("pods", 1, len(others), room["pods"])
    asked = pod_resources.requests(pod.spec)
    taken = [pod_resources.requests(each.spec) for each in others]
    for name in COMPUTE:
        wanted = counted(name, asked[name]) if name in asked else 0
        used = sum(counted(name, each[name]) for each in taken if name in each)
        if wanted and name in room and wanted + used > room[name]:
            yield short_of(name, wanted, used, room[name])


def counted(name: str, amount: Quantity) -> int:
    return amount.milli if name == "cpu" else amount.value


def short_of(name: str, requested: int, used: int, capacity: int) -> Reason:
    amounts = f"requested: {requested}, used: {used}, capacity: {capacity}"
    return Reason(f"OutOf{name}", f"Node didn't have enough resource: {name}, {amounts}")
