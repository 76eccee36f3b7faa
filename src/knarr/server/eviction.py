"""Eviction: a delete that respects disruption budgets.

An eviction takes one disruption from the budget and notes the pod's name there before it deletes the pod, both in one
write that names the version it was decided from: of two evictions at the same moment the second decides anew.
"""

from collections.abc import Sequence
from dataclasses import replace

from knarr.kinds.kind import Kind
from knarr.kinds.pod import condition, is_finished, is_ready, is_terminating
from knarr.kinds.poddisruptionbudget import allowance
from knarr.kinds.types.core_v1 import Pod
from knarr.kinds.types.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetStatus
from knarr.meta import clock, labels
from knarr.meta.errors import Cause, Conflict, Forbidden, Timeout, TooManyRequests, Unclassified
from knarr.registry.delete import DeleteOptions, check_preconditions
from knarr.registry.entry import Entry
from knarr.registry.registry import Registry
from knarr.server.admission import State

TRIES = 20  #: how often an eviction is decided anew when others write at the same time
MOST_DISRUPTED = 2000  #: pods that a budget may wait for at a time
TARGET = {"type": "DisruptionTarget", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}
VIOLATED = "Cannot evict pod as it would violate the pod's disruption budget."


async def evict(registry: Registry, state: State, namespace: str, name: str, wish: DeleteOptions) -> None:
    """Evict a pod. Raises TooManyRequests when its budget is spent, Conflict when a precondition does not hold."""
    kind = registry.kinds.by_type(Pod)
    budget: PodDisruptionBudget | None = None
    for _ in range(TRIES):
        entry = registry.find(kind, namespace, name)
        check_preconditions(kind, entry, wish)
        pod: Pod = entry.object()
        budget = budget_of(pod, await state.list(PodDisruptionBudget, namespace))
        pinned = bool(wish.resource_version) or (budget is None and not is_finished(pod) and not is_terminating(pod))
        try:
            if budget is not None:
                await count(registry, budget, name, dry_run=wish.dry_run)
            await delete(registry, kind, entry, wish, pinned=pinned)
        except Stale:
            if wish.resource_version:
                raise
        else:
            return
    about = f'PodDisruptionBudget "{budget.metadata.name}"' if budget is not None else f'pod "{name}"'
    raise Timeout(f"couldn't update {about} due to conflicts", retry_after=10)


class Stale(Conflict):
    """Somebody wrote what the eviction was decided from."""


def budget_of(pod: Pod, budgets: Sequence[PodDisruptionBudget]) -> PodDisruptionBudget | None:
    """The budget that an eviction of this pod uses up, None when it uses none.

    Raises Unclassified when several budgets select the pod, TooManyRequests when its budget is spent.
    """
    if is_finished(pod) or is_terminating(pod) or pod.status.phase == "Pending":
        return None
    selecting = [b for b in budgets if selects(b, pod)]
    if not selecting:
        return None
    if len(selecting) > 1:
        raise Unclassified(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    budget = selecting[0]
    if not is_ready(pod) and _spares_unready(budget):
        return None
    _check(budget)
    return budget


def selects(budget: PodDisruptionBudget, pod: Pod) -> bool:
    """Whether a budget is about a pod; one whose selector is empty is about none."""
    selector = budget.spec.selector
    if selector is None or not (selector.matchLabels or selector.matchExpressions):
        return False
    return labels.of_object(selector).matches(pod.metadata.labels)


def _spares_unready(budget: PodDisruptionBudget) -> bool:
    """Whether a pod that isn't ready may go whatever the count says."""
    status = budget.status
    if budget.spec.unhealthyPodEvictionPolicy == "AlwaysAllow":
        return True
    return (status.currentHealthy or 0) >= (status.desiredHealthy or 0) and (status.desiredHealthy or 0) > 0


def _check(budget: PodDisruptionBudget) -> None:
    status, name = budget.status, budget.metadata.name
    if (status.observedGeneration or 0) < (budget.metadata.generation or 0):
        raise violated(f"The disruption budget {name} is still being processed by the server.", retry_after=10)
    if (status.disruptionsAllowed or 0) < 0:
        raise refused(name, "pdb disruptions allowed is negative")
    if len(status.disruptedPods) > MOST_DISRUPTED:
        raise refused(name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller")
    if not status.disruptionsAllowed:
        wanted, has = status.desiredHealthy or 0, status.currentHealthy or 0
        raise violated(f"The disruption budget {name} needs {wanted} healthy pods and has {has} currently")


def violated(why: str, *, retry_after: int = 0) -> TooManyRequests:
    return TooManyRequests(VIOLATED, causes=[Cause("DisruptionBudget", why)], retry_after=retry_after)


def refused(name: str, why: str) -> Forbidden:
    message = f'poddisruptionbudgets.policy "{name}" is forbidden: {why}'
    return Forbidden(message, kind="poddisruptionbudgets", group="policy", name=name)


async def count(registry: Registry, budget: PodDisruptionBudget, pod: str, *, dry_run: bool = False) -> None:
    """Take one disruption from the budget, and note for whom. Stale: the budget was written since it was read."""
    if dry_run:
        return
    left = (budget.status.disruptionsAllowed or 0) - 1
    status: dict[str, object] = {"disruptionsAllowed": left, "disruptedPods": {pod: clock.timestamp()}}
    if not left:
        spent = PodDisruptionBudgetStatus(
            conditions=budget.status.conditions, observedGeneration=budget.status.observedGeneration
        )
        status["conditions"] = allowance(spent, clock.now()).conditions
    metadata = budget.metadata
    patch = {"metadata": {"resourceVersion": metadata.resourceVersion}, "status": status}
    kind = registry.kinds.by_type(PodDisruptionBudget)
    try:
        await registry.patch(kind, metadata.namespace, metadata.name, "merge", patch, subresource="status")
    except Conflict as error:
        raise Stale(error.message) from None


async def delete(registry: Registry, kind: Kind, entry: Entry, wish: DeleteOptions, *, pinned: bool) -> None:
    """Say on the pod why it goes, then delete it. `pinned`: only if nobody wrote it since it was looked at, or Stale.

    Source: the eviction subresource of kubernetes 1.37, which tells with the condition DisruptionTarget.
    """
    pod: Pod = entry.object()
    known = condition(pod, TARGET["type"])
    try:
        if (known is None or known.status != "True") and not wish.dry_run:
            told: dict[str, object] = {**TARGET, "status": "True", "lastTransitionTime": clock.timestamp()}
            told["observedGeneration"] = pod.metadata.generation
            about = {"uid": entry.uid, **({"resourceVersion": str(entry.revision)} if pinned else {})}
            patch = {"metadata": about, "status": {"conditions": [told]}}
            entry = await registry.patch(kind, entry.namespace, entry.name, "strategic", patch, subresource="status")
        version = str(entry.revision) if pinned else ""
        await registry.delete(kind, entry.namespace, entry.name, replace(wish, uid=entry.uid, resource_version=version))
    except Conflict as error:
        if not pinned:
            raise
        raise Stale(error.message, kind=error.kind, group=error.group, name=error.name) from None
