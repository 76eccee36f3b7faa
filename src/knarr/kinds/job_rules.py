"""What a Job's spec may say: how many, how often, and under which policies. Shared by jobs and a CronJob's template.

Rules, limits and wordings after upstream's `validateJobSpec`.
"""

from collections.abc import Iterator

from knarr.kinds import internal, rules
from knarr.kinds.types.batch_v1 import (
    JobSpec,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
    SuccessPolicyRule,
)
from knarr.meta import field, names
from knarr.meta.field import FieldError, at, valueless

ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
OPERATORS = ("In", "NotIn")
STATUSES = ("False", "True", "Unknown")
REPLACEMENTS = ("Failed", "TerminatingOrFailed")
MODES = ("NonIndexed", "Indexed")
MOST_INDEXED = 100_000
MOST_WHEN_MANY = 10_000  #: pods at once, and failed indexes, of a Job with more completions than MOST_INDEXED
MOST_RULES, MOST_CODES = 20, 255
LONGEST_MANAGER, LONGEST_INDEXES = 63, 64 * 1024
UNPREFIXED = 'must be a domain-prefixed path (such as "acme.io/foo")'
NEEDS_INDEXES = "requires indexed completion mode"
COUNTED = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)


def number_rules(spec: JobSpec, path: str) -> Iterator[FieldError]:
    """Counts and times, and who manages the Job."""
    for name in COUNTED:
        yield from rules.not_negative(getattr(spec, name), at(path, name))
    if spec.maxFailedIndexes is not None and spec.backoffLimitPerIndex is None:
        yield field.required(at(path, "backoffLimitPerIndex"), "when maxFailedIndexes is specified")
    if spec.managedBy:
        yield from manager_rules(spec.managedBy, at(path, "managedBy"))


def manager_rules(value: str, path: str) -> Iterator[FieldError]:
    domain, _, rest = value.partition("/")
    if not domain or not rest:
        yield field.wrong(path, value, UNPREFIXED)
    else:
        yield from rules.wrong(path, domain, names.subdomain_errors(domain))
    if len(value) > LONGEST_MANAGER:
        yield field.too_long(path, LONGEST_MANAGER)


def completion_rules(spec: JobSpec, path: str) -> Iterator[FieldError]:
    """The completion mode and what depends on it."""
    if spec.completionMode:
        yield from rules.one_of(spec.completionMode, MODES, at(path, "completionMode"))
    if spec.completionMode == "Indexed":
        yield from indexed_rules(spec, path)
    elif spec.completionMode in ("", "NonIndexed"):
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if (value := getattr(spec, name)) is not None:
                yield field.wrong(at(path, name), value, NEEDS_INDEXES)


def indexed_rules(spec: JobSpec, path: str) -> Iterator[FieldError]:
    if spec.completions is None:
        yield field.required(at(path, "completions"), "when completion mode is Indexed")
    if (spec.parallelism or 0) > MOST_INDEXED:
        message = f"must be less than or equal to {MOST_INDEXED} when completion mode is Indexed"
        yield field.wrong(at(path, "parallelism"), spec.parallelism, message)
    lost = spec.maxFailedIndexes
    where = at(path, "maxFailedIndexes")
    if lost is not None and spec.completions is not None and lost > spec.completions:
        yield field.wrong(where, lost, "must be less than or equal to completions")
    if lost is not None and lost > MOST_INDEXED:
        yield field.wrong(where, lost, f"must be less than or equal to {MOST_INDEXED}")
    if spec.backoffLimitPerIndex is None or (spec.completions or 0) <= MOST_INDEXED:
        return
    if lost is None:
        yield field.required(where, f"must be specified when completions is above {MOST_INDEXED}")
    limit = (
        f"must be less than or equal to {MOST_WHEN_MANY} when completions are above {MOST_INDEXED} "
        "and used with backoff limit per index"
    )
    for name in ("parallelism", "maxFailedIndexes"):
        if (getattr(spec, name) or 0) > MOST_WHEN_MANY:
            yield field.wrong(at(path, name), getattr(spec, name), limit)


def policy_rules(spec: JobSpec, path: str) -> Iterator[FieldError]:
    """The policies of failure, success and replacement."""
    where = at(path, "podFailurePolicy", "rules")
    failure = spec.podFailurePolicy.rules if spec.podFailurePolicy else []
    if len(failure) > MOST_RULES:
        yield field.too_many(where, len(failure), MOST_RULES)
    for number, rule in enumerate(failure):
        yield from failure_rule(spec, rule, at(where, number))
    if spec.successPolicy is not None:
        yield from success_rules(spec, spec.successPolicy.rules, at(path, "successPolicy"))
    if spec.podReplacementPolicy:
        choices = ("Failed",) if spec.podFailurePolicy is not None else REPLACEMENTS
        yield from rules.one_of(spec.podReplacementPolicy, choices, at(path, "podReplacementPolicy"))


