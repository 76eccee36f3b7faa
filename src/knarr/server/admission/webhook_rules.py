"""Whether a webhook wants to be asked about a request. Pure.

A rule names groups, versions, resources (with subresources as `pods/status`), operations and a scope. Under matchPolicy
Equivalent it also means the same objects by another version, and the webhook is then shown the version that it named.
"""

from collections.abc import Iterable, Mapping, Sequence

from knarr.kinds.kind import Kind
from knarr.kinds.types.admissionregistration_v1 import MutatingWebhook, RuleWithOperations, ValidatingWebhook
from knarr.meta.labels import of_object
from knarr.server.admission import Admission, Tree

Webhook = MutatingWebhook | ValidatingWebhook
GROUP = "admissionregistration.k8s.io"
#: a webhook that could refuse these could lock everybody out for good
EXEMPT = ("webhookconfigurations", "admissionpolicies", "admissionpolicybindings")


def exempt(kind: Kind) -> bool:
    """Whether no webhook is asked about a kind."""
    return kind.group == GROUP and kind.plural.endswith(EXEMPT)


def wanted_kind(hook: Webhook, admission: Admission, versions: Iterable[Kind]) -> Kind | None:
    """The version of the object that a webhook wants to see; None when its rules don't mean the request.

    `versions` are all kinds that show the same objects as the request's.
    """
    requested = admission.requested or admission.kind
    if any(matches(rule, requested, admission) for rule in hook.rules):
        return requested
    if hook.matchPolicy == "Exact":
        return None
    others = [kind for kind in versions if kind is not requested]
    return next((kind for kind in others for rule in hook.rules if matches(rule, kind, admission)), None)


def matches(rule: RuleWithOperations, kind: Kind, admission: Admission) -> bool:
    """Whether a rule means the operation of the request on a kind."""
    return (
        _listed(admission.verb.upper(), rule.operations)
        and _listed(kind.group, rule.apiGroups)
        and _listed(kind.version, rule.apiVersions)
        and rule.scope in ("", "*", "Namespaced" if kind.namespaced else "Cluster")
        and any(_means(wanted, kind.plural, admission.subresource) for wanted in rule.resources)
    )


def _listed(value: str, wanted: Sequence[str]) -> bool:
    return "*" in wanted or value in wanted


def _means(wanted: str, resource: str, subresource: str) -> bool:
    """Whether "pods", "pods/*", "*/status", "*" or "*/*" names a resource."""
    name, _, part = wanted.partition("/")
    return name in ("*", resource) and (part == subresource or part == "*")


def selects(hook: Webhook, admission: Admission, namespace: Mapping[str, str] | None) -> bool:
    """Whether the webhook's selectors take the request in; `namespace` are its namespace's labels, None without one."""
    return in_namespaces(hook, namespace) and on_objects(hook, admission)


def in_namespaces(hook: Webhook, namespace: Mapping[str, str] | None) -> bool:
    return hook.namespaceSelector is None or namespace is None or of_object(hook.namespaceSelector).matches(namespace)


def on_objects(hook: Webhook, admission: Admission) -> bool:
    """Whether the new or the old object has the labels."""
    if hook.objectSelector is None:
        return True
    selector = of_object(hook.objectSelector)
    if selector.empty:
        return True
    return any(selector.matches(labels(tree)) for tree in (admission.tree, admission.old) if tree)


def labels(tree: Tree) -> Mapping[str, str]:
    metadata = tree.get("metadata")
    found = metadata.get("labels") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}
