"""ResourceSlice: the devices that a driver offers on a node. Kept and shown; knarr has no devices to allocate."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.types.resource_v1 import ResourceSlice


def row(slice_: ResourceSlice, now: datetime) -> Sequence[object]:
    spec = slice_.spec
    return slice_.metadata.name, spec.nodeName or cells.UNSET, spec.driver, spec.pool.name, cells.age(slice_, now)


KIND = Kind(
    type=ResourceSlice,
    group="resource.k8s.io",
    version="v1",
    kind="ResourceSlice",
    plural="resourceslices",
    singular="resourceslice",
    namespaced=False,
    columns=(NAME_COLUMN, Column("Node"), Column("Driver"), Column("Pool"), AGE_COLUMN),
    row=row,
)
