"""What the two kinds of webhook configurations share: defaults, rules and columns."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from knarr.kinds import cells, rules
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
OPERATIONS = ("*", "CREATE", "UPDATE", "DELETE", "CONNECT")
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
        if hook.name in seen:
            yield field.duplicate(at(path, "name"), hook.name)
        seen.add(hook.name)
        yield from hook_rules(hook, path)


def hook_rules(hook: MutatingWebhook | ValidatingWebhook, path: str) -> Iterator[FieldError]:
    yield from names.domain_errors(hook.name, at(path, "name"))
    if not hook.admissionReviewVersions:
        message = "must specify one of v1, v1beta1"
        yield field.required(at(path, "admissionReviewVersions"), message)
    for index, rule in enumerate(hook.rules):
        where = at(path, "rules", index)
        for number, operation in enumerate(rule.operations):
            yield from rules.one_of(operation, OPERATIONS, at(where, "operations", number))
        yield from rules.needed(where, apiGroups=rule.apiGroups, apiVersions=rule.apiVersions)
        yield from rules.needed(where, resources=rule.resources, operations=rule.operations)
    if hook.failurePolicy:
        yield from rules.one_of(hook.failurePolicy, ("Ignore", "Fail"), at(path, "failurePolicy"))
    if hook.matchPolicy:
        yield from rules.one_of(hook.matchPolicy, ("Exact", "Equivalent"), at(path, "matchPolicy"))
    yield from rules.required_one_of(hook.sideEffects, SIDE_EFFECTS, at(path, "sideEffects"))
    seconds = hook.timeoutSeconds
    if seconds is not None and not 1 <= seconds <= 30:
        message = "the timeout value must be between 1 and 30 seconds"
        yield field.wrong(at(path, "timeoutSeconds"), seconds, message)
    yield from validate_selector(hook.namespaceSelector, at(path, "namespaceSelector"))
    yield from validate_selector(hook.objectSelector, at(path, "objectSelector"))
    yield from client_rules(hook, at(path, "clientConfig"))


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
