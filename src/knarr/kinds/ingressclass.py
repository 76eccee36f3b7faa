"""IngressClass: which controller serves an Ingress."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import fill, part
from knarr.kinds.types.networking_v1 import IngressClass, IngressClassParametersReference
from knarr.meta import field, names
from knarr.meta.field import FieldError, at

LONGEST_CONTROLLER = 250
SCOPES = ("Cluster", "Namespace")


def defaults(tree: Tree) -> None:
    if "parameters" in part(tree, "spec"):
        fill(tree["spec"]["parameters"], scope="Cluster")


def validate(class_: IngressClass) -> Iterator[FieldError]:
    spec = class_.spec
    controller = spec.controller if spec is not None else ""
    if len(controller) > LONGEST_CONTROLLER:
        yield field.too_long("spec.controller", LONGEST_CONTROLLER)
    if not controller:
        yield field.required("spec.controller")
    elif "/" not in controller:
        message = 'must be a domain-prefixed path (such as "acme.io/foo")'
        yield field.wrong("spec.controller", controller, message)
    else:
        yield from rules.dns_subdomain(controller.partition("/")[0], "spec.controller")
    if spec is not None and spec.parameters is not None:
        yield from parameter_rules(spec.parameters, "spec.parameters")


def parameter_rules(given: IngressClassParametersReference, path: str) -> Iterator[FieldError]:
    if given.apiGroup:
        yield from rules.dns_subdomain(given.apiGroup, at(path, "apiGroup"))
    for key in ("kind", "name"):
        if value := getattr(given, key):
            yield from rules.wrong(at(path, key), value, names.path_segment_errors(value))
        else:
            yield field.required(at(path, key), f"{key} is required")
    yield from rules.required_one_of(given.scope, SCOPES, at(path, "scope"))
    where = at(path, "namespace")
    if given.scope == "Namespace":
        if not given.namespace:
            yield field.required(where, "`parameters.scope` is set to 'Namespace'")
        else:
            yield from rules.dns_label(given.namespace, where)
    elif given.scope == "Cluster" and given.namespace:
        yield field.forbidden(where, "`parameters.scope` is set to 'Cluster'")


def validate_update(new: IngressClass, old: IngressClass) -> Iterator[FieldError]:
    after, before = (class_.spec.controller if class_.spec else "" for class_ in (new, old))
    yield from rules.unchanged(after, before, "spec.controller")
    yield from validate(new)


def row(class_: IngressClass, now: datetime) -> Sequence[object]:
    spec = class_.spec
    parameters = spec.parameters if spec is not None else None
    named = cells.NONE
    if parameters is not None:
        kind = f"{parameters.kind}.{parameters.apiGroup}" if parameters.apiGroup else parameters.kind
        named = f"{kind}/{parameters.name}"
    return class_.metadata.name, spec.controller if spec is not None else "", named, cells.age(class_, now)


KIND = Kind(
    type=IngressClass,
    group="networking.k8s.io",
    version="v1",
    kind="IngressClass",
    plural="ingressclasses",
    singular="ingressclass",
    namespaced=False,
    generation=True,
    defaults=defaults,
    validate=validate,
    validate_update=validate_update,
    columns=(NAME_COLUMN, Column("Controller"), Column("Parameters"), AGE_COLUMN),
    row=row,
)
