"""EndpointSlice: a part of the addresses behind a service."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import fill, items
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from knarr.meta import field, names
from knarr.meta.field import FieldError
from knarr.meta.label_rules import validate_labels

ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
MOST_ENDPOINTS, MOST_ADDRESSES, MOST_PORTS, MOST_LABELS, MOST_HINTS = 1000, 100, 20000, 16, 8
SERVICE_LABEL = "kubernetes.io/service-name"


def defaults(tree: Tree) -> None:
    for port in items(tree, "ports"):
        fill(port, name="", protocol="TCP")


def validate(slice_: EndpointSlice) -> Iterable[FieldError]:
    yield from rules.required_one_of(slice_.addressType, ADDRESS_TYPES, "addressType")
    if len(slice_.endpoints) > MOST_ENDPOINTS:
        yield field.too_many("endpoints", len(slice_.endpoints), MOST_ENDPOINTS)
    for index, endpoint in enumerate(slice_.endpoints):
        yield from _endpoint(endpoint, slice_.addressType, field.at("endpoints", index))
    yield from _ports(slice_.ports)


def _endpoint(endpoint: Endpoint, type_: str, path: str) -> Iterator[FieldError]:
    at = field.at(path, "addresses")
    if not endpoint.addresses:
        yield field.required(at, "must contain at least 1 address")
    elif len(endpoint.addresses) > MOST_ADDRESSES:
        yield field.too_many(at, len(endpoint.addresses), MOST_ADDRESSES)
    for index, address in enumerate(endpoint.addresses):
        yield from _address(address, type_, field.at(at, index))
    if endpoint.nodeName is not None:
        yield from rules.dns_subdomain(endpoint.nodeName, field.at(path, "nodeName"))
    at = field.at(path, "deprecatedTopology")
    if len(endpoint.deprecatedTopology) > MOST_LABELS:
        yield field.too_many(at, len(endpoint.deprecatedTopology), MOST_LABELS)
    yield from validate_labels(endpoint.deprecatedTopology, at)
    if endpoint.hostname is not None:
        yield from rules.dns_label(endpoint.hostname, field.at(path, "hostname"))
    if endpoint.hints is not None:
        zones, nodes = ([each.name for each in of] for of in (endpoint.hints.forZones, endpoint.hints.forNodes))
        yield from _hints(zones, names.label_value_errors, field.at(path, "hints", "forZones"))
        yield from _hints(nodes, names.subdomain_errors, field.at(path, "hints", "forNodes"))


def _hints(given: Sequence[str], errors: Callable[[str], list[str]], path: str) -> Iterator[FieldError]:
    """For whom an endpoint is meant: some names, each once."""
    if len(given) > MOST_HINTS:
        yield field.too_many(path, len(given), MOST_HINTS)
        return
    for index, name in enumerate(given):
        at = field.at(path, index, "name")
        if name in given[:index]:
            yield field.duplicate(at, name)
        yield from rules.wrong(at, name, errors(name))


def _domain(name: str, path: str) -> Iterator[FieldError]:
    """A name of at least two labels; its last dot may be written."""
    if not name:
        yield field.required(path)
        return
    whole = name.removesuffix(".")
    if errors := names.subdomain_errors(whole):
        yield field.wrong(path, whole, ",".join(errors))
    elif "." not in whole:
        yield field.wrong(path, whole, "should be a domain with at least two segments separated by dots")


def _address(address: str, type_: str, path: str) -> Iterator[FieldError]:
    if type_ == "FQDN":
        yield from _domain(address, path)
        return
    parsed = rules.address_of(address)
    if parsed is None:
        yield from rules.ip(address, path)
    elif type_ in ("IPv4", "IPv6") and f"IPv{parsed.version}" != type_:
        yield field.wrong(path, address, f"must be an {type_} address")
    else:
        yield from rules.ordinary_ip(address, path)


def _ports(ports: Sequence[EndpointPort]) -> Iterator[FieldError]:
    if len(ports) > MOST_PORTS:
        yield field.too_many("ports", len(ports), MOST_PORTS)
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path = field.at("ports", index)
        name = port.name or ""
        if name:
            yield from rules.dns_label(name, field.at(path, "name"))
        if name in seen:
            yield field.duplicate(field.at(path, "name"), name)
        seen.add(name)
        yield from rules.required_one_of(port.protocol, rules.PROTOCOLS, field.at(path, "protocol"))
        if port.appProtocol:
            yield from rules.qualified_name(port.appProtocol, field.at(path, "appProtocol"))


def validate_update(new: EndpointSlice, old: EndpointSlice) -> Iterable[FieldError]:
    if new.addressType != old.addressType:
        yield field.wrong("addressType", new.addressType, rules.IMMUTABLE)
    else:
        yield from validate(new)


SHOWN = 3  #: how many ports and addresses a cell lists before it says "+ N more..."


def _listed(values: Sequence[str]) -> str:
    if not values:
        return cells.UNSET
    more = f" + {len(values) - SHOWN} more..." if len(values) > SHOWN else ""
    return ",".join(values[:SHOWN]) + more


def row(slice_: EndpointSlice, now: datetime) -> Sequence[object]:
    ports = [str(port.port) if port.port is not None else "*" for port in slice_.ports]
    addresses = [address for endpoint in slice_.endpoints for address in endpoint.addresses]
    return (
        slice_.metadata.name,
        slice_.addressType,
        _listed(ports),
        _listed(addresses),
        cells.age(slice_, now),
    )


KIND = Kind(
    type=EndpointSlice,
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    singular="endpointslice",
    generation=True,
    defaults=defaults,
    validate=validate,
    validate_update=validate_update,
    columns=(NAME_COLUMN, Column("AddressType"), Column("Ports"), Column("Endpoints"), AGE_COLUMN),
    row=row,
)
