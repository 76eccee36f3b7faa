"""What roles and bindings share: the rules of their rules, subjects and references."""

from collections.abc import Iterable, Iterator

from knarr.kinds.kind import Tree
from knarr.kinds.trees import items
from knarr.kinds.types.rbac_v1 import PolicyRule, RoleRef, Subject
from knarr.meta import field
from knarr.meta.field import FieldError

GROUP = "rbac.authorization.k8s.io"
SUBJECTS = ("ServiceAccount", "User", "Group")


def policy_rules(rules: Iterable[PolicyRule], *, namespaced: bool) -> Iterator[FieldError]:
    for index, rule in enumerate(rules):
        yield from _policy_rule(rule, namespaced, field.at("rules", index))


def _policy_rule(rule: PolicyRule, namespaced: bool, path: str) -> Iterator[FieldError]:
    if not rule.verbs:
        yield field.required(field.at(path, "verbs"), "verbs must contain at least one value")
    if rule.nonResourceURLs:
        at = field.at(path, "nonResourceURLs")
        if namespaced:
            yield field.wrong(at, rule.nonResourceURLs, "namespaced rules cannot apply to non-resource URLs")
        if rule.apiGroups or rule.resources or rule.resourceNames:
            yield field.wrong(
                at, rule.nonResourceURLs, "rules cannot apply to both regular resources and non-resource URLs"
            )
        return
    if not rule.apiGroups:
        yield field.required(field.at(path, "apiGroups"), "resource rules must supply at least one api group")
    if not rule.resources:
        yield field.required(field.at(path, "resources"), "resource rules must supply at least one resource")


def binding_defaults(tree: Tree) -> None:
    reference = tree.setdefault("roleRef", {})
    if not reference.get("apiGroup"):
        reference["apiGroup"] = GROUP
    for subject in items(tree, "subjects"):
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = GROUP


def role_reference(reference: RoleRef, kinds: tuple[str, ...]) -> Iterator[FieldError]:
    if reference.apiGroup != GROUP:
        yield field.unsupported("roleRef.apiGroup", reference.apiGroup, [GROUP])
    if reference.kind not in kinds:
        yield field.unsupported("roleRef.kind", reference.kind, kinds)
    if not reference.name:
        yield field.required("roleRef.name")


def subjects(given: Iterable[Subject], *, namespaced: bool) -> Iterator[FieldError]:
    for index, subject in enumerate(given):
        yield from _subject(subject, namespaced, field.at("subjects", index))


def _subject(subject: Subject, namespaced: bool, path: str) -> Iterator[FieldError]:
    if not subject.name:
        yield field.required(field.at(path, "name"))
    if subject.kind == "ServiceAccount":
        if subject.apiGroup:
            yield field.unsupported(field.at(path, "apiGroup"), subject.apiGroup, [""])
        if not namespaced and not subject.namespace:
            yield field.required(field.at(path, "namespace"))
    elif subject.kind in ("User", "Group"):
        if subject.apiGroup != GROUP:
            yield field.unsupported(field.at(path, "apiGroup"), subject.apiGroup, [GROUP])
    else:
        yield field.unsupported(field.at(path, "kind"), subject.kind, SUBJECTS)


def same_reference(new: RoleRef, old: RoleRef) -> Iterator[FieldError]:
    if new != old:
        shown = {"APIGroup": new.apiGroup, "Kind": new.kind, "Name": new.name}
        yield field.wrong("roleRef", shown, "cannot change roleRef")


def shown_subjects(given: Iterable[Subject], kind: str) -> str:
    """The subjects of one kind, as the wide columns of a binding list them."""
    chosen = [subject for subject in given if subject.kind == kind]
    return ", ".join(f"{s.namespace}/{s.name}" if kind == "ServiceAccount" else s.name for s in chosen)
