"""What a filter says of a node, and what it may look at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from knarr.kinds.types.core_v1 import Pod
from knarr.scheduler import resources
from knarr.scheduler.board import Place
from knarr.scheduler.resources import Amounts, HostPort
from knarr.scheduler.storage import Needs, Storage


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a node is not for a pod. `final`: no other pod leaving the node would help."""

    reason: str
    final: bool = True


@dataclass(frozen=True, slots=True)
class Round:
    """One pod's round: the pod, what it needs, all places, and the storage there is."""

    pod: Pod
    places: Sequence[Place]
    storage: Storage
    needs: Needs
    requested: Amounts = field(default_factory=dict)
    ports: tuple[HostPort, ...] = ()
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  #: their labels, by name
    _memory: dict[str, Any] = field(default_factory=dict)

    def remember(self, what: str, work_out: Callable[[], Any]) -> Any:
        """What a filter works out once for all places."""
        if what not in self._memory:
            self._memory[what] = work_out()
        return self._memory[what]


def round_of(
    pod: Pod,
    places: Sequence[Place],
    storage: Storage,
    needs: Needs,
    namespaces: Mapping[str, Mapping[str, str]] | None = None,
) -> Round:
    ports = tuple(resources.host_ports(pod))
    return Round(pod, places, storage, needs, resources.requested(pod), ports, namespaces or {})


Filter = Callable[[Round, Place], Sequence[Complaint]]
