"""Objects for tests, with everything filled in that a test does not care about."""

from typing import Any

from knarr.kinds.types.apps_v1 import StatefulSet, StatefulSetSpec
from knarr.kinds.types.core_v1 import (
    Container,
    ContainerPort,
    Namespace,
    NamespaceStatus,
    Node,
    NodeAddress,
    NodeCondition,
    NodeSpec,
    NodeStatus,
    Pod,
    PodCondition,
    PodIP,
    PodSpec,
    PodStatus,
    PodTemplateSpec,
    Service,
    ServicePort,
    ServiceSpec,
    Taint,
)
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta, OwnerReference
from knarr.loop.revisions import controller_reference

NAMESPACE = "default"
LABELS = {"app": "db"}
STARTED = "2026-01-01T00:00:00Z"


def a_meta(
    name: str,
    namespace: str = NAMESPACE,
    *,
    labels: dict[str, str] | None = None,
    owner: Any = None,
    owners: list[OwnerReference] | None = None,
    deleting: bool = False,
    uid: str = "",
    **fields: Any,
) -> ObjectMeta:
    """Metadata as the server gives it out."""
    references = list(owners or [])
    if owner is not None:
        references.append(controller_reference(owner))
    return ObjectMeta(
        name=name,
        namespace=namespace,
        uid=uid or f"uid-{name}",
        labels=labels or {},
        ownerReferences=references,
        deletionTimestamp=STARTED if deleting else "",
        **{"creationTimestamp": STARTED, "resourceVersion": "1", **fields},
    )


def a_pod(
    name: str | int = "db-0",
    *,
    namespace: str = NAMESPACE,
    labels: dict[str, str] | None = None,
    owner: Any = None,
    node: str = "",
    ip: str = "",
    phase: str = "Running",
    ready: bool = True,
    ready_since: str = STARTED,
    deleting: bool = False,
    uid: str = "",
    ports: list[ContainerPort] | None = None,
    meta: dict[str, Any] | None = None,
    **spec: Any,
) -> Pod:
    """A pod; a number is the ordinal of a pod of the set that `a_set` builds. More keywords are fields of the spec."""
    if isinstance(name, int):
        name = f"db-{name}"
    running = phase == "Running"
    condition = PodCondition(
        type="Ready", status="True" if ready and running else "False", lastTransitionTime=ready_since
    )
    return Pod(
        metadata=a_meta(
            name,
            namespace,
            labels=LABELS if labels is None else labels,
            owner=owner,
            deleting=deleting,
            uid=uid,
            **(meta or {}),
        ),
        spec=PodSpec(nodeName=node, **{"containers": [Container(name="c", image="img:1", ports=ports or [])], **spec}),
        status=PodStatus(
            phase=phase,
            podIP=ip,
            podIPs=[PodIP(ip=ip)] if ip else [],
            conditions=[condition] if phase != "Pending" else [],
            startTime=STARTED if running else "",
        ),
    )


def a_set(
    name: str = "db",
    *,
    namespace: str = NAMESPACE,
    replicas: int = 1,
    labels: dict[str, str] | None = None,
    image: str = "img:1",
    deleting: bool = False,
    meta: dict[str, Any] | None = None,
    **spec: Any,
) -> StatefulSet:
    """A StatefulSet of `replicas` pods; more keywords are fields of the spec."""
    chosen = labels or LABELS
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels=chosen),
        spec=PodSpec(containers=[Container(name="c", image=image)], terminationGracePeriodSeconds=0),
    )
    fields = {
        "replicas": replicas,
        "serviceName": name,
        "selector": LabelSelector(matchLabels=chosen),
        "template": template,
        "podManagementPolicy": "OrderedReady",
        "revisionHistoryLimit": 10,
    }
    return StatefulSet(
        metadata=a_meta(name, namespace, deleting=deleting, **{"generation": 1, **(meta or {})}),
        spec=StatefulSetSpec(**{**fields, **spec}),
    )


def a_node(
    name: str = "node-0",
    *,
    ready: bool = True,
    labels: dict[str, str] | None = None,
    address: str = "172.30.0.10",
    capacity: dict[str, str] | None = None,
    taints: list[Taint] | None = None,
    unschedulable: bool = False,
) -> Node:
    """A node with room for everything."""
    room = {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi", **(capacity or {})}
    return Node(
        metadata=a_meta(name, "", labels={"kubernetes.io/hostname": name, **(labels or {})}),
        spec=NodeSpec(taints=taints or [], unschedulable=unschedulable or None),
        status=NodeStatus(
            capacity=room,
            allocatable=room,
            addresses=[NodeAddress(type="InternalIP", address=address), NodeAddress(type="Hostname", address=name)],
            conditions=[NodeCondition(type="Ready", status="True" if ready else "False", reason="KubeletReady")],
        ),
    )


def a_service(
    name: str = "db",
    *,
    namespace: str = NAMESPACE,
    selector: dict[str, str] | None = None,
    ports: list[ServicePort] | None = None,
    headless: bool = False,
    meta: dict[str, Any] | None = None,
    **spec: Any,
) -> Service:
    """A service in front of the pods that `a_pod` builds; more keywords are fields of the spec."""
    address = "None" if headless else "10.96.0.99"
    fields = {
        "selector": LABELS if selector is None else selector,
        "ports": [ServicePort(port=80, protocol="TCP", targetPort=8080)] if ports is None else ports,
        "clusterIP": address,
        "clusterIPs": [address],
        "ipFamilies": ["IPv4"],
        "type": "ClusterIP",
    }
    return Service(metadata=a_meta(name, namespace, **(meta or {})), spec=ServiceSpec(**{**fields, **spec}))


def a_namespace(name: str = NAMESPACE, *, deleting: bool = False, phase: str = "") -> Namespace:
    """A namespace, by its phase or by whether it is being deleted."""
    return Namespace(
        metadata=a_meta(name, "", deleting=deleting),
        status=NamespaceStatus(phase=phase or ("Terminating" if deleting else "Active")),
    )
