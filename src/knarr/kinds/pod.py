"""Pod: containers that share a network and live and die together on one node.

The rules of the spec are shared with every pod template (`podspec*.py`); here is what only a pod has: its status, its
class of service, and what may change after creation. The predicates are what controllers, scheduler and node ask.
"""

import re
from datetime import datetime, timedelta

from msgspec import Struct, field

from knarr.kinds import pod_row, pod_rules
from knarr.kinds.kind import Kind, Tree
from knarr.kinds.pod_parts import PARTS
from knarr.kinds.pod_resources import qos_class, whole_defaults
from knarr.kinds.podspec_defaults import requests_from_limits, spec_defaults
from knarr.kinds.podspec_warnings import spec_warnings
from knarr.kinds.trees import carry, child, fill, items, keep_spec, part
from knarr.kinds.types.core_v1 import Pod, PodCondition, PodIP
from knarr.meta import clock

GATED = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}


def condition(pod: Pod, type_: str) -> PodCondition | None:
    """The pod's condition of that type."""
    for found in pod.status.conditions:  # no generator: asked of every pod in every pass
        if found.type == type_:
            return found
    return None


def is_ready(pod: Pod) -> bool:
    """Whether the pod says it can take traffic."""
    for found in pod.status.conditions:  # not by `condition`: asked of every pod in every pass
        if found.type == "Ready":
            return found.status == "True"
    return False


def is_available(pod: Pod, min_ready: float, now: datetime) -> bool:
    """Whether the pod has been ready for `min_ready` seconds."""
    return (left := available_in(pod, min_ready, now)) is not None and left <= timedelta()


def available_in(pod: Pod, min_ready: float, now: datetime) -> timedelta | None:
    """How long until a ready pod counts as available, at least zero; None when it is not ready."""
    ready = condition(pod, "Ready")
    if ready is None or ready.status != "True":
        return None
    if not min_ready:
        return timedelta()
    if not ready.lastTransitionTime:
        return None
    return max(timedelta(), clock.parse(ready.lastTransitionTime) + timedelta(seconds=min_ready) - now)


def is_finished(pod: Pod) -> bool:
    """Whether every container has ended for good."""
    return pod.status.phase in pod_row.FINISHED


DISRUPTION_TARGET = "DisruptionTarget"  #: a condition's type


def disrupted(pod: Pod, reason: str, message: str, now: datetime) -> PodCondition:
    """The condition that says that the cluster, not the pod itself, puts an end to it."""
    return PodCondition(
        type=DISRUPTION_TARGET,
        status="True",
        reason=reason,
        message=message,
        lastTransitionTime=clock.timestamp(now),
        observedGeneration=pod.metadata.generation,
    )


def is_terminating(pod: Pod) -> bool:
    """Whether somebody asked for the pod to go."""
    return bool(pod.metadata.deletionTimestamp)


def is_active(pod: Pod) -> bool:
    """Whether the pod counts as a replica: neither finished nor on its way out."""
    return pod.status.phase not in pod_row.FINISHED and not pod.metadata.deletionTimestamp


def ordinal(pod: Pod, parent: str) -> int | None:
    """The number in the name of a numbered pod of `parent`: 2 for db-2; None for any other name."""
    name = pod.metadata.name
    digits = name.removeprefix(parent + "-")
    if digits == name or re.fullmatch(r"0|[1-9][0-9]{0,9}", digits) is None:
        return None
    return int(digits)


STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    for status in items(child(tree, "status"), *STATUSES):
        child(status, "state")
        child(status, "lastState")
    for container in items(spec, "containers", "initContainers"):
        requests_from_limits(container.get("resources") or {})
    whole_defaults(spec)
    fill(spec, enableServiceLinks=True)
    spec_defaults(spec)


