"""ServiceAccount: who the processes in a pod are to the API."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import Kind
from knarr.kinds.types.core_v1 import ServiceAccount


def row(account: ServiceAccount, now: datetime) -> Sequence[object]:
    return account.metadata.name, cells.age(account, now)


KIND = Kind(
    type=ServiceAccount,
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    singular="serviceaccount",
    short_names=("sa",),
    subresources={"token": ("create",)},
    row=row,
)
