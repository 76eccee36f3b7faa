"""Deployments, DaemonSets, ReplicaSets and StatefulSets before apps/v1: other defaults, and two fields since gone.

Sources: `pkg/apis/{apps,extensions}/v1beta*/{defaults,conversion}.go` of Kubernetes.
"""

from collections.abc import Callable

from knarr.kinds import daemonset, deployment, replicaset, statefulset
from knarr.kinds.daemonset import TEMPLATE_GENERATION
from knarr.kinds.kind import Tree
from knarr.kinds.old.form import Form
from knarr.kinds.trees import child, fill, fill_zero, part

ROLLBACK = "deprecated.deployment.rollback.to"  #: the annotation that keeps spec.rollbackTo
NO_LIMIT = (1 << 31) - 1


def labels_of_template(tree: Tree) -> None:
    """What the template's labels once stood for: the selector, and the labels of the object itself."""
    labels = part(tree, "spec", "template", "metadata").get("labels")
    if not labels:
        return
    fill(child(tree, "spec"), selector={"matchLabels": dict(labels)})
    fill_zero(child(tree, "metadata"), labels=dict(labels))


def rolling(tree: Tree, surge: int | str, unavailable: int | str) -> None:
    """A Deployment's strategy with these numbers where it rolls."""
    strategy = child(child(tree, "spec"), "strategy")
    fill_zero(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(child(strategy, "rollingUpdate"), maxSurge=surge, maxUnavailable=unavailable)


def extensions_deployment(tree: Tree) -> None:
    labels_of_template(tree)
    rolling(tree, 1, 1)
    fill(child(tree, "spec"), revisionHistoryLimit=NO_LIMIT, progressDeadlineSeconds=NO_LIMIT)
    deployment.defaults(tree)


def first_deployment(tree: Tree) -> None:
    labels_of_template(tree)
    fill(child(tree, "spec"), revisionHistoryLimit=2)
    deployment.defaults(tree)


def extensions_daemonset(tree: Tree) -> None:
    labels_of_template(tree)
    fill_zero(child(child(tree, "spec"), "updateStrategy"), type="OnDelete")
    daemonset.defaults(tree)


def extensions_replicaset(tree: Tree) -> None:
    labels_of_template(tree)
    replicaset.KIND.defaults(tree)


def first_statefulset(tree: Tree) -> None:
    labels_of_template(tree)
    fill_zero(child(child(tree, "spec"), "updateStrategy"), type="OnDelete")
    statefulset.defaults(tree)


def rollback_inward(tree: Tree) -> Tree:
    """spec.rollbackTo as the annotation by which it is kept."""
    wanted = child(tree, "spec").pop("rollbackTo", None)
    return with_note(tree, ROLLBACK, None if wanted is None else str(wanted.get("revision", 0)))


def rollback_outward(tree: Tree) -> Tree:
    text = note(tree, ROLLBACK)
    if whole(text):
        number = int(text)
        child(tree, "spec")["rollbackTo"] = {"revision": number} if number else {}
    return with_note(tree, ROLLBACK, None)


def counter_inward(tree: Tree) -> Tree:
    """spec.templateGeneration as the annotation by which it is kept."""
    number = child(tree, "spec").pop("templateGeneration", None)
    return with_note(tree, TEMPLATE_GENERATION, None if number is None else str(number))


def counter_outward(tree: Tree) -> Tree:
    text = note(tree, TEMPLATE_GENERATION)
    if whole(text) and (number := int(text)):
        child(tree, "spec")["templateGeneration"] = number
    return with_note(tree, TEMPLATE_GENERATION, None)


def whole(text: str) -> bool:
    """Whether this is a number that fits 64 bits."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and len(digits) < 19


def note(tree: Tree, name: str) -> str:
    found: str = part(tree, "metadata", "annotations").get(name, "")
    return found


def with_note(tree: Tree, name: str, value: str | None) -> Tree:
    """The tree with an annotation set, or with None taken away."""
    metadata = child(tree, "metadata")
    notes = dict(metadata.get("annotations") or {})
    notes.pop(name, None)
    if value is not None:
        notes[name] = value
    if notes or metadata.get("annotations") == {}:
        metadata["annotations"] = notes
    else:
        metadata.pop("annotations", None)
    return tree


def deploying(defaults: Callable[[Tree], None]) -> Form:
    return Form(defaults, rollback_inward, rollback_outward, orphans=True, subresources=(("rollback", ("create",)),))


EXTENSIONS_DEPLOYMENT = deploying(extensions_deployment)
FIRST_DEPLOYMENT = deploying(first_deployment)
EXTENSIONS_DAEMONSET = Form(extensions_daemonset, counter_inward, counter_outward, orphans=True)
EXTENSIONS_REPLICASET = Form(extensions_replicaset, orphans=True)
FIRST_STATEFULSET = Form(first_statefulset, orphans=True)
ORPHANING = Form(orphans=True)  #: says everything as the stored version does
