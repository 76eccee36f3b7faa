"""Where a pod goes, or why nowhere: `schedule` looks at one pod and all places. Pure; called by the scheduler.

The words are upstream's: `kubectl describe pod` shows them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from knarr.kinds.types.core_v1 import Pod
from knarr.scheduler import storage
from knarr.scheduler.board import Place
from knarr.scheduler.filters import FILTERS, Complaint
from knarr.scheduler.filters.complaint import Round, round_of
from knarr.scheduler.scores import SCORES
from knarr.scheduler.storage import Needs, Storage

ENOUGH = 100  #: places that will do are looked for until there are this many; upstream wants a share of all as well
NO_HELP = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NO_NODES = "no nodes available to schedule pods"


@dataclass(frozen=True, slots=True)
class Decision:
    """The node a pod goes to and, by claim, the volume to bind there ("" to have one made); or why it goes nowhere."""

    node: str = ""
    volumes: Mapping[str, str] = field(default_factory=dict)
    message: str = ""

    def __str__(self) -> str:
        return f"to {self.node}" if self.node else self.message


def schedule(
    pod: Pod,
    places: Sequence[Place],
    there: Storage | None = None,
    *,
    start: int = 0,
    namespaces: Mapping[str, Mapping[str, str]] | None = None,
) -> Decision:
    """Decide. The search begins at place `start`, which also breaks ties: move it on from pod to pod."""
    if not places:
        return Decision(message=NO_NODES)
    there = there or Storage()
    needs = storage.needs(pod, there)
    if needs.complaint:
        return Decision(message=f"0/{len(places)} nodes are available: {needs.complaint}. not found")
    start %= len(places)
    round_ = round_of(pod, [*places[start:], *places[:start]], there, needs, namespaces)
    found, refused = _filtered(round_)
    if not found:
        return Decision(message=_refusal(pod, len(places), refused))
    compared = replace(round_, places=found)
    best = found[0] if len(found) == 1 else max(found, key=lambda place: _score(compared, place))
    return Decision(node=best.name, volumes=_volumes(needs, best, there))


def takes(place: Place, pod: Pod) -> bool:
    """Whether a node would take a pod, as far as it can be said without other nodes and without storage."""
    round_ = round_of(pod, [place], Storage(), Needs())
    return not any(complaints_of(round_, place) for complaints_of in FILTERS)


def _filtered(round_: Round) -> tuple[list[Place], list[Sequence[Complaint]]]:
    """The places that will do, as many as are worth comparing, and what the filters say of the others."""
    found: list[Place] = []
    refused: list[Sequence[Complaint]] = []
    for place in round_.places:
        if complaints := next(filter(None, (complaints_of(round_, place) for complaints_of in FILTERS)), ()):
            refused.append(complaints)
            continue
        found.append(place)
        if len(found) >= ENOUGH:
            break
    return found, refused


def _score(round_: Round, place: Place) -> float:
    return sum(weight * score(round_, place) for score, weight in SCORES)


def _volumes(needs: Needs, place: Place, there: Storage) -> Mapping[str, str]:
    return (storage.match(needs.waiting, place.node, there) or {}) if needs.waiting else {}


def _refusal(pod: Pod, places: int, refused: Sequence[Sequence[Complaint]]) -> str:
    reasons = Counter(complaint.reason for complaints in refused for complaint in complaints)
    said = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    if pod.spec.preemptionPolicy == "Never":
        rest = "preemption: not eligible due to preemptionPolicy=Never."
    else:
        others = Counter(NO_HELP if all(c.final for c in complaints) else NO_VICTIMS for complaints in refused)
        told = ", ".join(sorted(f"{count} {reason}" for reason, count in others.items()))
        rest = f"no new claims to deallocate, preemption: 0/{places} nodes are available: {told}."
    return f"0/{places} nodes are available: {said}. {rest}"
