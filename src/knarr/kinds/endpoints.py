"""Endpoints: the addresses behind a service, in the old form; clients still read it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import fill_zero, items
from knarr.kinds.types.core_v1 import EndpointAddress, EndpointPort, Endpoints
from knarr.meta import field
from knarr.meta.field import FieldError, at

SHOWN = 3  #: how many addresses a row shows


def defaults(tree: Tree) -> None:
    for subset in items(tree, "subsets"):
        for port in items(subset, "ports"):
            fill_zero(port, protocol="TCP")


def validate(endpoints: Endpoints) -> Iterator[FieldError]:
    for index, subset in enumerate(endpoints.subsets):
        path = at("subsets", index)
        if not subset.addresses and not subset.notReadyAddresses:
            yield field.required(path, "must specify `addresses` or `notReadyAddresses`")
        for name in ("addresses", "notReadyAddresses"):
            for number, address in enumerate(getattr(subset, name)):
                yield from address_errors(address, at(path, name, number))
        for number, port in enumerate(subset.ports):
            yield from port_errors(port, at(path, "ports", number), several=len(subset.ports) > 1)


def address_errors(address: EndpointAddress, path: str) -> Iterator[FieldError]:
    yield from rules.ip(address.ip, at(path, "ip"))
    if address.hostname:
        yield from rules.dns_label(address.hostname, at(path, "hostname"))
    if address.nodeName:
        yield from rules.dns_subdomain(address.nodeName, at(path, "nodeName"))
    yield from rules.ordinary_ip(address.ip, at(path, "ip"))


def port_errors(port: EndpointPort, path: str, *, several: bool) -> Iterator[FieldError]:
    if port.name:
        yield from rules.dns_label(port.name, at(path, "name"))
    elif several:
        yield field.required(at(path, "name"))
    yield from rules.port_number(port.port, at(path, "port"))
    yield from rules.required_one_of(port.protocol, rules.PROTOCOLS, at(path, "protocol"))
    if port.appProtocol:
        yield from rules.qualified_name(port.appProtocol, at(path, "appProtocol"))


def addresses(endpoints: Endpoints) -> Iterator[str]:
    """Every ready address with each port: "10.1.1.1:80"."""
    for subset in endpoints.subsets:
        if not subset.ports:
            yield from (address.ip for address in subset.addresses)
        for port in subset.ports:
            for address in subset.addresses:
                host = f"[{address.ip}]" if ":" in address.ip else address.ip
                yield f"{host}:{port.port}"


def row(endpoints: Endpoints, now: datetime) -> Sequence[object]:
    listed = list(addresses(endpoints))
    text = ",".join(listed[:SHOWN])
    if len(listed) > SHOWN:
        text += f" + {len(listed) - SHOWN} more..."
    return endpoints.metadata.name, text if endpoints.subsets else cells.NONE, cells.age(endpoints, now)


KIND = Kind(
    type=Endpoints,
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    singular="endpoints",
    short_names=("ep",),
    defaults=defaults,
    validate=validate,
    validate_update=lambda new, old: validate(new),
    columns=(NAME_COLUMN, Column("Endpoints"), AGE_COLUMN),
    row=row,
)
