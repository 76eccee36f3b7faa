"""ServiceCIDR: a range that the addresses of services may come from."""

import ipaddress
from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import keep_spec, keep_status
from knarr.kinds.types.networking_v1 import ServiceCIDR
from knarr.meta import field
from knarr.meta.field import FieldError, at

ONE_OF_EACH = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
PATH = "spec.cidrs"


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


def validate(range_: ServiceCIDR) -> Iterator[FieldError]:
    given = range_.spec.cidrs
    if not given:
        yield field.required(PATH, "at least one CIDR required")
    elif len(given) > 2:
        yield field.wrong(PATH, given, "may only hold up to 2 values")
    elif len(given) == 2 and families(given) != {4, 6}:
        yield field.wrong(PATH, given, ONE_OF_EACH)
    else:
        for index, text in enumerate(given):
            yield from rules.cidr(text, at(PATH, index))


def families(given: Sequence[str]) -> set[int]:
    """The address families of ranges; none for texts that are no ranges."""
    try:
        return {ipaddress.ip_network(text, strict=False).version for text in given}
    except ValueError:
        return set()


def validate_update(new: ServiceCIDR, old: ServiceCIDR) -> Iterator[FieldError]:
    yield from rules.unchanged(new.spec.cidrs, old.spec.cidrs, PATH)


def row(range_: ServiceCIDR, now: datetime) -> Sequence[object]:
    return range_.metadata.name, ",".join(range_.spec.cidrs), cells.age(range_, now)


KIND = Kind(
    type=ServiceCIDR,
    group="networking.k8s.io",
    version="v1",
    kind="ServiceCIDR",
    plural="servicecidrs",
    singular="servicecidr",
    namespaced=False,
    subresources={"status": ("get", "patch", "update")},
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    validate_update=validate_update,
    columns=(NAME_COLUMN, Column("CIDRs"), AGE_COLUMN),
    row=row,
)
