"""What claims to devices, their templates and the classes of devices must keep to.

Selectors are expressions in CEL: they are kept, and none is compiled. Called by the kinds of `resource.k8s.io`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from knarr.kinds import rules
from knarr.kinds.kind import Tree
from knarr.kinds.trees import fill_zero, items, part
from knarr.kinds.types.resource_v1 import (
    DeviceClaim,
    DeviceConstraint,
    DeviceRequest,
    DeviceSelector,
    DeviceSubRequest,
    ExactDeviceRequest,
    OpaqueDeviceConfiguration,
    ResourceClaimSpec,
)
from knarr.kinds.volume_sources import driver
from knarr.meta import field
from knarr.meta.field import FieldError, at

MOST = 32  #: requests, constraints, configurations and selectors
MOST_ALTERNATIVES = 8
LONGEST_EXPRESSION = 10 * 1024
ALL, EXACT = "All", "ExactCount"
ONE_KIND = "exactly one of `exactly` or `firstAvailable` is required"
ONE_ATTRIBUTE = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
OF_A_REQUEST = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"

T = TypeVar("T")
Request = ExactDeviceRequest | DeviceSubRequest


def claim_defaults(spec: Tree) -> None:
    """What a claim's requests ask for when they do not say: one device."""
    for request in items(part(spec, "devices"), "requests"):
        exactly = [request["exactly"]] if request.get("exactly") is not None else []
        for asked in (*exactly, *items(request, "firstAvailable")):
            fill_zero(asked, allocationMode=EXACT)
            if asked["allocationMode"] == EXACT:
                fill_zero(asked, count=1)


def claim_rules(spec: ResourceClaimSpec, path: str) -> Iterator[FieldError]:
    claim, path = spec.devices or DeviceClaim(), at(path, "devices")
    names = set(request_names(claim))
    yield from named_set(claim.requests, MOST, request_rules, lambda request: request.name, at(path, "requests"))
    yield from limited(claim.constraints, MOST, at(path, "constraints"))
    for index, constraint in enumerate(claim.constraints):
        yield from constraint_rules(constraint, names, at(path, "constraints", index))
    yield from limited(claim.config, MOST, at(path, "config"))
    for index, config in enumerate(claim.config):
        where = at(path, "config", index)
        yield from references(config.requests, names, at(where, "requests"))
        yield from opaque(config.opaque, at(where, "opaque"))


def request_names(claim: DeviceClaim) -> Iterator[str]:
    """How a claim's requests can be called: "gpu", or "gpu/small" for one of its alternatives."""
    for request in claim.requests:
        yield request.name
        yield from (f"{request.name}/{other.name}" for other in request.firstAvailable)


def request_rules(request: DeviceRequest, path: str) -> Iterator[FieldError]:
    yield from rules.dns_label(request.name, at(path, "name"))
    if request.exactly is not None and request.firstAvailable:
        yield field.wrong(path, None, f"{ONE_KIND}, but multiple fields are set")
    elif request.exactly is not None:
        yield from asked_rules(request.exactly, at(path, "exactly"))
    elif request.firstAvailable:
        where = at(path, "firstAvailable")
        yield from named_set(request.firstAvailable, MOST_ALTERNATIVES, alternative, lambda other: other.name, where)
    else:
        yield field.required(path, ONE_KIND)


def alternative(request: DeviceSubRequest, path: str) -> Iterator[FieldError]:
    yield from rules.dns_label(request.name, at(path, "name"))
    yield from asked_rules(request, path)


def asked_rules(request: Request, path: str) -> Iterator[FieldError]:
    if not request.deviceClassName:
        yield field.required(at(path, "deviceClassName"))
    else:
        yield from rules.dns_subdomain(request.deviceClassName, at(path, "deviceClassName"))
    yield from selectors(request.selectors, at(path, "selectors"))
    count = request.count or 0
    if request.allocationMode == ALL and count:
        yield field.wrong(at(path, "count"), count, "must not be specified when allocationMode is 'All'")
    elif request.allocationMode == EXACT and count <= 0:
        yield field.wrong(at(path, "count"), count, rules.POSITIVE)
    yield from rules.one_of(request.allocationMode, (ALL, EXACT), at(path, "allocationMode"))


def selectors(given: Sequence[DeviceSelector], path: str) -> Iterator[FieldError]:
    yield from limited(given, MOST, path)
    for index, selector in enumerate(given):
        where = at(path, index, "cel")
        if selector.cel is None:
            yield field.required(where)
        elif len(selector.cel.expression.encode()) > LONGEST_EXPRESSION:
            yield field.too_long(at(where, "expression"), LONGEST_EXPRESSION)


def constraint_rules(constraint: DeviceConstraint, names: Collection[str], path: str) -> Iterator[FieldError]:
    yield from references(constraint.requests, names, at(path, "requests"))
    for key in ("matchAttribute", "distinctAttribute"):
        if value := getattr(constraint, key):
            yield from attribute_name(value, at(path, key))
            return
    yield field.required(path, ONE_ATTRIBUTE)


def attribute_name(value: str, path: str) -> Iterator[FieldError]:
    """An attribute's name with the domain that it belongs to."""
    domain, slash, name = value.partition("/")
    if not slash:
        yield field.wrong(path, value, "must include a domain")
    elif not domain or not name:
        yield field.wrong(path, value, "the domain must not be empty" if not domain else "the name must not be empty")
    else:
        yield from rules.dns_subdomain(domain, path)


def references(given: Sequence[str], names: Collection[str], path: str) -> Iterator[FieldError]:
    """Names of requests that the claim has."""

    def known(name: str, path: str) -> Iterable[FieldError]:
        return [] if name in names else [field.wrong(path, name, OF_A_REQUEST)]

    yield from named_set(given, MOST, known, lambda name: name, path)


def opaque(config: OpaqueDeviceConfiguration | None, path: str) -> Iterator[FieldError]:
    if config is None:
        yield field.required(path)
        return
    yield from driver(config.driver, at(path, "driver"))
    if not config.parameters:
        yield field.required(at(path, "parameters"))


def named_set(
    given: Sequence[T],
    most: int,
    rule: Callable[[T, str], Iterable[FieldError]],
    name: Callable[[T], str],
    path: str,
) -> Iterator[FieldError]:
    """A list of limited length whose items keep to a rule and have names of their own."""
    yield from limited(given, most, path)
    seen: set[str] = set()
    for index, item in enumerate(given):
        yield from rule(item, at(path, index))
        if name(item) in seen:
            yield field.duplicate(at(path, index), name(item))
        seen.add(name(item))


def limited(given: Sequence[object], most: int, path: str) -> Iterator[FieldError]:
    if len(given) > most:
        yield field.too_many(path, len(given), most)
