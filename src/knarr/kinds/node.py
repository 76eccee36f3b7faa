"""Node: a host that runs pods."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import carry, child, fill
from knarr.kinds.types.core_v1 import Node, NodeCondition, NodeSystemInfo

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


def prepare_update(new: Tree, old: Tree) -> None:
    carry(new, old, "status")


def prepare_status(new: Tree, old: Tree) -> None:
    carry(new, old, "spec")


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
    prepare_update=prepare_update,
    prepare_status=prepare_status,
    columns=COLUMNS,
    row=row,
    selectable={"spec.unschedulable": lambda node: "true" if node.spec.unschedulable else "false"},
)
