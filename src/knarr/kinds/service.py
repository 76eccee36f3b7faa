"""Service: a name and an address in front of a set of pods.

Addresses, address families and node ports are the registry's allocator's to give; here they are only kept consistent.
"""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells, service_rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import child, fill, fill_zero, items, keep_spec, keep_status
from knarr.kinds.types.core_v1 import LoadBalancerStatus, Service, ServicePort

AFFINITY_SECONDS = 10800


def is_headless(service: Service) -> bool:
    """Whether DNS gives the pods' own addresses."""
    return service.spec.clusterIP == "None"


def is_external(spec: Tree) -> bool:
    """Whether a service's spec lets traffic in from outside the cluster."""
    type_ = spec.get("type")
    return type_ in ("LoadBalancer", "NodePort") or (type_ == "ClusterIP" and bool(spec.get("externalIPs")))


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    child(child(tree, "status"), "loadBalancer")
    fill_zero(spec, sessionAffinity="None", type="ClusterIP")
    affinity_defaults(spec)
    for port in items(spec, "ports"):
        fill_zero(port, protocol="TCP", targetPort=port.get("port", 0))
    if is_external(spec):
        fill_zero(spec, externalTrafficPolicy="Cluster")
    if spec["type"] in ("ClusterIP", "NodePort", "LoadBalancer"):
        fill(spec, internalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        fill(spec, allocateLoadBalancerNodePorts=True)
        for ingress in items(tree["status"]["loadBalancer"], "ingress"):
            if ingress.get("ip"):
                fill(ingress, ipMode="VIP")


def affinity_defaults(spec: Tree) -> None:
    if spec["sessionAffinity"] == "ClientIP":
        fill(child(child(spec, "sessionAffinityConfig"), "clientIP"), timeoutSeconds=AFFINITY_SECONDS)
    elif spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)


def prepare_create(tree: Tree) -> None:
    tree["status"] = {"loadBalancer": {}}


COLUMNS = (
    NAME_COLUMN,
    Column("Type"),
    Column("Cluster-IP"),
    Column("External-IP"),
    Column("Port(s)"),
    AGE_COLUMN,
    Column("Selector", priority=1),
)


def row(service: Service, now: datetime) -> Sequence[object]:
    spec = service.spec
    return (
        service.metadata.name,
        spec.type,
        spec.clusterIPs[0] if spec.clusterIPs else cells.NONE,
        external_address(service),
        ",".join(map(port_text, spec.ports)) or cells.NONE,
        cells.age(service, now),
        cells.labels(spec.selector),
    )


def port_text(port: ServicePort) -> str:
    """80/TCP, or 80:30080/TCP with a node port."""
    return f"{port.port}:{port.nodePort}/{port.protocol}" if port.nodePort else f"{port.port}/{port.protocol}"


def external_address(service: Service) -> str:
    """Where a service is reached from outside, as `kubectl get` shows it."""
    spec = service.spec
    if spec.type in ("ClusterIP", "NodePort"):
        return ",".join(spec.externalIPs) or cells.NONE
    if spec.type == "LoadBalancer":
        given = (service.status.loadBalancer or LoadBalancerStatus()).ingress
        balancers = sorted({ingress.ip or ingress.hostname for ingress in given} - {""})
        return ",".join([*balancers, *spec.externalIPs]) or "<pending>"
    return spec.externalName if spec.type == "ExternalName" else cells.UNKNOWN


KIND = Kind(
    type=Service,
    group="",
    version="v1",
    kind="Service",
    plural="services",
    singular="service",
    short_names=("svc",),
    categories=("all",),
    subresources={
        "proxy": ("create", "delete", "get", "patch", "update"),
        "status": ("get", "patch", "update"),
    },
    name_rule="label",
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=service_rules.validate,
    validate_update=service_rules.validate_update,
    validate_status=service_rules.validate_status,
    warnings=service_rules.warnings,
    columns=COLUMNS,
    row=row,
    selectable={
        "spec.clusterIP": lambda service: service.spec.clusterIP,
        "spec.type": lambda service: service.spec.type,
    },
)
