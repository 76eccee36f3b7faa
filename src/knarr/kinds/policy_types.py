"""Policies checked against the types of the objects that they are for. Loaded only where there is a policy.

When a policy is written, `object` may be anything; what it cannot be of the kinds that the policy names is said
afterwards, in `status.typeChecking`, and changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from knarr.kinds import schema
from knarr.kinds.cel.authorization import AUTHORIZER
from knarr.kinds.cel.program import compiled
from knarr.kinds.cel.tree import Malformed
from knarr.kinds.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    escaped,
    list_of,
    map_of,
    of_schema,
)
from knarr.kinds.policy_expressions import BASE
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.admissionregistration_v1 import (
    ExpressionWarning,
    NamedRuleWithOperations,
    ParamKind,
    ValidatingAdmissionPolicy,
)
from knarr.kinds.types.apiextensions_v1 import CustomResourceDefinition, CustomResourceDefinitionVersion
from knarr.meta.field import at

MOST = 10  #: kinds that a policy is checked against, as upstream
#: the scalars of the schema; a quantity or a port may be written as a number too
SCALARS = {"str": STRING, "int": INT, "bool": BOOL, "float": DOUBLE, "Time": TIMESTAMP, "MicroTime": TIMESTAMP}
Definitions = Sequence[CustomResourceDefinition]


def warnings(policy: ValidatingAdmissionPolicy, definitions: Definitions) -> list[ExpressionWarning]:
    """What is wrong with the validations of a policy, if objects are of the kinds that it names."""
    param = policy.spec.paramKind
    params = None if param is None else of_param(param, definitions) or DYN
    scopes = {said: scope(policy, type_, params) for said, type_ in named(policy, definitions).items()}
    found = []
    for index, each in enumerate(policy.spec.validations):
        for name, text in (("expression", each.expression), ("messageExpression", each.messageExpression)):
            wrong = [f"{said}: {why}\n" for said, types in scopes.items() if (why := complaint(text, types))]
            if wrong:
                path = at("spec", "validations", index, name)
                found.append(ExpressionWarning(fieldRef=path, warning="\n".join(wrong)))
    return found


def scope(policy: ValidatingAdmissionPolicy, object_: Type, params: Type | None) -> dict[str, Type]:
    """The types of what an expression may name; a variable that cannot be compiled may be anything."""
    known = BASE | {"object": object_, "oldObject": object_, "authorizer": AUTHORIZER}
    if params is not None:
        known["params"] = params
    variables: dict[str, Type] = {}
    for variable in policy.spec.variables:
        known["variables"] = Type("object", (), dict(variables))
        try:
            variables[variable.name] = compiled(variable.expression, known).type
        except Malformed:
            variables[variable.name] = DYN
    return known | {"variables": Type("object", (), variables)}


def complaint(text: str, types: Mapping[str, Type]) -> str:
    """Why an expression cannot be compiled with these types; "" when it can, or when there is none."""
    try:
        if text.strip():
            compiled(text, types)
    except Malformed as malformed:
        return malformed.text(text)
    return ""


def named(policy: ValidatingAdmissionPolicy, definitions: Definitions) -> dict[str, Type]:
    """The kinds that a policy's rules name, by how they are said, with the types of their objects."""
    rules = policy.spec.matchConstraints.resourceRules if policy.spec.matchConstraints else []
    found: dict[tuple[str, str, str], Type] = {}
    for group, version, plural in (each for rule in rules for each in resources(rule)):
        if len(found) < MOST and (known := of_resource(group, version, plural, definitions)):
            found[group, version, known[0]] = known[1]
    return {
        f"{group}/{version}, Kind={kind}": type_ for (group, version, kind), type_ in sorted(found.items(), key=_key)
    }


def _key(item: tuple[tuple[str, str, str], Type]) -> tuple[str, str, str]:
    return item[0]


def resources(rule: NamedRuleWithOperations) -> Iterator[tuple[str, str, str]]:
    """The resources that a rule names; one with a `*` names none, and parts of resources are none."""
    if "*" in rule.apiGroups or "*" in rule.apiVersions:
        return
    for group in rule.apiGroups:
        for version in rule.apiVersions:
            for plural in rule.resources:
                if not {"*", "/"} & set(plural):
                    yield group, version, plural


def of_resource(group: str, version: str, plural: str, definitions: Definitions) -> tuple[str, Type] | None:
    """The kind of a resource and its type; None when there is none, or it says nothing of its objects."""
    if (kind := BUILTIN.by_resource(group, version, plural)) is not None:
        return kind.kind, of_builtin(schema.type_name(kind.type))
    for definition, each in _versions(group, version, definitions):
        if definition.spec.names.plural == plural and (type_ := of_custom(each)) is not None:
            return definition.spec.names.kind, type_
    return None


def of_param(param: ParamKind, definitions: Definitions) -> Type | None:
    """The type of a policy's parameters."""
    group, _, version = param.apiVersion.rpartition("/")
    if (kind := BUILTIN.by_kind(group, version, param.kind)) is not None:
        return of_builtin(schema.type_name(kind.type))
    found = (each for of, each in _versions(group, version, definitions) if of.spec.names.kind == param.kind)
    return next((type_ for each in found if (type_ := of_custom(each)) is not None), None)


def _versions(
    group: str, version: str, definitions: Definitions
) -> Iterator[tuple[CustomResourceDefinition, CustomResourceDefinitionVersion]]:
    for definition in definitions:
        for each in definition.spec.versions:
            if definition.spec.group == group and each.name == version and each.served:
                yield definition, each


def of_custom(version: CustomResourceDefinitionVersion) -> Type | None:
    """The type of the objects of a version of a custom resource."""
    if version.schema is None or version.schema.openAPIV3Schema is None:
        return None
    found = of_schema(msgspec.to_builtins(version.schema.openAPIV3Schema), resource=True)
    if found is None or found.fields is None:
        return None
    return Type("object", (), {**found.fields, "metadata": of_builtin("meta_v1.ObjectMeta")})


@cache
def of_builtin(name: str, within: tuple[str, ...] = ()) -> Type:
    """The type of a type of the schema: "core_v1.Pod". What stands within itself may be anything."""
    fields: dict[str, Type] = {}
    for key, field in schema.types()[name]["fields"].items():
        found = _of_field(field, (*within, name))
        for written in {key, escaped(key)} - {None}:  # `namespace` is a word of the language, and may be written so
            fields[str(written)] = found
    return Type("object", (), fields)


def _of_field(field: Mapping[str, Any], within: tuple[str, ...]) -> Type:
    text = str(field["type"])
    if text == "str" and field.get("format") == "byte":
        return BYTES
    return _of(text, within)


def _of(text: str, within: tuple[str, ...]) -> Type:
    if text.startswith("[]"):
        return list_of(_of(text[2:], within))
    if text.startswith("{}"):
        return map_of(STRING, _of(text[2:], within))
    if text in SCALARS:
        return SCALARS[text]
    return DYN if text in within or "." not in text else of_builtin(text, within)
