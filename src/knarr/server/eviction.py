"""Eviction: a delete that respects disruption budgets."""

from collections.abc import Sequence

from knarr.kinds.pod import is_finished, is_ready, is_terminating
from knarr.kinds.types.core_v1 import Pod
from knarr.kinds.types.policy_v1 import PodDisruptionBudget
from knarr.meta import clock, labels
from knarr.meta.errors import Cause, Conflict, TooManyRequests, Unclassified
from knarr.registry.registry import Registry


def budget_of(pod: Pod, budgets: Sequence[PodDisruptionBudget]) -> PodDisruptionBudget | None:
    """The budget that an eviction of this pod uses up, None when it uses none.

    Raises Unclassified when several budgets select the pod, TooManyRequests when its budget is spent.
    """
    if is_finished(pod) or is_terminating(pod) or pod.status.phase == "Pending":
        return None
    selecting = [b for b in budgets if b.spec.selector is not None and selects(b, pod)]
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
    assert budget.spec.selector is not None
    return labels.of_object(budget.spec.selector).matches(pod.metadata.labels)


def _spares_unready(budget: PodDisruptionBudget) -> bool:
    """Whether a pod that isn't ready may go whatever the count says."""
    status = budget.status
    if budget.spec.unhealthyPodEvictionPolicy == "AlwaysAllow":
        return True
    return (status.currentHealthy or 0) >= (status.desiredHealthy or 0) and (status.desiredHealthy or 0) > 0


def _check(budget: PodDisruptionBudget) -> None:
    status, name = budget.status, budget.metadata.name
    if (status.observedGeneration or 0) < (budget.metadata.generation or 0):
        raise TooManyRequests(
            "Cannot evict pod as it would violate the pod's disruption budget.",
            causes=[Cause("DisruptionBudget", f"The disruption budget {name} is still being processed by the server.")],
            retry_after=10,
        )
    if (status.disruptionsAllowed or 0) <= 0:
        text = f"needs {status.desiredHealthy} healthy pods and has {status.currentHealthy} currently"
        raise TooManyRequests(
            "Cannot evict pod as it would violate the pod's disruption budget.",
            causes=[Cause("DisruptionBudget", f"The disruption budget {name} {text}")],
        )


async def count(registry: Registry, budget: PodDisruptionBudget, pod: str) -> None:
    """Take one disruption from the budget, and note for whom, so that a second eviction sees it."""
    kind = registry.kinds.by_type(PodDisruptionBudget)
    now = clock.timestamp()
    patch = {
        "metadata": {"resourceVersion": budget.metadata.resourceVersion},
        "status": {
            "disruptionsAllowed": (budget.status.disruptionsAllowed or 0) - 1,
            "disruptedPods": {**budget.status.disruptedPods, pod: now},
        },
    }
    metadata = budget.metadata
    try:
        await registry.patch(kind, metadata.namespace, metadata.name, "merge", patch, subresource="status")
    except Conflict:
        raise TooManyRequests(
            "Cannot evict pod as it would violate the pod's disruption budget.", retry_after=1
        ) from None
