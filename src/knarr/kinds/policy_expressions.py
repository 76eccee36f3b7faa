"""The expressions of admission policies: what they may name, compiled. Loaded only where there is a policy.

`expressions` lists them with their paths; a policy is checked with them when it is written, and evaluated by them
(`knarr.server.admission.policy_evaluation`). A variable sees those before it; match conditions see none.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from knarr.kinds.cel import messages
from knarr.kinds.cel.authorization import AUTHORIZER
from knarr.kinds.cel.program import Program, compiled
from knarr.kinds.cel.tree import Malformed
from knarr.kinds.cel.types import (
    BOOL,
    DYN,
    INT,
    KEYWORDS,
    NULL,
    STRING,
    TIMESTAMP,
    Object,
    Type,
    list_of,
    map_of,
)
from knarr.kinds.types.admissionregistration_v1 import MutatingAdmissionPolicy, ValidatingAdmissionPolicy
from knarr.meta import clock
from knarr.meta import field as fields
from knarr.meta.field import FieldError, at

Policy = MutatingAdmissionPolicy | ValidatingAdmissionPolicy
IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
STEPS = list_of(messages.STEP)


def _object(**of: Type) -> Type:
    return Type("object", (), of)


_KIND = _object(group=STRING, version=STRING, kind=STRING)
_RESOURCE = _object(group=STRING, version=STRING, resource=STRING)
_USER = _object(username=STRING, uid=STRING, groups=list_of(STRING), extra=map_of(STRING, list_of(STRING)))
REQUEST = _object(
    kind=_KIND,
    resource=_RESOURCE,
    subResource=STRING,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    requestSubResource=STRING,
    name=STRING,
    namespace=STRING,
    operation=STRING,
    userInfo=_USER,
    dryRun=BOOL,
    options=DYN,
)
_METADATA = _object(
    name=STRING,
    generateName=STRING,
    namespace=STRING,
    labels=map_of(STRING, STRING),
    annotations=map_of(STRING, STRING),
    uid=STRING,
    creationTimestamp=TIMESTAMP,
    deletionGracePeriodSeconds=INT,
    deletionTimestamp=TIMESTAMP,
    generation=INT,
    resourceVersion=STRING,
    finalizers=list_of(STRING),
)
_CONDITION = _object(status=STRING, type=STRING, lastTransitionTime=TIMESTAMP, message=STRING, reason=STRING)
NAMESPACE = _object(
    metadata=_METADATA,
    spec=_object(finalizers=list_of(STRING)),
    status=_object(conditions=list_of(_CONDITION), phase=STRING),
)
BASE = {"object": DYN, "oldObject": DYN, "request": REQUEST, "namespaceObject": NAMESPACE}


def shown(value: Any, type_: Type) -> Any:
    """A JSON value as expressions see one of this type: fields that the type does not have are left out."""
    if value is None or type_ == DYN:
        return value
    if type_.fields is not None and isinstance(value, dict):
        return Object({key: shown(value[key], inner) for key, inner in type_.fields.items() if key in value})
    if type_.name == "list" and isinstance(value, list):
        return [shown(item, type_.of[0]) for item in value]
    return clock.parse(value) if type_ == TIMESTAMP else value


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression of a policy: where it stands, and the types that it may give."""

    path: str
    text: str
    wanted: tuple[Type, ...]  #: none for any
    composed: bool = True  #: it may name `variables`
    authorizer: bool = True
    built: bool = False  #: it may build parts of objects

    def program(self, params: bool, variables: Mapping[str, Type]) -> Program:
        """Compiled; raises Malformed."""
        scope = dict(BASE)
        if params:
            scope["params"] = DYN
        if self.authorizer:
            scope["authorizer"] = AUTHORIZER
        if self.composed:
            scope["variables"] = _object(**variables)
        if self.built:
            scope |= messages.SCOPE
        return compiled(self.text, scope)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A policy's programs by their paths, its variables by name, and what could not be compiled."""

    programs: dict[str, Program] = field(default_factory=dict)
    variables: dict[str, Program] = field(default_factory=dict)
    errors: list[FieldError] = field(default_factory=list)


