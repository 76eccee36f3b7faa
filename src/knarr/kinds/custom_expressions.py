"""The rules of `x-kubernetes-validations`: compiled with a definition, evaluated on its objects.

Loaded only where a schema has such rules. A rule that a value kept breaking unchanged is let through on an update; one
that looks at `oldSelf` is asked only when there is an old value, unless it says that this is optional.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from knarr.kinds.cel import types
from knarr.kinds.cel.program import Program, compiled
from knarr.kinds.cel.scope import OverLimit
from knarr.kinds.cel.tree import Malformed
from knarr.kinds.cel.values import Failed, Optional
from knarr.kinds.custom_validation import NEW
from knarr.kinds.kind import Tree
from knarr.meta import field as fields
from knarr.meta.field import FieldError, at, at_key

VALIDATIONS = "x-kubernetes-validations"
CALL_LIMIT, LIMIT = 300_000, 1_000_000  #: steps of one rule, and of all rules of an object
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"
REASONS = ("FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate")
LONGEST_MESSAGE = 5120  #: of a message that is worked out


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of x-kubernetes-validations."""

    source: Tree
    program: Program
    message: Program | None

    @property
    def transition(self) -> bool:
        return "oldSelf" in self.program.uses

    @property
    def optional(self) -> bool:
        return bool(self.source.get("optionalOldSelf"))


@dataclass(slots=True)
class Rules:
    """A schema's rules, and those within it."""

    schema: Tree
    resource: bool
    own: list[Rule] = field(default_factory=list)
    properties: "dict[str, Rules]" = field(default_factory=dict)
    items: "Rules | None" = None
    others: "Rules | None" = None

    def __bool__(self) -> bool:
        return bool(self.own or self.properties or self.items or self.others)


class Expressions:
    """All rules of a version; call it with an object and what it was."""

    def __init__(self, schema: Tree) -> None:
        self._rules = collected(schema, resource=True)

    def __call__(self, new: Tree, old: Tree | None) -> Iterator[FieldError]:
        budget = _Budget()
        try:
            yield from _checked(self._rules, new, NEW if old is None else old, "", budget)
        except OverLimit:
            yield _error("", self._rules.schema.get("type", ""), OUT_OF_BUDGET)


@dataclass(slots=True)
class _Budget:
    left: int = LIMIT


def collected(schema: Tree, *, resource: bool = False) -> Rules:
    """The compiled rules of a schema, which was checked before."""
    resource = resource or bool(schema.get("x-kubernetes-embedded-resource"))
    found = Rules(schema, resource)
    type_ = types.of_schema(schema, resource=resource)
    if type_ is not None:
        found.own = [rule_of(source, type_) for source in schema.get(VALIDATIONS) or ()]
    for name, inner in (schema.get("properties") or {}).items():
        if rules := collected(inner):
            found.properties[name] = rules
    if isinstance(items := schema.get("items"), dict) and (rules := collected(items)):
        found.items = rules
    if isinstance(others := schema.get("additionalProperties"), dict) and (rules := collected(others)):
        found.others = rules
    return found


def rule_of(source: Tree, type_: types.Type) -> Rule:
    """A compiled rule; raises Malformed."""
    variables = scope(type_, optional=bool(source.get("optionalOldSelf")))
    message = source.get("messageExpression")
    return Rule(source, compiled(source["rule"], variables), compiled(message, variables) if message else None)


def scope(type_: types.Type, *, optional: bool) -> dict[str, types.Type]:
    return {"self": type_, "oldSelf": types.optional_of(type_) if optional else type_}


def _checked(rules: Rules, new: Any, old: Any, path: str, budget: _Budget) -> Iterator[FieldError]:
    if new is None:
        return
    if rules.own:
        yield from _own(rules, new, old, path, budget)
    if isinstance(new, dict):
        before = old if isinstance(old, dict) else {}
        for key, value in new.items():
            inner = rules.properties.get(key)
            if inner is not None:
                yield from _checked(inner, value, before.get(key, NEW), at(path, key), budget)
            elif rules.others is not None:
                yield from _checked(rules.others, value, before.get(key, NEW), at_key(path, key), budget)
    elif isinstance(new, list) and rules.items is not None:
        keys = rules.schema.get("x-kubernetes-list-map-keys") or []
        held = {_key(item, keys): item for item in old} if keys and isinstance(old, list) else {}
        for index, item in enumerate(new):
            before_item = held.get(_key(item, keys), NEW) if keys else NEW
            yield from _checked(rules.items, item, before_item, at(path, index), budget)


def _key(item: Any, keys: Sequence[str]) -> bytes:
    return msgspec.json.encode([item.get(key) for key in keys] if isinstance(item, dict) else item)


def _own(rules: Rules, new: Any, old: Any, path: str, budget: _Budget) -> Iterator[FieldError]:
    """The rules of one value."""
    schema, given = rules.schema, old is not NEW and old is not None
    self = types.value_of(new, schema, resource=rules.resource)
    before = types.value_of(old, schema, resource=rules.resource) if given else None
    for rule in rules.own:
        if rule.transition and not given and not rule.optional:
            continue
        if given and new == old and not rule.transition:
            continue  # what was broken before and is as it was
        variables = {"self": self}
        if rule.transition:
            variables["oldSelf"] = Optional((before,) if given else ()) if rule.optional else before
        yield from _asked(rule, variables, schema.get("type", ""), path, budget)


