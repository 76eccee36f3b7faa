"""APIService: who serves a group version. Those of this server are its own; of others only the entry is kept."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import keep_spec, keep_status, part
from knarr.kinds.types.apiregistration_v1 import APIService
from knarr.meta import clock, field, names
from knarr.meta.field import FieldError, at

MOST_GROUP, MOST_VERSION = 20000, 1000


def defaults(tree: Tree) -> None:
    if service := part(tree, "spec", "service"):
        service.setdefault("port", 443)


def prepare_create(tree: Tree) -> None:
    """What this very server serves is there at once."""
    tree["status"] = {}
    if not part(tree, "spec").get("service"):
        condition = {
            "type": "Available",
            "status": "True",
            "lastTransitionTime": clock.timestamp(),
            "reason": "Local",
            "message": "Local APIServices are always available",
        }
        tree["status"]["conditions"] = [condition]


def validate(service: APIService) -> Iterator[FieldError]:
    spec = service.spec
    if (wanted := f"{spec.version}.{spec.group}") != service.metadata.name:
        message = f'must be `spec.version+"."+spec.group`: "{wanted}"'
        yield field.wrong("metadata.name", service.metadata.name, message)
    if not spec.group and spec.version != "v1":
        yield field.required("spec.group", "only v1 may have an empty group and it better be legacy kube")
    if spec.group:
        yield from rules.dns_subdomain(spec.group, "spec.group")
    yield from rules.wrong("spec.version", spec.version, names.label_1035_errors(spec.version))
    for name, most in (("groupPriorityMinimum", MOST_GROUP), ("versionPriority", MOST_VERSION)):
        if not 0 < (value := getattr(spec, name)) <= most:
            yield field.wrong(at("spec", name), value, f"must be positive and less than {most}")
    yield from backend(service)


def backend(service: APIService) -> Iterator[FieldError]:
    spec = service.spec
    if spec.service is None:
        if spec.caBundle:
            shown = f"{len(spec.caBundle)} bytes"
            yield field.wrong("spec.caBundle", shown, "local APIServices may not have a caBundle")
        if spec.insecureSkipTLSVerify:
            message = "local APIServices may not have insecureSkipTLSVerify"
            yield field.wrong("spec.insecureSkipTLSVerify", True, message)
        return
    yield from rules.needed("spec.service", namespace=spec.service.namespace, name=spec.service.name)
    if spec.service.port is not None:
        yield from rules.port_number(spec.service.port, "spec.service.port")
    if spec.insecureSkipTLSVerify and spec.caBundle:
        yield field.wrong("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present")


def available(service: APIService) -> str:
    found = next((c for c in service.status.conditions if c.type == "Available"), None)
    if found is None:
        return "Unknown"
    return found.status if found.status == "True" else f"{found.status} ({found.reason})"


def row(service: APIService, now: datetime) -> Sequence[object]:
    behind = service.spec.service
    shown = f"{behind.namespace}/{behind.name}" if behind else "Local"
    return service.metadata.name, shown, available(service), cells.age(service, now)


KIND = Kind(
    type=APIService,
    group="apiregistration.k8s.io",
    version="v1",
    kind="APIService",
    plural="apiservices",
    singular="apiservice",
    namespaced=False,
    categories=("api-extensions",),
    subresources={"status": ("get", "patch", "update")},
    name_rule="path",
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    columns=(NAME_COLUMN, Column("Service"), Column("Available"), AGE_COLUMN),
    row=row,
)
