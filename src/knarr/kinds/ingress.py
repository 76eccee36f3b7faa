"""Ingress: how requests from outside find services, by host and path."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import keep_spec, keep_status
from knarr.kinds.types.networking_v1 import HTTPIngressPath, Ingress, IngressBackend, IngressSpec
from knarr.meta import field, names
from knarr.meta.field import FieldError, at

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
FORBIDDEN_PARTS = ("//", "/./", "/../", "%2f", "%2F")
FORBIDDEN_ENDS = ("/..", "/.")
SHOWN = 3  #: hosts that a table names before it only counts them


def prepare_create(tree: Tree) -> None:
    tree["status"] = {"loadBalancer": {}}


def validate(ingress: Ingress) -> Iterator[FieldError]:
    spec = ingress.spec
    annotated = CLASS_ANNOTATION in ingress.metadata.annotations
    if annotated and spec.ingressClassName is not None:
        message = "can not be set when the class field is also set"
        path = field.at_key("metadata.annotations", CLASS_ANNOTATION)
        yield field.wrong(path, ingress.metadata.annotations[CLASS_ANNOTATION], message)
    if not spec.rules and spec.defaultBackend is None:
        yield field.wrong("spec", [], "either `defaultBackend` or `rules` must be specified")
    if spec.defaultBackend is not None:
        yield from backend_rules(spec.defaultBackend, "spec.defaultBackend")
    yield from host_rules(spec)
    for index, tls in enumerate(spec.tls):
        for number, host in enumerate(tls.hosts):
            yield from host_name(host, at("spec", "tls", index, "hosts", number))
    if spec.ingressClassName is not None:
        yield from rules.dns_subdomain(spec.ingressClassName, "spec.ingressClassName")


def host_rules(spec: IngressSpec) -> Iterator[FieldError]:
    for index, rule in enumerate(spec.rules):
        path = at("spec", "rules", index)
        if rule.host:
            if rules.address_of(rule.host) is not None:
                yield field.wrong(at(path, "host"), rule.host, "must be a DNS name, not an IP address")
            else:
                yield from host_name(rule.host, at(path, "host"))
        if rule.http is None:
            continue
        if not rule.http.paths:
            yield field.required(at(path, "http", "paths"))
        for number, found in enumerate(rule.http.paths):
            yield from path_rules(found, at(path, "http", "paths", number))


def host_name(value: str, path: str) -> Sequence[FieldError]:
    check = names.wildcard_errors if "*" in value else names.subdomain_errors
    return rules.wrong(path, value, check(value))


def path_rules(found: HTTPIngressPath, path: str) -> Iterator[FieldError]:
    where = at(path, "path")
    if not found.pathType:
        yield field.required(at(path, "pathType"), "pathType must be specified")
    elif found.pathType not in PATH_TYPES:
        yield field.unsupported(at(path, "pathType"), found.pathType, PATH_TYPES)
    elif found.pathType == "ImplementationSpecific":
        if found.path and not found.path.startswith("/"):
            yield field.wrong(where, found.path, "must be an absolute path")
    else:
        if not found.path.startswith("/"):
            yield field.wrong(where, found.path, "must be an absolute path")
        for part in FORBIDDEN_PARTS:
            if part in found.path:
                yield field.wrong(where, found.path, f"must not contain '{part}'")
        for end in FORBIDDEN_ENDS:
            if found.path.endswith(end):
                yield field.wrong(where, found.path, f"cannot end with '{end}'")
    yield from backend_rules(found.backend, at(path, "backend"))


def backend_rules(backend: IngressBackend, path: str) -> Iterator[FieldError]:
    service, resource = backend.service, backend.resource
    if service is not None and resource is not None:
        yield field.wrong(path, "", "cannot set both resource and service backends")
    elif service is None and resource is None:
        yield field.wrong(path, "", "resource or service backend is required")
    elif service is not None:
        where = at(path, "service")
        if not service.name:
            yield field.required(at(where, "name"))
        else:
            yield from rules.dns_label(service.name, at(where, "name"))
        number, name = (service.port.number or 0, service.port.name) if service.port is not None else (0, "")
        if name and number:
            yield field.wrong(where, "", "cannot set both port name & port number")
        elif name:
            yield from rules.port_name(name, at(where, "port", "name"))
        elif number:
            yield from rules.port_number(number, at(where, "port", "number"))
        else:
            yield field.required(where, "port name or number is required")


def shown_hosts(spec: IngressSpec) -> str:
    hosts = [rule.host for rule in spec.rules if rule.host]
    more = f" + {len(hosts) - SHOWN} more..." if len(hosts) > SHOWN else ""
    return ",".join(hosts[:SHOWN]) + more or "*"


def row(ingress: Ingress, now: datetime) -> Sequence[object]:
    spec, balancer = ingress.spec, ingress.status.loadBalancer
    addresses = [entry.ip or entry.hostname for entry in (balancer.ingress if balancer is not None else ())]
    class_ = spec.ingressClassName or ingress.metadata.annotations.get(CLASS_ANNOTATION) or cells.NONE
    ports = "80, 443" if spec.tls else "80"
    return (
        ingress.metadata.name,
        class_,
        shown_hosts(spec),
        ",".join(a for a in addresses if a),
        ports,
        cells.age(ingress, now),
    )


KIND = Kind(
    type=Ingress,
    group="networking.k8s.io",
    version="v1",
    kind="Ingress",
    plural="ingresses",
    singular="ingress",
    short_names=("ing",),
    subresources={"status": ("get", "patch", "update")},
    generation=True,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    columns=(NAME_COLUMN, *(Column(name) for name in ("Class", "Hosts", "Address", "Ports")), AGE_COLUMN),
    row=row,
)
