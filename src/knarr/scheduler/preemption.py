"""What can be done for a pod that no node would take: which pods of which node would have to go for it.

Only pods of lower priority are victims; of these as few and as unimportant as possible, and rather such as no
disruption budget protects. `verdicts` looks at one node after the other, `conclude` decides. Pure; the rules are those
of upstream's default preemption. Called by the scheduler, which carries it out by `evict`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from knarr.kinds.pod import DISRUPTION_TARGET, condition, is_terminating
from knarr.kinds.types.core_v1 import Pod
from knarr.kinds.types.policy_v1 import PodDisruptionBudget
from knarr.meta import labels
from knarr.scheduler.board import Place, key_of, priority_of
from knarr.scheduler.decision import Decision, Refusal, available, nominated_place, nominated_to, tell
from knarr.scheduler.filters import Complaint, complaints_of
from knarr.scheduler.filters.capacity import lacking
from knarr.scheduler.filters.complaint import Nominated, Round, round_of
from knarr.scheduler.storage import Needs, Storage

REASON = "PreemptionByScheduler"  #: of the condition DisruptionTarget of a victim
NO_CLAIMS = "no new claims to deallocate"  #: what upstream says first of pods without resource claims
NEVER = "not eligible due to preemptionPolicy=Never."
GOING = "not eligible due to a terminating pod on the nominated node."
NO_HELP = (Complaint("Preemption is not helpful for scheduling"),)
NO_VICTIMS = (Complaint("No preemption victims found for incoming pod"),)
LEAST_SHARE, LEAST = 10, 100  #: candidates to compare: per cent of the nodes that come into question, and at least
FLOOR = 2**31  #: added to each priority of a sum, so that none is below zero and fewer victims are fewer
LATER = "~"  #: after any time: the start of a pod that has not started


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would have to go from one node, the most important pods first; or what would still be against it.

    `violations`: how many of the victims a disruption budget would not let go.
    """

    node: str
    victims: Sequence[Pod] = ()
    violations: int = 0
    complaints: Sequence[Complaint] = ()


def is_final(complaints: Sequence[Complaint]) -> bool:
    """Whether a node comes into question however many pods leave it."""
    for complaint in complaints:  # noqa: SIM110 (a generator takes twice as long: all nodes, each time)
        if complaint.final:
            return True
    return False


def ineligible(refusal: Refusal, expected: frozenset[str] = frozenset()) -> str:
    """Why the pod may not have others go for it, "" when it may.

    `expected`: the uids of those that were told to go for it, whether that is seen of them already or not.
    """
    pod = refusal.round.pod
    if pod.spec.preemptionPolicy == "Never":
        return NEVER
    place = nominated_place(refusal.round)
    if place is None or is_final(refusal.complaints[place.name]):
        return ""
    mine = priority_of(pod)
    waits = any(
        priority_of(other) < mine and (is_preempted(other) or other.metadata.uid in expected)
        for other in place.pods.values()
    )
    return GOING if waits else ""


def is_preempted(pod: Pod) -> bool:
    """Whether the pod is on its way out for another's sake."""
    target = condition(pod, DISRUPTION_TARGET)
    return is_terminating(pod) and target is not None and (target.status, target.reason) == ("True", REASON)


def may_help(place: Place, pod: Pod, nominated: Nominated | None = None) -> bool:
    """Whether a node would take a pod, or would if others went for it, seen without other nodes and without storage."""
    round_ = round_of(pod, [place], Storage(), Needs(), nominated=nominated)
    complaints = complaints_of(round_, place)
    if not complaints:
        return True
    mine = priority_of(pod)
    if is_final(complaints) or pod.spec.preemptionPolicy == "Never" or min(place.priorities, default=mine) >= mine:
        return False
    made = nominated_to(pod, round_.nominated)
    if made and (made != place.name or any(map(is_preempted, place.pods.values()))):
        return False  # it waits for those who go for it already
    return bool(look_at(round_, place, ()).victims)


