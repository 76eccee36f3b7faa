"""Secret: configuration that is nobody's business, in base64 at rest and on the wire."""

import base64
from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import child, fill_zero
from knarr.kinds.types.core_v1 import Secret


def defaults(tree: Tree) -> None:
    """Opaque, and what was written in clear moves to `data`."""
    fill_zero(tree, type="Opaque")
    clear = tree.pop("stringData", None) or {}
    if clear:
        child(tree, "data").update({k: base64.b64encode(v.encode()).decode() for k, v in clear.items()})


def row(secret: Secret, now: datetime) -> Sequence[object]:
    return secret.metadata.name, secret.type, len(secret.data), cells.age(secret, now)


KIND = Kind(
    type=Secret,
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    singular="secret",
    defaults=defaults,
    columns=(NAME_COLUMN, Column("Type"), Column("Data"), AGE_COLUMN),
    row=row,
    selectable={"type": lambda secret: secret.type},
)
