"""PriorityLevelConfiguration: a share of the server's attention. Kept and shown; knarr serves all requests alike."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import child, fill, fill_zero, keep_spec, keep_status
from knarr.kinds.types.flowcontrol_v1 import PriorityLevelConfiguration
from knarr.meta import field
from knarr.meta.field import FieldError


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    if (exempt := spec.get("exempt")) is not None:
        fill(exempt, nominalConcurrencyShares=0, lendablePercent=0)
    if (limited := spec.get("limited")) is not None:
        fill(limited, nominalConcurrencyShares=30, lendablePercent=0)
        if (queuing := child(limited, "limitResponse").get("queuing")) is not None:
            fill_zero(queuing, queues=64, handSize=8, queueLengthLimit=50)


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


def validate(level: PriorityLevelConfiguration) -> Iterator[FieldError]:
    spec = level.spec
    if spec.type == "Exempt":
        if spec.limited is not None:
            yield field.forbidden("spec.limited", "must be nil if the type is not Limited")
    elif spec.type == "Limited":
        if spec.exempt is not None:
            yield field.forbidden("spec.exempt", "must be nil if the type is Limited")
        yield from limited(level)
    else:
        yield field.unsupported("spec.type", spec.type, ["Exempt", "Limited"])


def limited(level: PriorityLevelConfiguration) -> Iterator[FieldError]:
    found = level.spec.limited
    if found is None:
        yield field.required("spec.limited", "must not be empty when type is Limited")
        return
    yield from rules.not_negative(found.nominalConcurrencyShares, "spec.limited.nominalConcurrencyShares")
    response = found.limitResponse
    if response.type == "Reject" and response.queuing is not None:
        message = "must be nil if limited.limitResponse.type is not Limited"
        yield field.forbidden("spec.limited.limitResponse.queuing", message)
    elif response.type == "Queue" and response.queuing is None:
        message = "must not be empty if limited.limitResponse.type is Limited"
        yield field.required("spec.limited.limitResponse.queuing", message)
    elif response.type not in ("Queue", "Reject"):
        yield field.unsupported("spec.limited.limitResponse.type", response.type, ["Queue", "Reject"])


def row(level: PriorityLevelConfiguration, now: datetime) -> Sequence[object]:
    spec = level.spec
    share = spec.limited or spec.exempt
    queuing = spec.limited.limitResponse.queuing if spec.limited else None
    sizes = (queuing.queues, queuing.handSize, queuing.queueLengthLimit) if queuing else (cells.NONE,) * 3
    shares = cells.NONE if share is None else share.nominalConcurrencyShares
    return level.metadata.name, spec.type, shares, *sizes, cells.age(level, now)


KIND = Kind(
    type=PriorityLevelConfiguration,
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="PriorityLevelConfiguration",
    plural="prioritylevelconfigurations",
    singular="prioritylevelconfiguration",
    namespaced=False,
    subresources={"status": ("get", "patch", "update")},
    generation=True,
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    columns=(
        NAME_COLUMN,
        Column("Type"),
        Column("NominalConcurrencyShares"),
        Column("Queues"),
        Column("HandSize"),
        Column("QueueLengthLimit"),
        AGE_COLUMN,
    ),
    row=row,
)
