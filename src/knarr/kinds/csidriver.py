"""CSIDriver: what a storage driver can do."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import child, fill, part
from knarr.kinds.types.storage_v1 import CSIDriver, TokenRequest
from knarr.meta import field
from knarr.meta.field import FieldError, at

GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
MODES = ("Persistent", "Ephemeral")
SHORTEST_TOKEN, LONGEST_TOKEN = 600, 2**32  #: seconds
SHORTEST_PERIOD = 10  #: seconds between two updates of what a node has room for
ATTACH = "spec.attachedRequired"  # upstream's name of attachRequired in messages


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


def prepare_update(new: Tree, old: Tree) -> None:
    """A driver that does something else has a new generation; its creation counts none."""
    if part(new, "spec") != part(old, "spec"):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def validate(driver: CSIDriver) -> Iterator[FieldError]:
    spec = driver.spec
    if spec.fsGroupPolicy:
        yield from rules.one_of(spec.fsGroupPolicy, GROUP_POLICIES, "spec.fsGroupPolicy")
    yield from token_requests(spec.tokenRequests, "spec.tokenRequests")
    for mode in spec.volumeLifecycleModes:
        yield from rules.one_of(mode, MODES, "spec.volumeLifecycleModes")
    period = spec.nodeAllocatableUpdatePeriodSeconds
    if period is not None and period < SHORTEST_PERIOD:
        message = "must be greater than or equal to 10 seconds"
        yield field.wrong("spec.nodeAllocatableUpdatePeriodSeconds", period, message)


def token_requests(requests: Sequence[TokenRequest], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, request in enumerate(requests):
        if request.audience in seen:
            yield field.duplicate(at(path, index, "audience"), request.audience)
            continue
        seen.add(request.audience)
        seconds, where = request.expirationSeconds, at(path, index, "expirationSeconds")
        if seconds is not None and seconds < SHORTEST_TOKEN:
            yield field.wrong(where, seconds, "may not specify a duration less than 10 minutes")
        if seconds is not None and seconds > LONGEST_TOKEN:
            yield field.wrong(where, seconds, "may not specify a duration larger than 2^32 seconds")


def validate_update(new: CSIDriver, old: CSIDriver) -> Iterator[FieldError]:
    yield from validate(new)
    yield from rules.unchanged(new.spec.attachRequired, old.spec.attachRequired, ATTACH)
    modes = "volumeLifecycleModes"
    yield from rules.unchanged(getattr(new.spec, modes), getattr(old.spec, modes), at("spec", modes))


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
    prepare_update=prepare_update,
    validate=validate,
    validate_update=validate_update,
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
