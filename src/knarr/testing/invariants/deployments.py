"""A Deployment keeps its surge and what must stay available.

As upstream counts: the sizes that its ReplicaSets are told to have, and what their statuses say is available. Judged by
what the controller could know: the deployment and its sets as they were at the moment most favourable to it, no earlier
than `Write.since`. A change of the deployment's own size, which shares it among the sets, is not held to the least
available; nor is Recreate.
"""

from collections.abc import Iterator

from knarr.kinds.types.apps_v1 import Deployment, ReplicaSet
from knarr.meta.percent import share
from knarr.testing.invariants.replicas import owners, replicas
from knarr.testing.invariants.world import World, Write, key_of

DESIRED = "deployment.kubernetes.io/desired-replicas"


def bounds(write: Write, world: World) -> Iterator[str]:
    if write.writer != "deployment" or write.type is not ReplicaSet or write.new is None:
        return
    change = replicas(write.new) - (replicas(write.old) if write.old is not None else 0)
    found = list(owners(Deployment, write, world))
    if not found or not change:
        return
    check = _too_many if change > 0 else _too_few
    wrong = [list(check(write, world, deployment)) for deployment in found]
    if all(wrong):
        yield from wrong[0]


def _too_many(write: Write, world: World, deployment: Deployment) -> Iterator[str]:
    """Growing a set leaves no more pods told to be than the surge lets there be."""
    surge, _ = limits(deployment)
    others = [min(map(replicas, versions)) for versions in _others(write, world, deployment)]
    total = replicas(write.new) + sum(others)
    if total > wanted(deployment) + surge:
        yield f"{total} pods in all, where {wanted(deployment)} and {surge} more may be"


def _too_few(write: Write, world: World, deployment: Deployment) -> Iterator[str]:
    """Shrinking a set takes no more available pods than can be spared."""
    if is_recreate(deployment) or write.old.metadata.annotations.get(DESIRED) != str(wanted(deployment)):
        return
    _, unavailable = limits(deployment)
    least = wanted(deployment) - unavailable
    mine = list(world.known_at(write.key, write.since))
    here = max(map(available, mine))
    size = max(map(replicas, mine))
    taken = max(0, replicas(write.old) - replicas(write.new) - (size - min(map(available, mine))))
    there = sum(max(map(available, versions)) for versions in _others(write, world, deployment))
    if taken and here + there - taken < least:
        yield f"{here + there} pods are available, {taken} of them go, and {least} must stay"


def _others(write: Write, world: World, deployment: Deployment) -> Iterator[list[ReplicaSet]]:
    """The versions of each of the deployment's other sets that the writer may go by."""
    for set_ in world.owned_by(ReplicaSet, deployment.metadata.uid):
        key = key_of(ReplicaSet, set_.metadata.namespace, set_.metadata.name)
        if key != write.key:
            yield list(world.known_at(key, write.since))


def limits(deployment: Deployment) -> tuple[int, int]:
    """How many pods may be beyond the wanted number, and how many of it unavailable."""
    if is_recreate(deployment):
        return 0, 0
    rolling = deployment.spec.strategy.rollingUpdate if deployment.spec.strategy else None
    surge = share(rolling.maxSurge if rolling else None, wanted(deployment), up=True)
    unavailable = share(rolling.maxUnavailable if rolling else None, wanted(deployment))
    return surge, min(unavailable if surge or unavailable else 1, wanted(deployment))


def is_recreate(deployment: Deployment) -> bool:
    return deployment.spec.strategy is not None and deployment.spec.strategy.type == "Recreate"


def wanted(deployment: Deployment) -> int:
    return replicas(deployment)


def available(set_: ReplicaSet) -> int:
    return set_.status.availableReplicas or 0
