"""Where a pod goes, or what is against every node: `schedule` looks at one pod and all places. Pure.

What could be done about it is said by `preemption`. The words are upstream's: `kubectl describe pod` shows them.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from knarr.kinds.types.core_v1 import Pod
from knarr.scheduler import storage
from knarr.scheduler.board import Place, key_of
from knarr.scheduler.filters import Complaint, complaints_of, node_affinity
from knarr.scheduler.filters.complaint import Nominated, Round, round_of
from knarr.scheduler.scores import best
from knarr.scheduler.storage import Needs, Storage

ENOUGH = 100  #: places that will do are looked for until there are this many; upstream wants a share of all as well
NO_NODES = "no nodes available to schedule pods"


class Refusal(Struct, frozen=True):
    """No place will do: what is to be said of each, by its name."""

    round: Round
    complaints: Mapping[str, Sequence[Complaint]]

    def __str__(self) -> str:
        return f"{available(len(self.round.places))} {tell(self.complaints.values())}."


class Decision(Struct, frozen=True):
    """The node a pod goes to and, by claim, the volume to bind there ("" to have one made); or why it goes nowhere.

    Then `nominated` is the node where it may have room once the `victims` are gone, "" when there is none, None when
    what was said of that before still holds.
    """

    node: str = ""
    volumes: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    nominated: str | None = None
    victims: Sequence[Pod] = ()

    def __str__(self) -> str:
        if self.node:
            return f"to {self.node}"
        if not self.victims:
            return self.message
        return f"{self.message} preempting {', '.join(v.metadata.name for v in self.victims)} on {self.nominated}"


def available(places: int) -> str:
    return f"0/{places} nodes are available:"


def tell(complaints: Iterable[Sequence[Complaint]]) -> str:
    """The reasons, each with the number of nodes that have it."""
    reasons = Counter(complaint.reason for of_one in complaints for complaint in of_one)
    return ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))


def schedule(
    pod: Pod,
    places: Sequence[Place],
    there: Storage | None = None,
    *,
    start: int = 0,
    namespaces: Mapping[str, Mapping[str, str]] | None = None,
    nominated: Nominated | None = None,
) -> Decision | Refusal:
    """Decide. The search begins at place `start`, which also breaks ties: move it on from pod to pod.

    `nominated` are the pods for which room is made, by node; the pod itself is among them where it is for it.
    """
    if not places:
        return Decision(message=NO_NODES, nominated="")
    there = there or Storage()
    needs = storage.needs(pod, there)
    names = node_affinity.named(pod)
    if why := node_affinity.CONFLICT if names is not None and not names else needs.complaint:
        return Decision(message=f"{available(len(places))} {why}. not found")
    start %= len(places)
    round_ = round_of(pod, [*places[start:], *places[:start]], there, needs, namespaces, nominated)
    found, refused = _filtered(round_, names)
    if not found:
        return Refusal(round_, refused)
    chosen = found[0] if len(found) == 1 else best(replace(round_, compared=found))
    return Decision(node=chosen.name, volumes=_volumes(needs, chosen, there))


def nominated_to(pod: Pod, nominated: Nominated) -> str:
    """The name of the node where room is made for a pod, "" for none."""
    key = key_of(pod)
    return next((node for node, pods in nominated.items() if key in pods), "")


def nominated_place(round_: Round) -> Place | None:
    """The place where room is made for the round's pod."""
    name = nominated_to(round_.pod, round_.nominated)
    return next((place for place in round_.places if place.name == name), None) if name else None


def _filtered(round_: Round, names: Collection[str] | None) -> tuple[list[Place], dict[str, Sequence[Complaint]]]:
    """The places that will do, as many as are worth comparing, and what is to be said against others.

    The place where room is made for the pod is taken without looking further; `names` are the only ones to look at.
    """
    made = nominated_place(round_)
    if made is not None and not complaints_of(round_, made):
        return [made], {}
    found: list[Place] = []
    refused: dict[str, Sequence[Complaint]] = {}
    for place in round_.places if names is None else [place for place in round_.places if place.name in names]:
        if complaints := complaints_of(round_, place):
            refused[place.name] = complaints
            continue
        found.append(place)
        if len(found) >= ENOUGH:
            break
    if names is not None and not found:
        return found, dict.fromkeys((place.name for place in round_.places), (node_affinity.ELSEWHERE,)) | refused
    return found, refused


def _volumes(needs: Needs, place: Place, there: Storage) -> Mapping[str, str]:
    return (storage.match(needs.waiting, place.node, there) or {}) if needs.waiting else {}