def prepare_create(tree: Tree) -> None:
    spec = child(tree, "spec")
    whole_grace(spec)
    merge_label_keys(spec, part(tree, "metadata", "labels"))
    tree["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}
    if spec.get("schedulingGates"):
        tree["status"]["conditions"] = [dict(GATED)]


def merge_label_keys(spec: Tree, labels: Tree) -> None:
    """Write the pod's own values of `matchLabelKeys` and `mismatchLabelKeys` into the selectors beside them."""
    if "topologySpreadConstraints" not in spec and "affinity" not in spec:
        return
    terms = list(items(spec, "topologySpreadConstraints"))
    for kind in ("podAffinity", "podAntiAffinity"):
        affinity = part(spec, "affinity", kind)
        terms += items(affinity, "requiredDuringSchedulingIgnoredDuringExecution")
        preferred = items(affinity, "preferredDuringSchedulingIgnoredDuringExecution")
        terms += (child(weighted, "podAffinityTerm") for weighted in preferred)
    for term in terms:
        for name, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")):
            for key in term.get(name) or ():
                if "labelSelector" in term and key in labels:
                    expression = {"key": key, "operator": operator, "values": [labels[key]]}
                    term["labelSelector"].setdefault("matchExpressions", []).append(expression)


def prepare_update(new: Tree, old: Tree) -> None:
    whole_grace(child(new, "spec"))
    carry(new, old, "status")


def whole_grace(spec: Tree) -> None:
    """A negative grace period means one second."""
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1


def grace(pod: Pod) -> int | None:
    """How long a delete that names no period gives the pod; at once when it never ran or has finished."""
    if not pod.spec.nodeName or is_finished(pod):
        return 0
    period = pod.spec.terminationGracePeriodSeconds
    return 30 if period is None else period if period >= 0 else 1


class SelectedSpec(Struct, gc=False):
    nodeName: str = ""
    restartPolicy: str = ""
    schedulerName: str = ""
    serviceAccountName: str = ""
    hostNetwork: bool | None = None


class SelectedStatus(Struct, gc=False):
    phase: str = ""
    podIPs: tuple[PodIP, ...] = ()
    nominatedNodeName: str = ""


class Selected(Struct, gc=False):
    """What of a pod can be selected by: every write of one is looked at, for the watches of single nodes' pods."""

    spec: SelectedSpec = field(default_factory=SelectedSpec)
    status: SelectedStatus = field(default_factory=SelectedStatus)


KIND = Kind(
    type=Pod,
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    singular="pod",
    short_names=("po",),
    categories=("all",),
    subresources={
        "attach": ("create", "get"),
        "binding": ("create",),
        "ephemeralcontainers": ("get", "patch", "update"),
        "eviction": ("create",),
        "exec": ("create", "get"),
        "log": ("get",),
        "portforward": ("create", "get"),
        "proxy": ("create", "delete", "get", "patch", "update"),
        "resize": ("get", "patch", "update"),
        "status": ("get", "patch", "update"),
    },
    parts=PARTS,
    generation=True,
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    prepare_status=keep_spec,
    validate=pod_rules.validate,
    validate_update=pod_rules.validate_update,
    validate_status=pod_rules.validate_status,
    warnings=lambda pod: spec_warnings(pod.spec, pod.metadata),
    quiet_updates=True,
    columns=pod_row.COLUMNS,
    row=pod_row.row,
    selects=Selected,
    selectable={
        "spec.nodeName": lambda pod: pod.spec.nodeName,
        "spec.restartPolicy": lambda pod: pod.spec.restartPolicy,
        "spec.schedulerName": lambda pod: pod.spec.schedulerName,
        "spec.serviceAccountName": lambda pod: pod.spec.serviceAccountName,
        "spec.hostNetwork": lambda pod: "true" if pod.spec.hostNetwork else "false",
        "status.phase": lambda pod: pod.status.phase,
        "status.podIP": lambda pod: pod.status.podIPs[0].ip if pod.status.podIPs else "",
        "status.nominatedNodeName": lambda pod: pod.status.nominatedNodeName,
    },
    grace=grace,
)
