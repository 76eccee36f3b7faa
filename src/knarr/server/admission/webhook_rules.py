"""Whether a webhook wants to be asked about a request, or a policy is about it. Pure.

A rule names groups, versions, resources (with subresources as `pods/status`), operations and a scope. Under matchPolicy
Equivalent it also means the same objects by another version, and the webhook is then shown the version that it named.
"""

from collections.abc import Iterable, Mapping, Sequence

from knarr.kinds.kind import Kind
from knarr.kinds.types.admissionregistration_v1 import (
    MatchResources,
    MutatingWebhook,
    NamedRuleWithOperations,
    RuleWithOperations,
    ValidatingWebhook,
)
from knarr.meta.labels import of_object
from knarr.server.admission import Admission, Tree

Webhook = MutatingWebhook | ValidatingWebhook
Rule = RuleWithOperations | NamedRuleWithOperations
Selective = Webhook | MatchResources
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
    return meant(hook.rules, hook.matchPolicy, admission, versions)


def meant(rules: Sequence[Rule], policy: str, admission: Admission, versions: Iterable[Kind]) -> Kind | None:
    """The version of the object by which rules mean the request; None when they don't."""
    requested = admission.requested or admission.kind
    if any(matches(rule, requested, admission) for rule in rules):
        return requested
    if policy == "Exact":
        return None
    others = [kind for kind in versions if kind is not requested]
    return next((kind for kind in others for rule in rules if matches(rule, kind, admission)), None)


def resources_kind(match: MatchResources, admission: Admission, versions: Sequence[Kind]) -> Kind | None:
    """The version of the object that a policy is about; None when it is not about the request. No rules mean all."""
    if meant(match.excludeResourceRules, match.matchPolicy, admission, versions) is not None:
        return None
    if not match.resourceRules:
        return admission.requested or admission.kind
    return meant(match.resourceRules, match.matchPolicy, admission, versions)


def matches(rule: Rule, kind: Kind, admission: Admission) -> bool:
    """Whether a rule means the operation of the request on a kind."""
    return (
        _listed(admission.verb.upper(), rule.operations)
        and _listed(kind.group, rule.apiGroups)
        and _listed(kind.version, rule.apiVersions)
        and rule.scope in ("", "*", "Namespaced" if kind.namespaced else "Cluster")
        and any(_means(wanted, kind.plural, admission.subresource) for wanted in rule.resources)
        and (not (names := getattr(rule, "resourceNames", ())) or admission.name in names)
    )


def _listed(value: str, wanted: Sequence[str]) -> bool:
    return "*" in wanted or value in wanted


def _means(wanted: str, resource: str, subresource: str) -> bool:
    """Whether "pods", "pods/*", "*/status", "*" or "*/*" names a resource."""
    name, _, part = wanted.partition("/")
    return name in ("*", resource) and (part == subresource or part == "*")


def in_namespaces(hook: Selective, namespace: Mapping[str, str] | None) -> bool:
    return hook.namespaceSelector is None or namespace is None or of_object(hook.namespaceSelector).matches(namespace)


def on_objects(hook: Selective, admission: Admission) -> bool:
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