def expressions(policy: Policy) -> Iterator[Expression]:
    """Those of a policy but its variables, blank ones left out."""
    found = [*_conditions(policy)]
    found += _judging(policy) if isinstance(policy, ValidatingAdmissionPolicy) else _changing(policy)
    return (one for one in found if one.text.strip())


def _conditions(policy: Policy) -> Iterator[Expression]:
    for index, condition in enumerate(policy.spec.matchConditions):
        path = at("spec", "matchConditions", index, "expression")
        yield Expression(path, condition.expression, (BOOL,), composed=False)


def _judging(policy: ValidatingAdmissionPolicy) -> Iterator[Expression]:
    for index, validation in enumerate(policy.spec.validations):
        path = at("spec", "validations", index)
        yield Expression(at(path, "expression"), validation.expression, (BOOL,))
        yield Expression(at(path, "messageExpression"), validation.messageExpression, (STRING,), authorizer=False)
    for index, annotation in enumerate(policy.spec.auditAnnotations):
        path = at("spec", "auditAnnotations", index, "valueExpression")
        yield Expression(path, annotation.valueExpression, (STRING, NULL), authorizer=False)


def _changing(policy: MutatingAdmissionPolicy) -> Iterator[Expression]:
    for index, mutation in enumerate(policy.spec.mutations):
        path = at("spec", "mutations", index)
        if mutation.applyConfiguration is not None:
            text = mutation.applyConfiguration.expression
            yield Expression(at(path, "applyConfiguration", "expression"), text, (messages.PART,), built=True)
        if mutation.jsonPatch is not None:
            yield Expression(at(path, "jsonPatch", "expression"), mutation.jsonPatch.expression, (STEPS,), built=True)


def compile_policy(policy: Policy) -> Compiled:
    """All programs of a policy."""
    found, params = Compiled(), policy.spec.paramKind is not None
    types: dict[str, Type] = {}
    for index, variable in enumerate(policy.spec.variables):
        if variable.name.strip() and (not IDENTIFIER.fullmatch(variable.name) or variable.name in KEYWORDS):
            where = at("spec", "variables", index, "name")
            found.errors.append(fields.wrong(where, variable.name, "must be a valid CEL identifier"))
        path = at("spec", "variables", index, "expression")
        built = isinstance(policy, MutatingAdmissionPolicy)
        if program := _compiled(Expression(path, variable.expression, (), built=built), params, types, found.errors):
            found.variables[variable.name] = program
            types[variable.name] = program.type
    for expression in expressions(policy):
        if program := _compiled(expression, params, types, found.errors):
            found.programs[expression.path] = program
    return found


def _compiled(
    expression: Expression, params: bool, variables: Mapping[str, Type], errors: list[FieldError]
) -> Program | None:
    if not expression.text.strip():
        return None
    try:
        program = expression.program(params, variables)
    except Malformed as malformed:
        why = f"compilation failed: {malformed.text(expression.text)}"
        errors.append(fields.wrong(expression.path, expression.text, why))
        return None
    if why := wrong_type(program.type, expression.wanted):
        errors.append(fields.wrong(expression.path, expression.text, why))
    return program


def wrong_type(given: Type, wanted: tuple[Type, ...]) -> str:
    """What is wrong with an expression's type; "" when nothing is, or when its values are to tell."""
    if not wanted or given == DYN or any(_may_be(given, one) for one in wanted):
        return ""
    if len(wanted) == 1:
        return f"must evaluate to {wanted[0]} but got {given}"
    return f"must evaluate to one of [{' '.join(map(str, wanted))}] but got {given}"


def _may_be(given: Type, wanted: Type) -> bool:
    if given.name == wanted.name == "list":
        item = given.of[0]
        return item == DYN or len(item.name) == 1 or item == wanted.of[0]
    return given == wanted
