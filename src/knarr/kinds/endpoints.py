"""Endpoints: the addresses behind a service, in the old form; clients still read it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import fill_zero, items
from knarr.kinds.types.core_v1 import Endpoints

SHOWN = 3  #: how many addresses a row shows


def defaults(tree: Tree) -> None:
    for subset in items(tree, "subsets"):
        for port in items(subset, "ports"):
            fill_zero(port, protocol="TCP")


def addresses(endpoints: Endpoints) -> Iterator[str]:
    """Every ready address with each port: "10.1.1.1:80"."""
    for subset in endpoints.subsets:
        if not subset.ports:
            yield from (address.ip for address in subset.addresses)
        for port in subset.ports:
            for address in subset.addresses:
                host = f"[{address.ip}]" if ":" in address.ip else address.ip
                yield f"{host}:{port.port}"


def row(endpoints: Endpoints, now: datetime) -> Sequence[object]:
    listed = list(addresses(endpoints))
    text = ",".join(listed[:SHOWN])
    if len(listed) > SHOWN:
        text += f" + {len(listed) - SHOWN} more..."
    return endpoints.metadata.name, text if endpoints.subsets else cells.NONE, cells.age(endpoints, now)


KIND = Kind(
    type=Endpoints,
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    singular="endpoints",
    short_names=("ep",),
    defaults=defaults,
    columns=(NAME_COLUMN, Column("Endpoints"), AGE_COLUMN),
    row=row,
)
