"""What disruption budgets allow, case by case, and evictions that came to nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from knarr.controllers import disruption, disruption_target
from knarr.controllers.disruption_plan import Owners, failed, plan
from knarr.kinds.types.core_v1 import PodCondition
from knarr.kinds.types.meta_v1 import Condition, LabelSelector
from knarr.kinds.types.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from knarr.meta import clock
from knarr.testing.builders import a_meta, a_pod

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
FRESH, STALE = (clock.timestamp(NOW - timedelta(seconds=s)) for s in (30, 121))


def a_budget(*, status=None, name="db", selector=None, **spec):
    selector = LabelSelector(matchLabels={"app": "db"}) if selector is None else selector
    return PodDisruptionBudget(
        metadata=a_meta(name, generation=3),
        spec=PodDisruptionBudgetSpec(selector=selector, **spec),
        status=status or PodDisruptionBudgetStatus(),
    )


def pods(ready, unready=0):
    return [a_pod(n, ready=n < ready) for n in range(ready + unready)]


def written(steps):
    return next(step.obj.status for step in steps if str(step).startswith("update status"))


#: sentence -> spec, pods, what their owners want; expected, desired, healthy, allowed
COUNTS = {
    "so many must be there, the others may go": ({"minAvailable": 2}, pods(3), Owners(), (3, 2, 3, 1)),
    "none may go when just as many are there": ({"minAvailable": 3}, pods(3), Owners(), (3, 3, 3, 0)),
    "pods that are not ready are not healthy": ({"minAvailable": 2}, pods(2, 2), Owners(), (4, 2, 2, 0)),
    "a share of what must be there is rounded up": ({"minAvailable": "50%"}, pods(5), Owners(5), (5, 3, 5, 2)),
    "a share is of what owners want, not of what there is": (
        {"minAvailable": "50%"},
        pods(3),
        Owners(10),
        (10, 5, 3, 0),
    ),
    "so many may be missing": ({"maxUnavailable": 1}, pods(4), Owners(4), (4, 3, 4, 1)),
    "a share that may be missing is rounded up": ({"maxUnavailable": "30%"}, pods(4), Owners(4), (4, 2, 4, 2)),
    "no more may go than are there": ({"maxUnavailable": 10}, pods(4), Owners(4), (4, 0, 4, 4)),
    "without pods nothing is allowed": ({"maxUnavailable": 1}, [], Owners(), (0, 0, 0, 0)),
    "all may be missing": ({"maxUnavailable": "100%"}, pods(2), Owners(2), (2, 0, 2, 2)),
    "pods on their way out are not healthy": (
        {"minAvailable": 1},
        [a_pod(0), a_pod(1), a_pod(2, deleting=True)],
        Owners(),
        (3, 1, 2, 1),
    ),
}


@pytest.mark.parametrize("spec, there, owners, counts", COUNTS.values(), ids=COUNTS)
def test_what_a_budget_counts(spec, there, owners, counts):
    status = written(plan(a_budget(**spec), there, owners, NOW))
    found = (status.expectedPods, status.desiredHealthy, status.currentHealthy, status.disruptionsAllowed)
    assert found == counts
    condition = status.conditions[0]
    sufficient = ("True", "SufficientPods") if counts[3] else ("False", "InsufficientPods")
    assert (condition.type, condition.status, condition.reason) == ("DisruptionAllowed", *sufficient)
    assert status.observedGeneration == condition.observedGeneration == 3


def with_evicted(**disrupted):
    names = {name.replace("_", "-"): time for name, time in disrupted.items()}
    return a_budget(status=PodDisruptionBudgetStatus(disruptedPods=names), minAvailable=2)


UPDATE = "update status of poddisruptionbudget db: what it allows has changed"
NOT_DELETED = "event on pod db-2: NotDeleted: Pod was expected by PDB default/db to be deleted but it wasn't"
#: sentence -> budget, pods, steps, who is still expected to go, how many may
EVICTED = {
    "a pod that is announced does not count": (
        with_evicted(db_2=FRESH),
        pods(3),
        [UPDATE, "wait for db: evicted pods are still there"],
        {"db-2": FRESH},
        0,
    ),
    "a pod that never went counts again, and is told of": (
        with_evicted(db_2=STALE), pods(3), [NOT_DELETED, UPDATE], {}, 1,
    ),
    "a pod that is marked need not be remembered": (
        with_evicted(db_2=FRESH), [*pods(2), a_pod(2, deleting=True)], [UPDATE], {}, 0,
    ),
    "nor one that is gone": (with_evicted(db_9=FRESH), pods(3), [UPDATE], {}, 1),
}  # fmt: skip


@pytest.mark.parametrize("budget, there, steps, left, allowed", EVICTED.values(), ids=EVICTED)
def test_pods_that_were_evicted(budget, there, steps, left, allowed):
    planned = plan(budget, there, Owners(), NOW)
    assert [str(step) for step in planned] == steps
    assert written(planned).disruptedPods == left
    assert written(planned).disruptionsAllowed == allowed


def test_what_has_not_changed_is_not_written():
    budget = a_budget(minAvailable=1)
    counted = replace(budget, status=written(plan(budget, pods(2), Owners(), NOW)))
    assert plan(counted, pods(2), Owners(), NOW + timedelta(minutes=1)) == []


def test_the_condition_keeps_its_time_while_it_holds():
    budget = a_budget(minAvailable=1)
    counted = replace(budget, status=written(plan(budget, pods(2), Owners(), NOW)))
    later = NOW + timedelta(minutes=1)
    assert written(plan(counted, pods(3), Owners(), later)).conditions[0].lastTransitionTime == clock.timestamp(NOW)
    assert written(plan(counted, pods(1), Owners(), later)).conditions[0].lastTransitionTime == clock.timestamp(later)


def test_a_budget_without_pods_says_so():
    assert str(plan(a_budget(minAvailable=1), [], Owners(), NOW)[0]) == (
        "event on poddisruptionbudget db: NoPods: No matching pods found"
    )


def test_pods_without_an_owner_are_told_of_where_owners_count():
    told = str(plan(a_budget(maxUnavailable=1), pods(1), Owners(unmanaged=True), NOW)[0])
    assert told.startswith("event on poddisruptionbudget db: UnmanagedPods: Pods selected by this PodDisruptionBudget ")
    assert "(selector: &LabelSelector{MatchLabels:map[string]string{app: db,}," in told
    assert len(plan(a_budget(minAvailable=1), pods(2), Owners(unmanaged=True), NOW)) == 1


def test_a_budget_that_cannot_be_counted_allows_nothing():
    status = PodDisruptionBudgetStatus(
        disruptionsAllowed=2, conditions=[Condition(type="DisruptionAllowed", status="True", reason="SufficientPods")]
    )
    steps = failed(a_budget(maxUnavailable=1, status=status), 'found no controllers for pod "db-0"', NOW)
    assert str(steps[0]).endswith(
        'CalculateExpectedPodCountFailed: Failed to calculate the number of expected pods: '
        'found no controllers for pod "db-0"'
    )  # fmt: skip
    assert written(steps).disruptionsAllowed == 0
    assert (written(steps).conditions[0].status, written(steps).conditions[0].reason) == ("False", "SyncFailed")


def test_the_first_of_several_budgets_tells_their_pods():
    mine, other = a_budget(name="a", minAvailable=1), a_budget(name="b", minAvailable=1)
    assert [str(step) for step in disruption.shared(mine, pods(1), [mine, other])] == [
        'event on pod db-0: MultiplePodDisruptionBudgets: Pod "default"/"db-0" matches multiple '
        'PodDisruptionBudgets.  Chose "a" arbitrarily.'
    ]
    assert list(disruption.shared(other, pods(1), [mine, other])) == []
    assert list(disruption.shared(mine, pods(1), [mine])) == []


def targeted(since, *, reason="EvictionByEvictionAPI", status="True", **fields):
    pod = a_pod("web", **fields)
    condition = PodCondition(type="DisruptionTarget", status=status, reason=reason, lastTransitionTime=since)
    return replace(pod, status=replace(pod.status, conditions=[*pod.status.conditions, condition]))


#: sentence -> pod, steps
TARGETS = {
    "for two minutes a pod may be about to go": (targeted(FRESH), ["wait for web: was to be evicted"]),
    "then it is no target any more": (targeted(STALE), ["patch status of pod web: it was not evicted"]),
    "a pod on its way out stays one": (targeted(STALE, deleting=True), []),
    "so does one that has ended": (targeted(STALE, phase="Failed"), []),
    "the kubelet takes its time": (targeted(STALE, reason="TerminationByKubelet"), []),
    "what is taken back stays so": (targeted(STALE, status="False"), []),
    "other pods are none": (a_pod("web"), []),
}


@pytest.mark.parametrize("pod, steps", TARGETS.values(), ids=TARGETS)
def test_pods_that_were_to_go(pod, steps):
    assert [str(step) for step in disruption_target.plan(pod, NOW)] == steps
