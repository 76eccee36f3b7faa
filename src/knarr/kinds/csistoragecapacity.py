"""CSIStorageCapacity: how much room a driver has left for a class, in a part of the cluster."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import NAME_COLUMN, Column, Kind
from knarr.kinds.types.storage_v1 import CSIStorageCapacity
from knarr.meta import field
from knarr.meta.field import FieldError
from knarr.meta.label_rules import validate_selector
from knarr.meta.quantity import of, parse


def validate(capacity: CSIStorageCapacity) -> Iterator[FieldError]:
    yield from validate_selector(capacity.nodeTopology, "nodeTopology")
    yield from rules.dns_subdomain(capacity.storageClassName, "storageClassName")
    if capacity.capacity and parse(capacity.capacity) < of(0):
        yield field.wrong("capacity", capacity.capacity, rules.NOT_NEGATIVE)


def validate_update(new: CSIStorageCapacity, old: CSIStorageCapacity) -> Iterator[FieldError]:
    for name in ("nodeTopology", "storageClassName"):
        yield from rules.unchanged(getattr(new, name), getattr(old, name), name)


def row(capacity: CSIStorageCapacity, now: datetime) -> Sequence[object]:
    return capacity.metadata.name, capacity.storageClassName, capacity.capacity or cells.UNSET


KIND = Kind(
    type=CSIStorageCapacity,
    group="storage.k8s.io",
    version="v1",
    kind="CSIStorageCapacity",
    plural="csistoragecapacities",
    singular="csistoragecapacity",
    validate=validate,
    validate_update=validate_update,
    columns=(NAME_COLUMN, Column("StorageClassName"), Column("Capacity")),
    row=row,
)
