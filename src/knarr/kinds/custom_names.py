"""What becomes of a definition: whether its names are free, and the conditions that say so. Pure, over trees.

`registry.custom_resources` asks on every change and writes the status when it differs.
"""

import copy
from collections.abc import Sequence
from typing import Any

from knarr.kinds.kind import Tree

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
APPROVED = "api-approved.kubernetes.io"
PROTECTED = (".k8s.io", ".kubernetes.io")
ACCEPTED = "the initial names have been accepted"


def condition(type_: str, status: str, reason: str, message: str) -> Tree:
    return {"type": type_, "status": status, "lastTransitionTime": None, "reason": reason, "message": message}


def find(definition: Tree, type_: str) -> Tree | None:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return next((found for found in conditions if found["type"] == type_), None)


def holds(definition: Tree, type_: str) -> bool:
    found = find(definition, type_)
    return found is not None and found["status"] == "True"


def set_condition(status: Tree, new: Tree, now: str) -> None:
    """Put a condition in; its time is when its status last changed."""
    conditions = [dict(found) for found in status.get("conditions") or ()]
    old = next((found for found in conditions if found["type"] == new["type"]), None)
    if old is None:
        conditions.append(new | {"lastTransitionTime": now})
    else:
        changed = old["status"] != new["status"]
        old.update(new | {"lastTransitionTime": now if changed else old.get("lastTransitionTime") or now})
    status["conditions"] = conditions


def accepted(definition: Tree, taken: Sequence[Tree], now: str) -> Tree:
    """A definition's status, where others of its group have the accepted names `taken`: its own, and conditions."""
    status: Tree = copy.deepcopy(definition.get("status") or {})
    spec = definition["spec"]
    group = spec["group"]
    names, verdict = deconflicted(spec["names"], status.get("acceptedNames") or {}, taken)
    status["acceptedNames"] = names
    set_condition(status, verdict, now)
    established = find({"status": status}, "Established")
    if established is None or established["status"] != "True":
        if verdict["status"] == "True":
            set_condition(status, condition("Established", "True", "InitialNamesAccepted", ACCEPTED), now)
        else:
            set_condition(status, condition("Established", "False", "NotAccepted", "not all names are accepted"), now)
    if approval := conformance(group, definition["metadata"].get("annotations") or {}):
        set_condition(status, approval, now)
    return status


def deconflicted(wanted: Tree, held: Tree, taken: Sequence[Tree]) -> tuple[Tree, Tree]:
    """The names that a definition has from now on, and the condition NamesAccepted."""
    resources = {name for n in taken for name in (n.get("plural"), n.get("singular"), *(n.get("shortNames") or ()))}
    kinds = {name for n in taken for name in (n.get("kind"), n.get("listKind"))}
    names = dict(held)
    verdict = condition("NamesAccepted", "True", "NoConflicts", "no conflicts found")
    for key, used in (("plural", resources), ("singular", resources), ("kind", kinds), ("listKind", kinds)):
        name = wanted.get(key, "")
        if name != held.get(key) and name in used:
            verdict = _conflict(key, [name])
        elif name:
            names[key] = name
    mine = held.get("shortNames") or ()
    clashes = [name for name in wanted.get("shortNames") or () if name not in mine and name in resources]
    if clashes:
        verdict = _conflict("shortNames", clashes)
    else:
        _carry(names, wanted, "shortNames")
    _carry(names, wanted, "categories")
    order = ("plural", "singular", "shortNames", "kind", "listKind", "categories")
    return {"plural": "", "kind": ""} | {key: names[key] for key in order if key in names}, verdict


def _conflict(key: str, names: Sequence[str]) -> Tree:
    texts = [f'"{name}" is already in use' for name in names]
    message = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    return condition("NamesAccepted", "False", key[0].upper() + key[1:] + "Conflict", message)


def _carry(names: Tree, wanted: Tree, key: str) -> None:
    if wanted.get(key):
        names[key] = wanted[key]
    else:
        names.pop(key, None)


def protected(group: str) -> bool:
    """Whether a group is the Kubernetes community's."""
    return group in ("k8s.io", "kubernetes.io") or group.endswith(PROTECTED)


def conformance(group: str, annotations: dict[str, Any]) -> Tree | None:
    """The condition of a definition in a protected group; None outside of those."""
    if not protected(group):
        return None
    type_, said = "KubernetesAPIApprovalPolicyConformant", annotations.get(APPROVED, "")
    if not said:
        why = f'protected groups must have approval annotation "{APPROVED}", '
        why += "see https://github.com/kubernetes/enhancements/pull/1111"
        return condition(type_, "False", "MissingAnnotation", why)
    if said.startswith("unapproved"):
        return condition(type_, "False", "UnapprovedAnnotation", f'not approved: "{said}"')
    if "://" in said:
        return condition(type_, "True", "ApprovedAnnotation", f"approved in {said}")
    why = f'protected groups must have approval annotation "{APPROVED}" with either a URL or a reason starting with '
    why += '"unapproved", see https://github.com/kubernetes/enhancements/pull/1111'
    return condition(type_, "False", "InvalidAnnotation", why)


def begin_end(definition: Tree, now: str) -> None:
    """Mark a definition as one that is deleted: first its objects go."""
    metadata = definition["metadata"]
    metadata["deletionTimestamp"] = now
    finalizers = metadata.setdefault("finalizers", [])
    if CLEANUP not in finalizers:
        finalizers.append(CLEANUP)
    message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    set_condition(
        definition.setdefault("status", {}), condition("Terminating", "True", "InstanceDeletionPending", message), now
    )
