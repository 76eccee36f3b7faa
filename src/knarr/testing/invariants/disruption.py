"""No eviction takes a budget's pods below what it keeps healthy, by what its controller counted last.

What failed by itself since that count is nobody's eviction. Pods and owners count as they were at the moment most
favourable to the server and the controller, no earlier than what the count may go by; evicted pods never count.
"""

from collections.abc import Iterator
from typing import Any

from knarr.kinds.pod import is_ready, is_terminating
from knarr.kinds.types.apps_v1 import Deployment, ReplicaSet, StatefulSet
from knarr.kinds.types.core_v1 import Pod, ReplicationController
from knarr.kinds.types.policy_v1 import PodDisruptionBudget
from knarr.meta.percent import share
from knarr.testing.invariants.replicas import replicas
from knarr.testing.invariants.world import World, Write, controller_uid, key_of

OWNERS: tuple[type[Any], ...] = (Deployment, ReplicaSet, StatefulSet, ReplicationController)


def budgets(write: Write, world: World) -> Iterator[str]:
    pod = write.old
    if write.type is not Pod or not write.asked_to_go or pod.metadata.uid not in world.evicting or not is_ready(pod):
        return
    for budget in world.all(PodDisruptionBudget):
        if selects(budget, pod):
            name = budget.metadata.name
            count = world.counts.get(key_of(PodDisruptionBudget, budget.metadata.namespace, name))
            if count is None:
                yield f"budget {name} was never counted"
                continue
            left = healthy(budget, world, count.since) - world.evicted - {pod.metadata.uid}
            least = min(desired(budget, world, count.since), default=0)
            if len(left) < least:
                yield f"budget {name} keeps {least} pods healthy, and {len(left)} are left"


def selects(budget: PodDisruptionBudget, pod: Pod) -> bool:
    wanted = budget.spec.selector.matchLabels if budget.spec.selector else {}
    return bool(wanted) and wanted.items() <= pod.metadata.labels.items()


def healthy(budget: PodDisruptionBudget, world: World, since: float) -> set[str]:
    """The uids of the budget's pods that were healthy at a moment since then."""
    folder = key_of(Pod, budget.metadata.namespace, "")
    keys = {key for key in (*world.objects, *world.versions) if key.startswith(folder)}
    return {
        pod.metadata.uid
        for key in keys
        for pod in world.known_at(key, since)
        if is_ready(pod) and not is_terminating(pod) and selects(budget, pod)
    }


def desired(budget: PodDisruptionBudget, world: World, since: float) -> Iterator[int]:
    """How many pods the budget keeps, by each version of who makes them that the count may go by."""
    least, most = budget.spec.minAvailable, budget.spec.maxUnavailable
    if isinstance(least, int):
        yield least
        return
    for count in expected(budget, world, since):
        if most is not None:
            yield max(0, count - share(most, count, up=True))
        else:
            yield share(least, count, up=True)


def expected(budget: PodDisruptionBudget, world: World, since: float) -> Iterator[int]:
    """How many pods there should be, by each version of the one workload whose pods the budget is about."""
    owners = {controller_uid(pod) for pod in world.all(Pod) if selects(budget, pod)}
    owned = [set_ for set_ in world.all(ReplicaSet) if set_.metadata.uid in owners]
    owners |= {controller_uid(set_) for set_ in owned}
    for type_ in OWNERS:
        for owner in world.all(type_):
            if owner.metadata.uid in owners and not (type_ is ReplicaSet and controller_uid(owner)):
                key = key_of(type_, owner.metadata.namespace, owner.metadata.name)
                yield from map(replicas, world.known_at(key, since))
                return