def _asked(rule: Rule, variables: dict[str, Any], type_: str, path: str, budget: _Budget) -> Iterator[FieldError]:
    text = rule.source["rule"]
    try:
        holds, cost = rule.program.evaluate(variables, min(CALL_LIMIT, budget.left))
    except OverLimit:
        if budget.left < CALL_LIMIT:
            raise
        budget.left = 0
        why = f"'{text}': no further validation rules will be run due to call cost exceeds limit for rule: {text}"
        yield _error(path, type_, why)
        return
    except Failed as failed:
        why = f"{failed} evaluating rule: {text}"
        if str(failed).startswith("no such overload"):
            why = f"'{text}': call arguments did not match a supported operator, function or macro signature for "
            why += f"rule: {text}"
        yield _error(path, type_, why)
        return
    budget.left -= cost
    if holds is not True:
        where = path + _relative(rule.source.get("fieldPath", ""), path)
        yield _error(where, type_, _message(rule, variables, budget), rule.source.get("reason") or REASONS[0])


def _relative(text: str, path: str) -> str:
    return text if path else text.removeprefix(".")


def _message(rule: Rule, variables: dict[str, Any], budget: _Budget) -> str:
    """What is said of a broken rule: what its expression gives, or its text."""
    plain = (rule.source.get("message") or "").strip() or f"failed rule: {rule.source['rule'].strip()}"
    if rule.message is None:
        return plain
    wanted = {"oldSelf": Optional()} | variables
    try:
        found, cost = rule.message.evaluate(wanted, min(CALL_LIMIT, budget.left))
    except (Failed, OverLimit):
        return plain
    budget.left -= cost
    usable = isinstance(found, str) and found.strip() and "\n" not in found.strip() and len(found) <= LONGEST_MESSAGE
    return str(found).strip() if usable else plain


def _error(path: str, type_: str, detail: str, reason: str = REASONS[0]) -> FieldError:
    path = path or "<nil>"
    match reason:
        case "FieldValueForbidden":
            return fields.forbidden(path, detail)
        case "FieldValueRequired":
            return fields.required(path, detail)
        case "FieldValueDuplicate":
            return fields.duplicate(path, type_)
    return fields.wrong(path, type_, detail)


def rule_errors(schema: Tree, path: str, *, resource: bool, correlated: str = "") -> Iterator[FieldError]:
    """What is wrong with the rules of one schema of a definition; `correlated` says where `oldSelf` can't be told."""
    type_ = types.of_schema(schema, resource=resource)
    for index, source in enumerate(schema.get(VALIDATIONS) or ()):
        yield from _source_errors(source, type_, at(path, VALIDATIONS, index), correlated)


def _source_errors(source: Tree, type_: types.Type | None, path: str, correlated: str) -> Iterator[FieldError]:
    text, message = (source.get("rule") or "").strip(), source.get("message") or ""
    if not text:
        yield fields.required(at(path, "rule"), "rule is not specified")
    if message and not message.strip():
        yield fields.wrong(at(path, "message"), message, "message must be non-empty if specified")
    elif "\n" in message or "\r" in message:
        yield fields.wrong(at(path, "message"), message, "message must not contain line breaks")
    elif "\n" in text and not message:
        yield fields.required(at(path, "message"), "message must be specified if rule contains line breaks")
    worked_out = source.get("messageExpression") or ""
    if worked_out and not worked_out.strip():
        yield fields.required(at(path, "messageExpression"), "must be non-empty if specified")
    if source.get("reason") and source["reason"] not in REASONS:
        yield fields.unsupported(at(path, "reason"), source["reason"], REASONS)
    if (where := source.get("fieldPath")) and not re.fullmatch(r"(\.[A-Za-z_$][\w$-]*|\['[^']+'\])+", where):
        yield fields.wrong(at(path, "fieldPath"), where, "fieldPath must be a valid path")
    if not text:
        return
    variables = scope(type_ or types.DYN, optional=bool(source.get("optionalOldSelf")))
    try:
        program = compiled(source["rule"], variables)
    except Malformed as malformed:
        why = f"compilation failed: {malformed.text(source['rule'])}"
        yield fields.wrong(at(path, "rule"), go_rule(source), why)
        return
    if program.type.name not in ("bool", "dyn"):
        yield fields.wrong(at(path, "rule"), go_rule(source), "cel expression must evaluate to a bool")
    if "oldSelf" in program.uses and correlated:
        why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {correlated}"
        yield fields.wrong(at(path, "rule"), source["rule"], why)
    if worked_out.strip():
        yield from _message_errors(source, variables, path)


def _message_errors(source: Tree, variables: dict[str, types.Type], path: str) -> Iterator[FieldError]:
    path = at(path, "messageExpression")
    try:
        program = compiled(source["messageExpression"], variables)
    except Malformed as malformed:
        why = f"messageExpression compilation failed: {malformed.text(source['messageExpression'])}"
        yield fields.wrong(path, go_rule(source), why)
        return
    if program.type.name not in ("string", "dyn"):
        yield fields.wrong(path, go_rule(source), "messageExpression must evaluate to a string")


def go_rule(source: Tree) -> msgspec.Raw:
    """A rule as upstream's errors print it: a Go struct, as JSON that is safe within HTML."""
    names = {
        "Rule": source.get("rule", ""),
        "Message": source.get("message", ""),
        "MessageExpression": source.get("messageExpression", ""),
        "Reason": source.get("reason"),
        "FieldPath": source.get("fieldPath", ""),
        "OptionalOldSelf": source.get("optionalOldSelf"),
    }
    text = msgspec.json.encode(names).decode()
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return msgspec.Raw(text.encode())
