"""LimitRange: bounds and defaults for what pods, containers and claims of a namespace ask for."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from knarr.kinds import rules
from knarr.kinds.kind import NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.resources import container_resource_name, may_overcommit, resource_name
from knarr.kinds.trees import child, items
from knarr.kinds.types.core_v1 import LimitRange, LimitRangeItem
from knarr.meta import field, quantity
from knarr.meta.field import FieldError, at, at_key

TYPES = ("Pod", "Container", "PersistentVolumeClaim")


def defaults(tree: Tree) -> None:
    for item in items(child(tree, "spec"), "limits"):
        item_defaults(item)


def item_defaults(item: Tree) -> None:
    """A container's default limit is the maximum; its default request the default limit, else the minimum."""
    if item.get("type") != "Container":
        return
    limit = {**(item.get("max") or {}), **(item.get("default") or {})}
    request = {**(item.get("min") or {}), **limit, **(item.get("defaultRequest") or {})}
    if limit:
        item["default"] = limit
    if request:
        item["defaultRequest"] = request


def validate(range_: LimitRange) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, item in enumerate(range_.spec.limits):
        path = at("spec.limits", index)
        faults = list(rules.qualified_name(item.type, at(path, "type")))
        yield from faults
        if not faults and "/" not in item.type and item.type not in TYPES:
            yield field.wrong(at(path, "type"), item.type, "must be a standard limit type or fully qualified")
        if item.type in seen:
            yield field.duplicate(at(path, "type"), item.type)
        seen.add(item.type)
        yield from item_errors(item, path)


def item_errors(item: LimitRangeItem, path: str) -> Iterator[FieldError]:
    rule = container_resource_name if item.type in ("Pod", "Container") else resource_name
    bounds = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
    used: dict[str, None] = {}
    for name in bounds:
        given: Mapping[str, str] = getattr(item, name)
        if item.type == "Pod" and name.startswith("default"):
            if given:
                yield field.forbidden(at(path, name), "may not be specified when `type` is 'Pod'")
            continue
        if name == "maxLimitRequestRatio" and item.type == "PersistentVolumeClaim" and not storage_bound(item):
            message = "either minimum or maximum storage value is required, but neither was provided"
            yield field.required(at(path, "limits"), message)
        for resource in given:
            yield from rule(resource, at_key(at(path, name), resource))
            used[resource] = None
    for resource in used:
        yield from consistent(item, resource, path)


def storage_bound(item: LimitRangeItem) -> bool:
    return "storage" in item.min or "storage" in item.max


LABELS = {"min": "min", "max": "max", "default": "default", "defaultRequest": "default request"}
PAIRS = (  # what must not exceed what, at which of the two the message points, and which value it shows first
    ("min", "max", "min", "min"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest"),
    ("min", "default", "default", "min"),
    ("default", "max", "default", "max"),
)


def consistent(item: LimitRangeItem, resource: str, path: str) -> Iterator[FieldError]:
    """The bounds of one resource against one another."""
    pod = item.type == "Pod"
    names = ("min", "max", *(() if pod else ("default", "defaultRequest")))
    given = {name: getattr(item, name)[resource] for name in names if resource in getattr(item, name)}
    amounts = {name: quantity.parse(value) for name, value in given.items()}
    for small, large, where, shown in PAIRS:
        if small in given and large in given and amounts[small] > amounts[large]:
            limit = "default limit" if (small, large) == ("defaultRequest", "default") else LABELS[large]
            text = f"{LABELS[small]} value {given[small]} is greater than {limit} value {given[large]}"
            yield field.wrong(at_key(at(path, where), resource), given[shown], text)
    ratio = item.maxLimitRequestRatio.get(resource)
    if ratio is not None:
        where = at_key(at(path, "maxLimitRequestRatio"), resource)
        yield from ratio_errors(ratio, amounts.get("min"), amounts.get("max"), where)
    default, request = given.get("default"), given.get("defaultRequest")
    if default is None or request is None or may_overcommit(resource):
        return
    if amounts["default"] != amounts["defaultRequest"]:
        message = f"default value {default} must equal to defaultRequest value {request} in {resource}"
        yield field.wrong(at_key(at(path, "defaultRequest"), resource), request, message)


def ratio_errors(
    ratio: str, least: quantity.Quantity | None, most: quantity.Quantity | None, path: str
) -> Iterator[FieldError]:
    value = quantity.parse(ratio)
    if value < quantity.of(1):
        yield field.wrong(path, ratio, f"ratio {ratio} is less than 1")
    if least and most is not None and value.nano * least.nano > most.nano * quantity.NANO:
        message = f"ratio {ratio} is greater than max/min = {Decimal(most.nano) / least.nano:.6f}"
        yield field.wrong(path, ratio, message)


def row(range_: LimitRange, now: datetime) -> Sequence[object]:
    return range_.metadata.name, range_.metadata.creationTimestamp


KIND = Kind(
    type=LimitRange,
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    singular="limitrange",
    short_names=("limits",),
    defaults=defaults,
    validate=validate,
    validate_update=lambda new, old: validate(new),
    columns=(NAME_COLUMN, Column("Created At", "date")),
    row=row,
)