def failure_rule(spec: JobSpec, rule: PodFailurePolicyRule, path: str) -> Iterator[FieldError]:
    yield from chosen(rule.action, ACTIONS, at(path, "action"))
    if rule.action == "FailIndex" and spec.backoffLimitPerIndex is None:
        yield field.wrong(at(path, "action"), rule.action, "requires the backoffLimitPerIndex to be set")
    if rule.onExitCodes is not None:
        yield from exit_code_rules(spec, rule.onExitCodes, at(path, "onExitCodes"))
    yield from pattern_rules(rule.onPodConditions, at(path, "onPodConditions"))
    if rule.onExitCodes is not None and rule.onPodConditions:
        yield valueless(path, "specifying both OnExitCodes and OnPodConditions is not supported")
    if rule.onExitCodes is None and not rule.onPodConditions:
        yield valueless(path, "specifying one of OnExitCodes and OnPodConditions is required")


def exit_code_rules(spec: JobSpec, wanted: PodFailurePolicyOnExitCodesRequirement, path: str) -> Iterator[FieldError]:
    yield from chosen(wanted.operator, OPERATORS, at(path, "operator"))
    pod = spec.template.spec
    if wanted.containerName and wanted.containerName not in {c.name for c in (*pod.containers, *pod.initContainers)}:
        message = "must be one of the container or initContainer names in the pod template"
        yield field.wrong(at(path, "containerName"), wanted.containerName, message)
    where, codes = at(path, "values"), wanted.values
    if not codes:
        yield field.wrong(where, codes, "at least one value is required")
    elif len(codes) > MOST_CODES:
        yield field.too_many(where, len(codes), MOST_CODES)
    seen: set[int] = set()
    for number, code in enumerate(codes):
        if wanted.operator == "In" and code == 0:
            yield field.wrong(at(where, number), code, "must not be 0 for the In operator")
        if code in seen:
            yield field.duplicate(at(where, number), code)
        seen.add(code)
    if codes != sorted(codes):
        yield field.wrong(where, codes, "must be ordered")


def pattern_rules(patterns: list[PodFailurePolicyOnPodConditionsPattern], path: str) -> Iterator[FieldError]:
    if len(patterns) > MOST_RULES:
        yield field.too_many(path, len(patterns), MOST_RULES)
    for number, pattern in enumerate(patterns):
        yield from rules.qualified_name(pattern.type, at(path, number, "type"))
        yield from chosen(pattern.status, STATUSES, at(path, number, "status"))


def success_rules(spec: JobSpec, given: list[SuccessPolicyRule], path: str) -> Iterator[FieldError]:
    if spec.completionMode != "Indexed":
        yield field.wrong(path, internal.tree(spec.successPolicy), NEEDS_INDEXES)
        return
    where = at(path, "rules")
    if not given:
        yield field.required(where, "at least one rules must be specified when the successPolicy is specified")
    if len(given) > MOST_RULES:
        yield field.too_many(where, len(given), MOST_RULES)
    for number, rule in enumerate(given):
        yield from success_rule(rule, spec.completions or 0, at(where, number))


def success_rule(rule: SuccessPolicyRule, completions: int, path: str) -> Iterator[FieldError]:
    count, total = rule.succeededCount, 0
    if count is None and not rule.succeededIndexes:
        yield field.required(path, "at least one of succeededCount or succeededIndexes must be specified")
    if rule.succeededIndexes:
        where = at(path, "succeededIndexes")
        if len(rule.succeededIndexes) > LONGEST_INDEXES:
            yield field.too_long(where, LONGEST_INDEXES)
        try:
            total = index_count(rule.succeededIndexes, completions)
        except ValueError as error:
            yield field.wrong(where, rule.succeededIndexes, f"error parsing succeededIndexes: {error}")
    if count is None:
        return
    where = at(path, "succeededCount")
    yield from rules.not_negative(count, where)
    most = "must be less than or equal to"
    if count > completions:
        yield field.wrong(where, count, f"{most} {completions} (the number of specified completions)")
    if rule.succeededIndexes and count > total:
        whose = "the number of indexes in the specified succeededIndexes field"
        yield field.wrong(where, count, f"{most} {total} ({whose})")


def index_count(text: str, completions: int) -> int:
    """How many indexes a text such as "1,3-5" names; raise ValueError when it is none, or not in order."""
    total, previous = 0, -1
    for part in text.split(","):
        ends = part.split("-")
        if len(ends) > 2:
            rule = "an index interval can have at most two parts separated by '-'"
            raise ValueError(f'the fragment "{part}" violates the requirement that {rule}')
        numbers = [_index(end, completions) for end in ends]
        for number in numbers:
            if number <= previous:
                raise ValueError(f"non-increasing order, previous: {previous}, current: {number}")
            previous = number
        total += numbers[-1] - numbers[0] + 1
    return total


def _index(text: str, completions: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise ValueError(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= completions:
        raise ValueError(f'too large index: "{text}"')
    return int(text)


def chosen(value: str, choices: tuple[str, ...], path: str) -> Iterator[FieldError]:
    """One of the choices, which are told when there is no value."""
    if not value:
        listed = " ".join(f'"{choice}"' for choice in choices)
        yield field.required(path, f"valid values: [{listed}]")
    else:
        yield from rules.one_of(value, choices, path)