def verdicts(refusal: Refusal, budgets: Sequence[PodDisruptionBudget]) -> Iterator[Verdict]:
    """What preemption could do, node by node, until there are enough to choose from; none of nodes without victims."""
    round_, mine = refusal.round, priority_of(refusal.round.pod)
    places = [place for place in round_.places if not is_final(refusal.complaints[place.name])]
    wanted = min(max(len(places) * LEAST_SHARE // 100, LEAST), len(places))
    sound = found = 0
    for place in places:
        if min(place.priorities, default=mine) >= mine:
            continue
        verdict = look_at(round_, place, budgets)
        yield verdict
        found += bool(verdict.victims)
        sound += bool(verdict.victims) and not verdict.violations
        if sound and found >= wanted:
            return


def look_at(round_: Round, place: Place, budgets: Sequence[PodDisruptionBudget]) -> Verdict:
    """The fewest pods that would have to leave a node that has some of lower priority: the important are spared."""
    mine = priority_of(round_.pod)
    if not round_.load.ports and (short := short_of(round_, place, mine)):
        return Verdict(place.name, complaints=short)
    lower = sorted((pod for pod in place.pods.values() if priority_of(pod) < mine), key=unimportance)
    left = place.without(map(key_of, lower))
    trial = round_.thinking(place, left)
    if complaints := complaints_of(trial, left):
        return Verdict(place.name, complaints=complaints)
    protected = over_budget(lower, budgets)
    victims: list[Pod] = []
    violations = 0
    for pod in sorted(lower, key=lambda pod: pod.metadata.uid not in protected):
        left.put(pod, place.loads[key_of(pod)])
        trial.rethink()
        if complaints_of(trial, left, "of pods"):
            left.take(key_of(pod))
            victims.append(pod)
            violations += pod.metadata.uid in protected
    return Verdict(place.name, sorted(victims, key=unimportance), violations)


def short_of(round_: Round, place: Place, priority: int) -> Sequence[Complaint]:
    """What the node would lack even without its pods of lower priority: quicker than to think them away."""
    staying = [weight.requested for weight in place.loads.values() if weight.priority >= priority]
    requested = {name: sum(amounts.get(name, 0) for amounts in staying) for name in round_.requested}
    return lacking(round_, place.allocatable, requested, len(staying))


def unimportance(pod: Pod) -> tuple[int, str]:
    """Sorts the most important first: by priority, then who began earlier."""
    return -priority_of(pod), started(pod)


def started(pod: Pod) -> str:
    return pod.status.startTime or LATER


def over_budget(pods: Sequence[Pod], budgets: Sequence[PodDisruptionBudget]) -> set[str]:
    """The uids of the pods that a budget would not let go, if they went in this order."""
    means = [(budget, labels.of_object(budget.spec.selector)) for budget in budgets]
    left = [budget.status.disruptionsAllowed or 0 for budget in budgets]
    found: set[str] = set()
    for pod in pods:
        meta = pod.metadata
        for number, (budget, selector) in enumerate(means):
            if budget.metadata.namespace != meta.namespace or not meta.labels or selector.empty:
                continue
            if not selector.matches(meta.labels) or meta.name in budget.status.disruptedPods:
                continue
            left[number] -= 1
            if left[number] < 0:
                found.add(meta.uid)
    return found


def conclude(refusal: Refusal, found: Sequence[Verdict], why_not: str = "") -> Decision:
    """Decide by what was found, or by why the pod may not have others go."""
    if why_not:
        return Decision(message=f"{refusal} {NO_CLAIMS}, preemption: {why_not}")
    candidates = [verdict for verdict in found if verdict.victims]
    if candidates:
        best = choose(candidates)
        return Decision(message=str(refusal), nominated=best.node, victims=best.victims)
    said = {verdict.node: verdict.complaints for verdict in found}
    for name, complaints in refusal.complaints.items():
        said.setdefault(name, NO_HELP if is_final(complaints) else NO_VICTIMS)
    places = available(len(refusal.round.places))
    return Decision(message=f"{refusal} {NO_CLAIMS}, preemption: {places} {tell(said.values())}.", nominated="")


def choose(candidates: Sequence[Verdict]) -> Verdict:
    """The candidate whose victims matter least; of equals the one whose most important began last, or the first."""
    least = min(map(harm, candidates))
    equal = [verdict for verdict in candidates if harm(verdict) == least]
    return max(equal, key=lambda verdict: started(verdict.victims[0]))


def harm(verdict: Verdict) -> tuple[int, int, int, int]:
    """Budgets that are overdrawn, the highest priority that has to go, the sum of priorities, and the number."""
    priorities = [priority_of(pod) for pod in verdict.victims]
    return verdict.violations, max(priorities), sum(p + FLOOR for p in priorities), len(priorities)
