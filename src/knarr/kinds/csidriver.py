"""CSIDriver: what a storage driver can do."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import child, fill
from knarr.kinds.types.storage_v1 import CSIDriver


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    fill(
        spec,
        attachRequired=True,
        podInfoOnMount=False,
        storageCapacity=False,
        fsGroupPolicy="ReadWriteOnceWithFSType",
        requiresRepublish=False,
        seLinuxMount=False,
    )
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def row(driver: CSIDriver, now: datetime) -> Sequence[object]:
    spec = driver.spec
    audiences = ",".join(request.audience for request in spec.tokenRequests) or cells.UNSET
    return (
        driver.metadata.name,
        bool(spec.attachRequired),
        bool(spec.podInfoOnMount),
        bool(spec.storageCapacity),
        audiences,
        bool(spec.requiresRepublish),
        ",".join(spec.volumeLifecycleModes) or cells.NONE,
        cells.age(driver, now),
    )


KIND = Kind(
    type=CSIDriver,
    group="storage.k8s.io",
    version="v1",
    kind="CSIDriver",
    plural="csidrivers",
    singular="csidriver",
    namespaced=False,
    defaults=defaults,
    columns=(
        NAME_COLUMN,
        Column("AttachRequired", "boolean"),
        Column("PodInfoOnMount", "boolean"),
        Column("StorageCapacity", "boolean"),
        Column("TokenRequests"),
        Column("RequiresRepublish", "boolean"),
        Column("Modes"),
        AGE_COLUMN,
    ),
    row=row,
)
