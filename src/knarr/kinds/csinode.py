"""CSINode: which CSI drivers a node has."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.types.storage_v1 import CSINode
from knarr.meta import field
from knarr.meta.field import FieldError, at


def validate(node: CSINode) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, driver in enumerate(node.spec.drivers):
        path = at("spec", "drivers", index)
        if not driver.name:
            yield field.required(at(path, "name"))
        else:
            yield from rules.dns_subdomain(driver.name.lower(), at(path, "name"))
        if not driver.nodeID:
            yield field.required(at(path, "nodeID"))
        if driver.name in seen:
            yield field.duplicate(at(path, "name"), driver.name)
        seen.add(driver.name)


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
    columns=(NAME_COLUMN, Column("Drivers", "integer"), AGE_COLUMN),
    row=row,
)
