"""ConfigMap: plain configuration by key."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.types.core_v1 import ConfigMap


def row(config: ConfigMap, now: datetime) -> Sequence[object]:
    return config.metadata.name, len(config.data) + len(config.binaryData), cells.age(config, now)


KIND = Kind(
    type=ConfigMap,
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    singular="configmap",
    short_names=("cm",),
    columns=(NAME_COLUMN, Column("Data"), AGE_COLUMN),
    row=row,
)
