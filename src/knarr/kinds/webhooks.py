"""What the two kinds of webhook configurations share: defaults, rules and columns."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from knarr.kinds import admission_rules, cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Tree
from knarr.kinds.trees import child, fill, items
from knarr.kinds.types.admissionregistration_v1 import (
    MutatingWebhook,
    MutatingWebhookConfiguration,
    ValidatingWebhook,
    ValidatingWebhookConfiguration,
)
from knarr.meta import field, names
from knarr.meta.field import FieldError, at
from knarr.meta.label_rules import validate_selector

COLUMNS = (NAME_COLUMN, Column("Webhooks", "integer"), AGE_COLUMN)
SIDE_EFFECTS = ("None", "NoneOnDryRun")
REVIEW_VERSIONS = ("v1", "v1beta1")
URL_FORM = "; desired format: https://host[/path]"

Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration


def defaults(tree: Tree) -> None:
    for hook in items(tree, "webhooks"):
        fill(hook, failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10)
        fill(hook, namespaceSelector={}, objectSelector={})
        for rule in items(hook, "rules"):
            fill(rule, scope="*")
        if "service" in child(hook, "clientConfig"):
            fill(hook["clientConfig"]["service"], port=443)


def validate(configuration: Configuration) -> Iterator[FieldError]:
    seen: set[str] = set()
    hooks: Sequence[MutatingWebhook | ValidatingWebhook] = configuration.webhooks
    for index, hook in enumerate(hooks):
        path = at("webhooks", index)
        yield from hook_rules(hook, path)
        yield from review_versions(hook.admissionReviewVersions, at(path, "admissionReviewVersions"))
        if hook.name in seen:
            yield field.duplicate(at(path, "name"), hook.name)
        seen.add(hook.name)


def hook_rules(hook: MutatingWebhook | ValidatingWebhook, path: str) -> Iterator[FieldError]:
    yield from names.domain_errors(hook.name, at(path, "name"))
    for index, rule in enumerate(hook.rules):
        yield from admission_rules.requests(rule, at(path, "rules", index))
    policies = [
        ("failurePolicy", hook.failurePolicy, admission_rules.FAILURE_POLICIES),
        ("matchPolicy", hook.matchPolicy, admission_rules.MATCH_POLICIES),
    ]
    yield from admission_rules.chosen(path, policies)
    if not hook.sideEffects:
        yield field.required(at(path, "sideEffects"), f"must specify one of {', '.join(SIDE_EFFECTS)}")
    else:
        yield from rules.one_of(hook.sideEffects, SIDE_EFFECTS, at(path, "sideEffects"))
    seconds = hook.timeoutSeconds
    if seconds is not None and not 1 <= seconds <= 30:
        message = "the timeout value must be between 1 and 30 seconds"
        yield field.wrong(at(path, "timeoutSeconds"), seconds, message)
    yield from validate_selector(hook.namespaceSelector, at(path, "namespaceSelector"))
    yield from validate_selector(hook.objectSelector, at(path, "objectSelector"))
    if isinstance(hook, MutatingWebhook):
        again = ("reinvocationPolicy", hook.reinvocationPolicy, admission_rules.REINVOCATION_POLICIES)
        yield from admission_rules.chosen(path, [again])
    yield from client_rules(hook, at(path, "clientConfig"))
    yield from admission_rules.conditions(hook.matchConditions, at(path, "matchConditions"))


def review_versions(given: Sequence[str], path: str) -> Iterator[FieldError]:
    """The versions of AdmissionReview that a hook reads; one of them is the server's."""
    if not given:
        yield field.required(path, f"must specify one of {', '.join(REVIEW_VERSIONS)}")
        return
    for index, version in enumerate(given):
        if version in given[:index]:
            yield field.wrong(at(path, index), version, "duplicate version")
        else:
            yield from rules.wrong(at(path, index), version, names.label_1035_errors(version))
    if not set(given) & set(REVIEW_VERSIONS):
        yield field.wrong(path, given, f"must include at least one of {', '.join(REVIEW_VERSIONS)}")


def client_rules(hook: MutatingWebhook | ValidatingWebhook, path: str) -> Iterator[FieldError]:
    url, service = hook.clientConfig.url, hook.clientConfig.service
    if bool(url) is (service is not None):
        yield field.required(path, "exactly one of url or service is required")
    elif url:
        yield from url_rules(url, at(path, "url"))
    elif service is not None:
        yield from rules.needed(at(path, "service"), name=service.name, namespace=service.namespace)
        if service.port is not None:
            yield from rules.port_number(service.port, at(path, "service", "port"))


def url_rules(url: str, path: str) -> Iterator[FieldError]:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        yield field.required(path, f"url must be a valid URL: {error}{URL_FORM}")
        return
    if parts.scheme != "https":
        yield field.wrong(path, parts.scheme, f"'https' is the only allowed URL scheme{URL_FORM}")
    if not parts.netloc:
        yield field.wrong(path, parts.netloc, f"host must be specified{URL_FORM}")
    if "@" in parts.netloc:
        yield field.wrong(path, parts.netloc.rpartition("@")[0], "user information is not permitted in the URL")
    if parts.fragment:
        yield field.wrong(path, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        yield field.wrong(path, parts.query, "query parameters are not permitted in the URL")


def row(configuration: Configuration, now: datetime) -> Sequence[object]:
    return configuration.metadata.name, len(configuration.webhooks), cells.age(configuration, now)
