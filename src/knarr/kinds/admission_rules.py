"""What webhooks and admission policies share: which requests they are about, and under which conditions.

Called by `webhooks` and `policies`. Lists of choices stand in alphabetical order, as upstream tells them.
"""

from collections.abc import Iterable, Iterator, Sequence

from knarr.kinds import rules
from knarr.kinds.types.admissionregistration_v1 import (
    MatchCondition,
    MatchResources,
    NamedRuleWithOperations,
    RuleWithOperations,
)
from knarr.meta import field, names
from knarr.meta.field import FieldError, at
from knarr.meta.label_rules import validate_selector

FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
REINVOCATION_POLICIES = ("IfNeeded", "Never")
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES = ("*", "Cluster", "Namespaced")
MOST_CONDITIONS = 64

Rule = NamedRuleWithOperations | RuleWithOperations


def requests(rule: Rule, path: str) -> Iterator[FieldError]:
    """Which requests a rule is about."""
    yield from wildcards(rule.operations, "operations", at(path, "operations"))
    for index, operation in enumerate(rule.operations):
        yield from rules.one_of(operation, OPERATIONS, at(path, "operations", index))
    yield from wildcards(rule.apiGroups, "API groups", at(path, "apiGroups"))
    yield from wildcards(rule.apiVersions, "API versions", at(path, "apiVersions"))
    for index, version in enumerate(rule.apiVersions):
        if not version:
            yield field.required(at(path, "apiVersions", index))
    yield from resources(rule.resources, at(path, "resources"))
    if rule.scope:
        yield from rules.one_of(rule.scope, SCOPES, at(path, "scope"))


def wildcards(given: Sequence[str], said: str, path: str) -> Iterator[FieldError]:
    """A list with something in it; the wildcard stands alone."""
    if not given:
        yield field.required(path)
    if len(given) > 1 and "*" in given:
        yield field.wrong(path, given, f"if '*' is present, must not specify other {said}")


def resources(given: Sequence[str], path: str) -> Iterator[FieldError]:
    if not given:
        yield field.required(path)
    whole: set[str] = set()  # resources and subresources that a wildcard covers, with the wildcard in its place
    for index, name in enumerate(given):
        resource, slash, part = name.partition("/")
        if not name:
            yield field.required(at(path, index))
        if not slash:
            continue
        for wide in (f"{resource}/*", f"*/{part}"):
            if wide in whole:
                yield field.wrong(at(path, index), name, f"if '{wide}' is present, must not specify {name}")
        if "*" in (resource, part):
            whole.add(name)
    if len(given) > 1 and "*/*" in given:
        yield field.wrong(path, given, "if '*/*' is present, must not specify other resources")
    if "*" in given and any(name != "*" and "/" not in name for name in given):
        message = "if '*' is present, must not specify other resources without subresources"
        yield field.wrong(path, given, message)


def match_resources(match: MatchResources, path: str) -> Iterator[FieldError]:
    yield from rules.required_one_of(match.matchPolicy, MATCH_POLICIES, at(path, "matchPolicy"))
    for key in ("namespaceSelector", "objectSelector"):
        yield from validate_selector(getattr(match, key), at(path, key))
    for key in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(getattr(match, key)):
            yield from named_resources(rule.resourceNames, at(path, key, index, "resourceNames"))
            yield from requests(rule, at(path, key, index))


def named_resources(given: Sequence[str], path: str) -> Iterator[FieldError]:
    for index, name in enumerate(given):
        yield from rules.wrong(at(path, index), name, names.path_segment_errors(name))
        if name in given[:index]:
            yield field.duplicate(at(path, index), name)


def conditions(given: Sequence[MatchCondition], path: str) -> Iterator[FieldError]:
    """Conditions in CEL: kept, not compiled."""
    if len(given) > MOST_CONDITIONS:
        yield field.too_many(path, len(given), MOST_CONDITIONS)
    seen: set[str] = set()
    for index, condition in enumerate(given):
        where = at(path, index)
        if not condition.expression.strip():
            yield field.required(at(where, "expression"))
        if not condition.name:
            yield field.required(at(where, "name"))
            continue
        yield from rules.qualified_name(condition.name, at(where, "name"))
        if condition.name in seen:
            yield field.duplicate(at(where, "name"), condition.name)
        seen.add(condition.name)


def chosen(path: str, choices: Iterable[tuple[str, str, tuple[str, ...]]]) -> Iterator[FieldError]:
    """Fields that have a known value when they have one: (field, value, choices)."""
    for key, value, known in choices:
        if value:
            yield from rules.one_of(value, known, at(path, key))
