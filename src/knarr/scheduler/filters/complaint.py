"""What a filter says of a node, and what it may look at."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, cast

from msgspec import Struct, field
from msgspec.structs import replace

from knarr.kinds.types.core_v1 import Pod
from knarr.scheduler.board import Key, Load, Place, key_of, load, priority_of
from knarr.scheduler.resources import Amounts
from knarr.scheduler.storage import Needs, Storage

Tally = Mapping[Any, int]
Nominated = Mapping[str, Mapping[Key, Pod]]  #: by node, the pods for which room is made there


class Complaint(Struct, frozen=True):
    """Why a node is not for a pod. `final`: no other pod leaving the node would help."""

    reason: str
    final: bool = True


class Round(Struct, frozen=True):
    """One pod's round: the pod, what it needs, all places, and the storage there is.

    `compared` are the places that will do, of which the scores find the best. `changed` are a place and what it is
    thought to be instead: what a filter sums up over all places follows.
    """

    pod: Pod
    places: Sequence[Place]
    storage: Storage
    needs: Needs
    load: Load
    requested: Amounts = field(default_factory=dict)  #: of the load, in the order of their names
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  #: their labels, by name
    nominated: Nominated = field(default_factory=dict)
    compared: Sequence[Place] = ()
    changed: tuple[Place, Place] | None = None
    filters: dict[str, "Sequence[Filter]"] = field(
        default_factory=dict
    )  #: those that concern the pod, by which are asked
    _memory: dict[Hashable, Any] = field(default_factory=dict)
    _totals: dict[str, Tally] = field(default_factory=dict)
    _here: dict[str, Any] = field(default_factory=dict)
    _before: dict[str, Tally] = field(default_factory=dict)  #: what the changed place added to each tally

    def remember(self, what: Hashable, work_out: Callable[[], Any]) -> Any:
        """What is worked out once for all places, whatever is on them."""
        if what not in self._memory:
            self._memory[what] = work_out()
        return self._memory[what]

    def tally(self, what: str, of: Callable[[Place], Tally], places: Sequence[Place] | None = None) -> Tally:
        """The sum of what `of` gives for every place; worked out once, and for a changed place from what it was.

        `places` are those for which it gives anything, where not all do.
        """
        if what not in self._totals:
            self._totals[what] = _sum((1, of(place)) for place in (self.places if places is None else places))
        if self.changed is None:
            return self._totals[what]
        if (found := self._here.get(what)) is None:
            was, thought = self.changed
            if what not in self._before:
                self._before[what] = of(was)
            before, after = self._before[what], of(thought)
            total = self._totals[what]
            found = self._here[what] = _sum(((-1, before), (1, after)), total) if before or after else total
        return cast(Tally, found)

    def reckon(self, what: str, work_out: Callable[[], Any]) -> Any:
        """What is worked out once from tallies."""
        if what not in self._here:
            self._here[what] = work_out()
        return self._here[what]

    def watched(self) -> Sequence[Place]:
        """The places where pods are that have a say in who else comes near."""
        found: Sequence[Place] = self.remember("watched", lambda: [place for place in self.places if place.lookouts])
        return found

    def thinking(self, was: Place, thought: Place) -> "Round":
        """The round in which a place is something else; a place that was changed already is changed again."""
        first = was if self.changed is None else self.changed[0]
        return replace(self, changed=(first, thought), _here={}, _before={})

    def rethink(self) -> None:
        """Take in that the place that was changed is something else again."""
        self._here.clear()

    def guests(self, place: Place) -> list[Pod]:
        """The pods nominated to a place that the round's pod may not take the room of."""
        if not (there := self.nominated.get(place.name)):
            return []
        mine, key = priority_of(self.pod), key_of(self.pod)
        return [other for name, other in there.items() if name != key and priority_of(other) >= mine]


def _sum(
    parts: Iterable[tuple[int, Tally]],
    start: Tally | None = None,
) -> Tally:
    total: dict[Hashable, int] = dict(start or {})
    for sign, part in parts:
        for key, number in part.items():
            total[key] = total.get(key, 0) + sign * number
    return total


def round_of(
    pod: Pod,
    places: Sequence[Place],
    storage: Storage,
    needs: Needs,
    namespaces: Mapping[str, Mapping[str, str]] | None = None,
    nominated: Nominated | None = None,
) -> Round:
    takes = load(pod)
    requested = dict(sorted(takes.requested.items()))
    return Round(pod, places, storage, needs, takes, requested, namespaces or {}, nominated or {})


Filter = Callable[[Round, Place], Sequence[Complaint]]
