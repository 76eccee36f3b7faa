"""PodDisruptionBudget: keeps in its status how many of the pods that it selects may be evicted.

What is allowed is `disruption_plan`'s; here the pods' controllers are asked how many replicas they want: those of the
built-in kinds from their caches, any other by its scale.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from knarr.client.scales import Scales
from knarr.client.transport import TransportError
from knarr.controllers.disruption_plan import Owners, asks_owners, failed, plan
from knarr.kinds.types.apps_v1 import Deployment, ReplicaSet, StatefulSet
from knarr.kinds.types.core_v1 import Pod, ReplicationController
from knarr.kinds.types.meta_v1 import OwnerReference
from knarr.kinds.types.policy_v1 import PodDisruptionBudget
from knarr.loop.claims import controller_of
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.selecting import Selecting, by_spec
from knarr.loop.steps import Event
from knarr.meta import clock, labels
from knarr.meta.errors import ApiError, NotFound

#: the controllers that are known without asking, by the groups and the kind of a reference
KNOWN: dict[tuple[str, str], type[Any]] = {
    ("", "ReplicationController"): ReplicationController,
    ("apps", "ReplicaSet"): ReplicaSet,
    ("extensions", "ReplicaSet"): ReplicaSet,
    ("apps", "StatefulSet"): StatefulSet,
}
BUDGETS = Selecting(PodDisruptionBudget, by_spec)


class Uncounted(NotFound):
    """How many pods there should be cannot be said: a controller of theirs is not to be found."""


def controller() -> Controller:
    """The controller, which remembers what kinds there are."""
    scales = Scales()

    async def sync(key: Key, context: Context) -> datetime | None:
        namespace, name = key
        budget = context.cache(PodDisruptionBudget).get(name, namespace)
        if budget is None:
            return None
        pods = [pod for pod in context.cache(Pod).list(namespace) if selects(budget, pod)]
        try:
            owners = await owners_of(context, scales, pods) if asks_owners(budget) else Owners()
        except (ApiError, TransportError) as error:
            await carry_out(context.api, failed(budget, str(error), clock.now()), context.recorder)
            raise
        ambiguous = shared(budget, pods, context.cache(PodDisruptionBudget).list(namespace))
        steps = [*ambiguous, *plan(budget, pods, owners, clock.now())]
        return await carry_out(context.api, steps, context.recorder)

    return Controller(
        name="disruption",
        component="controllermanager",
        sources=[
            Source(PodDisruptionBudget, itself),
            Source(Pod, between=BUDGETS.keys_between),
            *(Source(type_, related=budgets_beside, matters=rescaled) for type_ in WORKLOADS),
        ],
        sync=sync,
        indexes=[BUDGETS.index],
    )


# How many pods there should be


async def owners_of(context: Context, scales: Scales, pods: Sequence[Pod]) -> Owners:
    """What the pods' controllers want in all. Raises Uncounted when one is not to be found or has no replicas."""
    wanted: dict[str, int] = {}
    unmanaged = False
    asked: set[str] = set()
    for pod in pods:
        owner = controller_of(pod)
        if owner is None:
            unmanaged = True
        elif owner.uid not in asked:
            asked.add(owner.uid)
            uid, replicas = await replicas_of(context, scales, owner, pod)
            wanted[uid] = replicas
    return Owners(sum(wanted.values()), unmanaged)


async def replicas_of(context: Context, scales: Scales, owner: OwnerReference, pod: Pod) -> tuple[str, int]:
    """The uid of what decides about a pod's number, and the replicas that it wants."""
    namespace = pod.metadata.namespace
    type_ = KNOWN.get((owner.apiVersion.rpartition("/")[0], owner.kind))
    if type_ is None:
        return await scale_of(context, scales, owner, pod)
    found = context.cache(type_).get(owner.name, namespace)
    above = controller_of(found) if found is not None else None
    if type_ is ReplicaSet and above is not None and above.kind == "Deployment":
        owner, found = above, context.cache(Deployment).get(above.name, namespace)
    if found is None or found.metadata.uid != owner.uid:
        raise missing(pod)
    return owner.uid, 1 if found.spec.replicas is None else found.spec.replicas


async def scale_of(context: Context, scales: Scales, owner: OwnerReference, pod: Pod) -> tuple[str, int]:
    try:
        scaled = await scales.get(context.api, owner.apiVersion, owner.kind, pod.metadata.namespace, owner.name)
    except NotFound as error:
        if error.name:
            raise missing(pod) from None
        raise
    if scaled.scale.metadata.uid != owner.uid:
        raise missing(pod)
    return owner.uid, scaled.scale.spec.replicas or 0


def shared(budget: PodDisruptionBudget, pods: Sequence[Pod], budgets: Sequence[PodDisruptionBudget]) -> Iterator[Event]:
    """Tell pods that several budgets select that they cannot be evicted; the first of the budgets tells."""
    others = [each for each in budgets if each.metadata.uid != budget.metadata.uid]
    for pod in pods:
        names = [each.metadata.name for each in others if selects(each, pod)]
        if names and budget.metadata.name < min(names):
            meta = pod.metadata
            message = (
                f'Pod "{meta.namespace}"/"{meta.name}" matches multiple PodDisruptionBudgets.  '
                f'Chose "{budget.metadata.name}" arbitrarily.'
            )
            yield Event(pod, "Warning", "MultiplePodDisruptionBudgets", message)


def selects(budget: PodDisruptionBudget, pod: Pod) -> bool:
    return labels.selects(budget.spec.selector, pod.metadata.labels)


def missing(pod: Pod) -> Uncounted:
    return Uncounted(f'found no controllers for pod "{pod.metadata.name}"')


# What wakes a budget


def budgets_beside(workload: Any, context: Context) -> list[Key]:
    """The budgets that are shares of what controllers of their namespace want."""
    namespace = workload.metadata.namespace
    budgets = context.cache(PodDisruptionBudget).list(namespace)
    return [(namespace, budget.metadata.name) for budget in budgets if asks_owners(budget)]


def rescaled(old: Any, new: Any) -> bool:
    """Whether a controller of pods came, went or wants another number."""
    return old is None or new is None or old.spec.replicas != new.spec.replicas


WORKLOADS: tuple[type[Any], ...] = (Deployment, ReplicaSet, StatefulSet, ReplicationController)
