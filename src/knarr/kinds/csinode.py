"""CSINode: which CSI drivers a node has."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.types.storage_v1 import CSINode, CSINodeDriver
from knarr.kinds.volume_sources import driver as driver_name
from knarr.meta import field
from knarr.meta.field import FieldError, at

LONGEST_ID = 192


def validate(node: CSINode) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, driver in enumerate(node.spec.drivers):
        path = at("spec", "drivers", index)
        yield from driver_name(driver.name, at(path, "name"))
        yield from node_id(driver.nodeID, at(path, "nodeID"))
        if driver.allocatable is not None:
            yield from rules.not_negative(driver.allocatable.count, at(path, "allocatable", "count"))
        if driver.name in seen:
            yield field.duplicate(at(path, "name"), driver.name)
        seen.add(driver.name)
        yield from topology_keys(driver, path)


def node_id(value: str, path: str) -> Iterator[FieldError]:
    if not value:
        yield field.required(path)
    if len(value.encode()) > LONGEST_ID:
        yield field.wrong(path, value, f"must be {LONGEST_ID} characters or less")


def topology_keys(driver: CSINodeDriver, path: str) -> Iterator[FieldError]:
    """Upstream blames the whole driver for a key."""
    for number, key in enumerate(driver.topologyKeys):
        if not key:
            yield field.required(path)
        if key in driver.topologyKeys[:number]:
            yield field.duplicate(path, key)
        yield from rules.qualified_name(key, path)


def validate_update(new: CSINode, old: CSINode) -> Iterator[FieldError]:
    """A driver that is there stays as it is, but for what it has room for."""
    yield from validate(new)
    for before in old.spec.drivers:
        for after in new.spec.drivers:
            if after.name == before.name:
                found, was = (msgspec.structs.replace(driver, allocatable=None) for driver in (after, before))
                yield from rules.unchanged(found, was, "spec.drivers")


def row(node: CSINode, now: datetime) -> Sequence[object]:
    return node.metadata.name, len(node.spec.drivers), cells.age(node, now)


KIND = Kind(
    type=CSINode,
    group="storage.k8s.io",
    version="v1",
    kind="CSINode",
    plural="csinodes",
    singular="csinode",
    namespaced=False,
    validate=validate,
    validate_update=validate_update,
    columns=(NAME_COLUMN, Column("Drivers", "integer"), AGE_COLUMN),
    row=row,
)
