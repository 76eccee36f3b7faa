"""IPAddress: one address that is taken, and by what."""

import ipaddress
from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.types.networking_v1 import IPAddress
from knarr.meta import field, names
from knarr.meta.field import FieldError, at

PARENT = "spec.parentRef"


def validate(address: IPAddress) -> Iterator[FieldError]:
    name = address.metadata.name
    try:
        if str(ipaddress.ip_address(name)) != name:
            yield field.wrong("metadata.name", name, "must be a valid IP address in canonical form")
    except ValueError:
        yield field.wrong("metadata.name", name, "must be a valid IP address")
    parent = address.spec.parentRef
    if parent.group:
        yield from rules.dns_subdomain(parent.group, at(PARENT, "group"))
    yield from rules.needed(PARENT, resource=parent.resource, name=parent.name)
    for key in ("resource", "name", "namespace"):
        if value := getattr(parent, key):
            yield from rules.wrong(at(PARENT, key), value, names.path_segment_errors(value))


def validate_update(new: IPAddress, old: IPAddress) -> Iterator[FieldError]:
    yield from rules.unchanged(new.spec.parentRef, old.spec.parentRef, PARENT)


def row(address: IPAddress, now: datetime) -> Sequence[object]:
    parent = address.spec.parentRef
    resource = f"{parent.resource}.{parent.group}" if parent.group else parent.resource
    shown = "/".join(text for text in (resource.lower(), parent.namespace, parent.name) if text)
    return address.metadata.name, shown, cells.age(address, now)


KIND = Kind(
    type=IPAddress,
    group="networking.k8s.io",
    version="v1",
    kind="IPAddress",
    plural="ipaddresses",
    singular="ipaddress",
    namespaced=False,
    short_names=("ip",),
    name_rule="path",
    validate=validate,
    validate_update=validate_update,
    columns=(NAME_COLUMN, Column("ParentRef"), AGE_COLUMN),
    row=row,
)
