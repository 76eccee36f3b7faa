"""FlowSchema: which requests go to which priority level. Kept and shown; knarr serves all requests alike."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import child, fill_zero, keep_spec, keep_status
from knarr.kinds.types.flowcontrol_v1 import FlowSchema
from knarr.meta import field
from knarr.meta.field import FieldError, at

LATEST = 10000  #: the greatest matchingPrecedence
METHODS = ("ByNamespace", "ByUser")


def defaults(tree: Tree) -> None:
    fill_zero(child(tree, "spec"), matchingPrecedence=1000)


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


def validate(schema: FlowSchema) -> Iterator[FieldError]:
    spec = schema.spec
    precedence = spec.matchingPrecedence or 0
    if precedence <= 0:
        yield field.wrong("spec.matchingPrecedence", precedence, "must be a positive value")
    if precedence > LATEST:
        yield field.wrong("spec.matchingPrecedence", precedence, f"must not be greater than {LATEST}")
    if precedence == 1 and schema.metadata.name != "exempt":
        message = "only the schema named 'exempt' may have matchingPrecedence 1"
        yield field.wrong("spec.matchingPrecedence", precedence, message)
    if spec.distinguisherMethod is not None:
        yield from rules.one_of(spec.distinguisherMethod.type, METHODS, "spec.distinguisherMethod.type")
    name = spec.priorityLevelConfiguration.name
    if name:
        yield from rules.dns_subdomain(name, "spec.priorityLevelConfiguration.name")
    else:
        yield field.required("spec.priorityLevelConfiguration.name", "must reference a priority level")
    for index, rule in enumerate(spec.rules):
        path = at("spec", "rules", index)
        if not rule.subjects:
            yield field.required(at(path, "subjects"), "subjects must contain at least one value")
        if not rule.resourceRules and not rule.nonResourceRules:
            yield field.required(path, "at least one of resourceRules and nonResourceRules has to be non-empty")


def row(schema: FlowSchema, now: datetime) -> Sequence[object]:
    spec = schema.spec
    dangling = next((c.status for c in schema.status.conditions if c.type == "Dangling"), "?")
    return (
        schema.metadata.name,
        spec.priorityLevelConfiguration.name,
        spec.matchingPrecedence,
        spec.distinguisherMethod.type if spec.distinguisherMethod else cells.NONE,
        cells.age(schema, now),
        dangling,
    )


KIND = Kind(
    type=FlowSchema,
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="FlowSchema",
    plural="flowschemas",
    singular="flowschema",
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
        Column("PriorityLevel"),
        Column("MatchingPrecedence"),
        Column("DistinguisherMethod"),
        AGE_COLUMN,
        Column("MissingPL"),
    ),
    row=row,
)
