"""What becomes of a definition: whether its names are free, and the conditions that say so. Pure, over trees.

`registry.custom_resources` asks on every change and writes the status when it differs.
"""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from knarr.kinds.kind import Tree

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
APPROVED = "api-approved.kubernetes.io"
_NONE: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
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


class Taken:
    """The names that the definitions of one group have accepted, counted, so that one more costs no look at all."""

    def __init__(self, accepted: Mapping[str, Tree] | None = None) -> None:
        self._of: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        self._resources, self._kinds = Counter[str](), Counter[str]()
        for definition, names in (accepted or {}).items():
            self.put(definition, names)

    def __len__(self) -> int:
        """How many definitions there are."""
        return len(self._of)

    def put(self, definition: str, names: Tree) -> None:
        """Have a definition, known by its own name, hold these names and no others."""
        self.drop(definition)
        resources = frozenset((names.get("plural", ""), names.get("singular", ""), *(names.get("shortNames") or ())))
        kinds = frozenset((names.get("kind", ""), names.get("listKind", "")))
        self._of[definition] = resources, kinds
        self._resources.update(resources)
        self._kinds.update(kinds)

    def drop(self, definition: str) -> None:
        for counts, names in zip((self._resources, self._kinds), self._of.pop(definition, _NONE), strict=True):
            counts.subtract(names)
            for name in names:
                if not counts[name]:
                    del counts[name]

    def resource(self, name: str, besides: str) -> bool:
        """Whether a definition other than `besides` calls its resource that."""
        return self._resources[name] > (name in self._of.get(besides, _NONE)[0])

    def kind(self, name: str, besides: str) -> bool:
        """Whether a definition other than `besides` calls its kind, or the list of it, that."""
        return self._kinds[name] > (name in self._of.get(besides, _NONE)[1])


def accepted(definition: Tree, taken: Taken, now: str) -> Tree:
    """A definition's status, where its group has the accepted names `taken`: its own, and conditions."""
    status: Tree = copy.deepcopy(definition.get("status") or {})
    spec = definition["spec"]
    group = spec["group"]
    own = definition["metadata"]["name"]
    names, verdict = deconflicted(own, spec["names"], status.get("acceptedNames") or {}, taken)
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


def deconflicted(own: str, wanted: Tree, held: Tree, taken: Taken) -> tuple[Tree, Tree]:
    """The names that the definition `own` has from now on, and the condition NamesAccepted."""
    names = dict(held)
    verdict = condition("NamesAccepted", "True", "NoConflicts", "no conflicts found")
    uses = (("plural", taken.resource), ("singular", taken.resource), ("kind", taken.kind), ("listKind", taken.kind))
    for key, is_used in uses:
        name = wanted.get(key, "")
        if name and name != held.get(key) and is_used(name, own):
            verdict = _conflict(key, [name])
        elif name:
            names[key] = name
    mine = held.get("shortNames") or ()
    clashes = [name for name in wanted.get("shortNames") or () if name not in mine and taken.resource(name, own)]
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
