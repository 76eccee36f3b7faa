"""What a PodDisruptionBudget allows, from one snapshot: pure.

`plan` counts the pods that are healthy, takes off those that an eviction has announced, and says how many more may go.
A pod that was announced and still is not on its way out after `DELETION_TIMEOUT` counts again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from knarr.kinds.pod import is_ready, is_terminating
from knarr.kinds.poddisruptionbudget import SYNC_FAILED, allowance, set_condition
from knarr.kinds.types.core_v1 import Pod
from knarr.kinds.types.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetStatus
from knarr.loop import selector_text
from knarr.loop.steps import Event, Status, Step, Wait
from knarr.meta import clock
from knarr.meta.percent import share

DELETION_TIMEOUT = timedelta(minutes=2)
UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a result, the "
    "status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these "
    'pods please set ".spec.minAvailable" field of the PDB to an integer value.'
)


@dataclass(frozen=True)
class Owners:
    """Who the pods of a budget belong to: the replicas that their controllers want in all, and pods without one."""

    replicas: int = 0
    unmanaged: bool = False


def asks_owners(budget: PodDisruptionBudget) -> bool:
    """Whether the budget is a share of what the pods' controllers want, not of the pods that there are."""
    return budget.spec.maxUnavailable is not None or isinstance(budget.spec.minAvailable, str)


def plan(budget: PodDisruptionBudget, pods: Sequence[Pod], owners: Owners, now: datetime) -> list[Step]:
    """This pass's steps. `pods` are all that the budget selects; `owners` counts when `asks_owners` says so."""
    steps: list[Step] = []
    if not pods:
        steps.append(Event(budget, "Normal", "NoPods", "No matching pods found"))
    if owners.unmanaged and asks_owners(budget):
        message = UNMANAGED.format(selector=selector_text.shown(budget.spec.selector))
        steps.append(Event(budget, "Warning", "UnmanagedPods", message))
    announced = announced_pods(budget, pods)
    late = [pod for pod in announced if until(budget, pod) < now]
    steps += [Event(pod, "Warning", "NotDeleted", not_deleted(budget)) for pod in late]
    leaving = {pod.metadata.name: until(budget, pod) for pod in announced if pod not in late}
    new = status(budget, pods, owners, leaving, now)
    if new != budget.status:
        steps.append(Status(replace(budget, status=new), "what it allows has changed"))
    if leaving:
        steps.append(Wait(budget, "evicted pods are still there", min(leaving.values())))
    return steps


def expectation(budget: PodDisruptionBudget, count: int, owners: Owners) -> tuple[int, int]:
    """How many pods there should be, and how many of them must be healthy."""
    least, most = budget.spec.minAvailable, budget.spec.maxUnavailable
    if most is not None:
        return owners.replicas, max(0, owners.replicas - share(most, owners.replicas, up=True))
    if isinstance(least, str):
        return owners.replicas, share(least, owners.replicas, up=True)
    return (0, 0) if least is None else (count, least)


def status(
    budget: PodDisruptionBudget,
    pods: Sequence[Pod],
    owners: Owners,
    leaving: Mapping[str, datetime],
    now: datetime,
) -> PodDisruptionBudgetStatus:
    """The budget's status; `leaving` are the evicted pods that are still to be marked, and until when they may be."""
    expected, desired = expectation(budget, len(pods), owners)
    healthy = sum(is_healthy(pod, leaving, now) for pod in pods)
    counted = PodDisruptionBudgetStatus(
        expectedPods=expected,
        desiredHealthy=desired,
        currentHealthy=healthy,
        disruptionsAllowed=max(0, healthy - desired) if expected > 0 else 0,
        disruptedPods={name: budget.status.disruptedPods[name] for name in sorted(leaving)},
        observedGeneration=budget.metadata.generation,
        conditions=budget.status.conditions,
    )
    return allowance(counted, now)


def is_healthy(pod: Pod, leaving: Mapping[str, datetime], now: datetime) -> bool:
    if is_terminating(pod):
        return False
    return is_ready(pod) and not (pod.metadata.name in leaving and leaving[pod.metadata.name] > now)


def announced_pods(budget: PodDisruptionBudget, pods: Iterable[Pod]) -> list[Pod]:
    """The pods that an eviction has announced and that are not on their way out yet."""
    return [pod for pod in pods if pod.metadata.name in budget.status.disruptedPods and not is_terminating(pod)]


def until(budget: PodDisruptionBudget, pod: Pod) -> datetime:
    """Until when an announced pod is expected to be on its way out."""
    return clock.parse(budget.status.disruptedPods[pod.metadata.name]) + DELETION_TIMEOUT


def not_deleted(budget: PodDisruptionBudget) -> str:
    meta = budget.metadata
    return f"Pod was expected by PDB {meta.namespace}/{meta.name} to be deleted but it wasn't"


def failed(budget: PodDisruptionBudget, why: str, now: datetime) -> list[Step]:
    """The steps when nothing could be counted: no disruption is allowed until it can."""
    told = f"Failed to calculate the number of expected pods: {why}"
    steps: list[Step] = [Event(budget, "Warning", "CalculateExpectedPodCountFailed", told)]
    closed = replace(budget.status, disruptionsAllowed=0)
    new = set_condition(closed, "False", SYNC_FAILED, why, now)
    if new != budget.status:
        steps.append(Status(replace(budget, status=new), why))
    return steps
