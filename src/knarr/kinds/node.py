"""Node: a host that runs pods."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.podspec_affinity import EFFECTS
from knarr.kinds.resources import amount
from knarr.kinds.trees import child, fill, keep_spec, keep_status
from knarr.kinds.types.core_v1 import Node, NodeCondition, NodeSystemInfo, Taint
from knarr.meta import field, names
from knarr.meta.field import FieldError, at

ROLE = "node-role.kubernetes.io/"
OLD_ROLE = "kubernetes.io/role"
SYSTEM_INFO = (
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)


def condition(node: Node, type_: str) -> NodeCondition | None:
    """The node's condition of that type."""
    return next((c for c in node.status.conditions if c.type == type_), None)


def is_ready(node: Node) -> bool:
    """Whether the node's agent says it can run pods."""
    ready = condition(node, "Ready")
    return ready is not None and ready.status == "True"


def address(node: Node, type_: str = "InternalIP") -> str:
    """The node's first address of that type, or ""."""
    return next((a.address for a in node.status.addresses if a.type == type_), "")


def roles(node: Node) -> list[str]:
    """The roles that the node's labels name."""
    found = set()
    for key, value in node.metadata.labels.items():
        if key.startswith(ROLE) and len(key) > len(ROLE):
            found.add(key.removeprefix(ROLE))
        elif key == OLD_ROLE and value:
            found.add(value)
    return sorted(found)


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    status = child(tree, "status")
    if spec.get("podCIDR") and not spec.get("podCIDRs"):
        spec["podCIDRs"] = [spec["podCIDR"]]
    elif spec.get("podCIDRs") and not spec.get("podCIDR"):
        spec["podCIDR"] = spec["podCIDRs"][0]
    fill(child(child(status, "daemonEndpoints"), "kubeletEndpoint"), Port=0)
    fill(child(status, "nodeInfo"), **dict.fromkeys(SYSTEM_INFO, ""))
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])


def validate(node: Node) -> Iterator[FieldError]:
    yield from taints(node.spec.taints, "metadata.taints")
    yield from resources(node)
    path, ranges = "spec.podCIDRs", node.spec.podCIDRs
    for index, value in enumerate(ranges):
        yield from rules.cidr(value, at(path, index))
    if len(ranges) > 1:
        families = [":" in value for value in ranges]
        if len(set(families)) != len(families):
            yield field.wrong(path, ranges, "may specify no more than one CIDR for each IP family")
        for index, value in enumerate(ranges):
            if value in ranges[:index]:
                yield field.duplicate(at(path, index), value)


def taints(given: Sequence[Taint], path: str) -> Iterator[FieldError]:
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(given):
        where = at(path, index)
        yield from rules.qualified_name(taint.key, at(where, "key"))
        if faults := names.label_value_errors(taint.value):
            yield field.wrong(at(where, "value"), taint.value, ";".join(faults))
        yield from rules.required_one_of(taint.effect, EFFECTS, at(where, "effect"))
        if (taint.key, taint.effect) in seen:
            shown = {
                "Key": taint.key,
                "Value": taint.value,
                "Effect": taint.effect,
                "TimeAdded": taint.timeAdded or None,
            }
            error = field.duplicate(where, shown)
            detail = ": taints must be unique by key and effect pair"
            yield FieldError(error.reason, error.path, error.message + detail)
        seen.add((taint.key, taint.effect))


def resources(node: Node) -> Iterator[FieldError]:
    for name in ("capacity", "allocatable"):
        for resource, value in getattr(node.status, name).items():
            yield from amount(resource, value, at("status", name, resource))


def validate_update(new: Node, old: Node) -> Iterator[FieldError]:
    """A node keeps the pod range and the provider's name that it was once given."""
    yield from resources(new)
    for index, address_ in enumerate(new.status.addresses):
        if address_ in new.status.addresses[:index]:
            shown = {"Type": address_.type, "Address": address_.address}
            yield field.duplicate(at("status.addresses", index), shown)
    if old.spec.podCIDRs and old.spec.podCIDRs != new.spec.podCIDRs:
        yield field.forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if old.spec.providerID and old.spec.providerID != new.spec.providerID:
        yield field.forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')
    yield from taints(new.spec.taints, "metadata.taints")
    if old.spec.externalID != new.spec.externalID:
        yield field.forbidden("spec.externalID", "may not be updated")


COLUMNS = (
    NAME_COLUMN,
    Column("Status"),
    Column("Roles"),
    AGE_COLUMN,
    Column("Version"),
    Column("Internal-IP", priority=1),
    Column("External-IP", priority=1),
    Column("OS-Image", priority=1),
    Column("Kernel-Version", priority=1),
    Column("Container-Runtime", priority=1),
)


def row(node: Node, now: datetime) -> Sequence[object]:
    ready = condition(node, "Ready")
    states = ["Unknown" if ready is None else "Ready" if ready.status == "True" else "NotReady"]
    if node.spec.unschedulable:
        states.append("SchedulingDisabled")
    info = node.status.nodeInfo or NodeSystemInfo()
    return (
        node.metadata.name,
        ",".join(states),
        ",".join(roles(node)) or cells.NONE,
        cells.age(node, now),
        info.kubeletVersion,
        address(node) or cells.NONE,
        address(node, "ExternalIP") or cells.NONE,
        info.osImage or cells.UNKNOWN,
        info.kernelVersion or cells.UNKNOWN,
        info.containerRuntimeVersion or cells.UNKNOWN,
    )


KIND = Kind(
    type=Node,
    group="",
    version="v1",
    kind="Node",
    plural="nodes",
    singular="node",
    namespaced=False,
    short_names=("no",),
    subresources={
        "proxy": ("create", "delete", "get", "patch", "update"),
        "status": ("get", "patch", "update"),
    },
    defaults=defaults,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_update,
    columns=COLUMNS,
    row=row,
    selectable={"spec.unschedulable": lambda node: "true" if node.spec.unschedulable else "false"},
)
