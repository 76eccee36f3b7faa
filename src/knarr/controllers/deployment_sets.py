"""The ReplicaSets of a Deployment: which is the new one, what is written on each, how many pods each may have. Pure.

Keeps true: a set's annotations say its revision, the revisions it had before, and the size of the whole when it was
last sized, so that a change of size can be told from a rollout and be shared in proportion.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from knarr.kinds.types.apps_v1 import Deployment, ReplicaSet, ReplicaSetSpec
from knarr.kinds.types.core_v1 import PodTemplateSpec
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta
from knarr.loop.revisions import controller_reference, revision_hash, template_patch
from knarr.meta.percent import share

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"
ROLLBACK = "deprecated.deployment.rollback.to"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
OWN = frozenset({LAST_APPLIED, REVISION, HISTORY, DESIRED, MOST, ROLLBACK})  #: annotations that a set does not inherit
LONGEST_HISTORY = 2000  #: characters
UNLIMITED = 2**31 - 1  #: a limit or deadline that means none


# The bounds


def wanted(deployment: Deployment) -> int:
    return 1 if deployment.spec.replicas is None else deployment.spec.replicas


def recreates(deployment: Deployment) -> bool:
    return deployment.spec.strategy is not None and deployment.spec.strategy.type == "Recreate"


def bounds(deployment: Deployment) -> tuple[int, int]:
    """How many pods there may be beyond the wanted number, and how many of those may be unavailable."""
    if recreates(deployment):
        return 0, 0
    rolling = deployment.spec.strategy.rollingUpdate if deployment.spec.strategy else None
    count = wanted(deployment)
    surge = share(rolling.maxSurge if rolling else None, count, up=True)
    unavailable = share(rolling.maxUnavailable if rolling else None, count)
    if not surge and not unavailable:
        unavailable = 1  # percentages of few pods round to nothing, and something must give
    return surge, min(unavailable, count)


def most(deployment: Deployment) -> int:
    """How many pods there may be."""
    return wanted(deployment) + bounds(deployment)[0]


def least(deployment: Deployment) -> int:
    """How many pods must be available."""
    return wanted(deployment) - bounds(deployment)[1]


# The sets


def size(set_: ReplicaSet) -> int:
    return 1 if set_.spec.replicas is None else set_.spec.replicas


def total(sets: Iterable[ReplicaSet]) -> int:
    return sum(map(size, sets))


def available(sets: Iterable[ReplicaSet]) -> int:
    return sum(set_.status.availableReplicas or 0 for set_ in sets)


def active(sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    return [set_ for set_ in sets if size(set_) > 0]


def by_age(sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """The oldest first."""
    return sorted(sets, key=lambda set_: (set_.metadata.creationTimestamp, set_.metadata.name))


def number(set_: ReplicaSet, annotation: str) -> int | None:
    """What an annotation counts; None when it is missing or no number."""
    text = set_.metadata.annotations.get(annotation, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def revision(set_: ReplicaSet) -> int:
    return number(set_, REVISION) or 0


def bare(template: PodTemplateSpec | None) -> PodTemplateSpec:
    """A template without the hash that its set gave it."""
    template = template or PodTemplateSpec()
    labels = {key: value for key, value in template.metadata.labels.items() if key != HASH}
    return replace(template, metadata=replace(template.metadata, labels=labels))


def split(deployment: Deployment, sets: Iterable[ReplicaSet]) -> tuple[ReplicaSet | None, list[ReplicaSet]]:
    """The set of the deployment's template (of several the oldest), and the others, oldest first."""
    template, ordered = bare(deployment.spec.template), by_age(sets)
    new = next((set_ for set_ in ordered if bare(set_.spec.template) == template), None)
    return new, [set_ for set_ in ordered if set_ is not new]


def new_set(deployment: Deployment, old: Sequence[ReplicaSet]) -> ReplicaSet:
    """The set to create for the deployment's template."""
    template, meta = deployment.spec.template, deployment.metadata
    hash_ = revision_hash(template_patch(template), deployment.status.collisionCount)
    labels = {**template.metadata.labels, HASH: hash_}
    selector = deployment.spec.selector or LabelSelector()
    spec = ReplicaSetSpec(
        replicas=0,
        minReadySeconds=deployment.spec.minReadySeconds,
        selector=replace(selector, matchLabels={**selector.matchLabels, HASH: hash_}),
        template=replace(template, metadata=replace(template.metadata, labels=labels)),
    )
    made = ReplicaSet(
        metadata=ObjectMeta(
            name=f"{meta.name}-{hash_}",
            namespace=meta.namespace,
            labels=labels,
            ownerReferences=[controller_reference(deployment)],
        ),
        spec=spec,
    )
    room = most(deployment) - total(old)
    count = wanted(deployment) if recreates(deployment) else min(max(room, 0), wanted(deployment))
    return sized(deployment, annotated(deployment, made, old), count)


def annotated(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> ReplicaSet:
    """The new set with the deployment's annotations, the newest revision, and its former ones as its history."""
    before = new.metadata.annotations
    after = {**before, **inherited(deployment.metadata.annotations)}
    newest = max(map(revision, old), default=0) + 1
    if revision(new) < newest:
        after[REVISION] = str(newest)
        if REVISION in before:
            after[HISTORY] = history(before.get(HISTORY, ""), before[REVISION])
    return new if after == before else replace(new, metadata=replace(new.metadata, annotations=after))


def inherited(annotations: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in annotations.items() if key not in OWN}


def history(former: str, last: str) -> str:
    """The revisions a set had, the oldest forgotten when they become too many."""
    revisions = [*filter(None, former.split(",")), last]
    while len(",".join(revisions)) > LONGEST_HISTORY and len(revisions) > 1:
        del revisions[0]
    return ",".join(revisions)


def sized(deployment: Deployment, set_: ReplicaSet, count: int) -> ReplicaSet:
    """The set at a size, with the size of the whole noted on it."""
    noted = {DESIRED: str(wanted(deployment)), MOST: str(most(deployment))}
    meta = replace(set_.metadata, annotations={**set_.metadata.annotations, **noted})
    return replace(set_, metadata=meta, spec=replace(set_.spec, replicas=count))


# Sharing a change of size


def in_proportion(deployment: Deployment, sets: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """Active sets at sizes that share what the deployment grew or shrank by; the largest takes what rounding leaves.

    What the largest cannot give, the next gives: so the sum is exact.
    """
    room = most(deployment) if wanted(deployment) else 0
    change = room - total(sets)
    newest_first = sorted(by_age(sets), key=lambda set_: set_.metadata.creationTimestamp, reverse=change > 0)
    ordered = sorted(newest_first, key=size, reverse=True)
    shares: list[int] = []
    for set_ in ordered:
        left = change - sum(shares)
        part = fraction(deployment, set_) if left else 0
        shares.append(min(part, left) if change > 0 else max(part, left))
    rest = change - sum(shares)
    sizes = []
    for set_, part in zip(ordered, shares, strict=True):
        taken = max(rest, -(size(set_) + part))
        sizes.append(size(set_) + part + taken)
        rest -= taken
    return [sized(deployment, set_, count) for set_, count in zip(ordered, sizes, strict=True)]


def fraction(deployment: Deployment, set_: ReplicaSet) -> int:
    """By how much a set changes with the whole, rounded to the nearest."""
    if not wanted(deployment):
        return -size(set_)
    before = number(set_, MOST) or deployment.status.replicas or 0
    if not before:
        return 0
    return (2 * size(set_) * most(deployment) + before) // (2 * before) - size(set_)
