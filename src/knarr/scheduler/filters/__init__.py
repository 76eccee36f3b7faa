"""The filters, one file each: why a node is not for a pod. In upstream's order; a node's first complaint counts.

A filter gives the node's complaints, none when the node will do. `Complaint.final` says that no other pod leaving
the node would help. Where it depends on the pod whether a filter can have anything against any node, its `concerns`
says so: that is asked once for all nodes, as upstream's PreFilter is.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from knarr.scheduler.board import Place
from knarr.scheduler.filters import (
    capacity,
    node_affinity,
    node_name,
    pod_affinity,
    ports,
    taints,
    topology,
    unschedulable,
    volume_limits,
    volume_restrictions,
    volume_zone,
    volumes,
)
from knarr.scheduler.filters.complaint import Complaint, Filter, Round

Which = Literal["all", "of pods"]


def always(round_: Round) -> bool:
    return True


FILTERS: tuple[tuple[Filter, Callable[[Round], bool]], ...] = (
    (unschedulable.complaints, always),
    (node_name.complaints, node_name.concerns),
    (taints.complaints, always),
    (node_affinity.complaints, node_affinity.concerns),
    (ports.complaints, ports.concerns),
    (capacity.complaints, always),
    (volume_restrictions.complaints, volume_restrictions.concerns),
    (volume_limits.complaints, volume_limits.concerns),
    (volumes.complaints, volumes.concerns),
    (volume_zone.complaints, volume_zone.concerns),
    (topology.complaints, topology.concerns),
    (pod_affinity.complaints, pod_affinity.concerns),
)

#: those that look at the pods of a node, and so may say something else when one of them leaves
OF_PODS: frozenset[Filter] = frozenset(
    (
        ports.complaints,
        capacity.complaints,
        volume_restrictions.complaints,
        volume_limits.complaints,
        topology.complaints,
        pod_affinity.complaints,
    )
)


def complaints_of(round_: Round, place: Place, which: Which = "all") -> Sequence[Complaint]:
    """What is to be said against a place: with the pods that are nominated to it there, and without them."""
    filters: Sequence[Filter] | None = round_.filters.get(which)
    if filters is None:
        filters = round_.filters[which] = _concerned(round_, which)
    if round_.nominated and (guests := round_.guests(place)):
        crowded = place.without(())
        for guest in guests:
            crowded.put(guest)
        if found := _first(round_.thinking(place, crowded), crowded, filters):
            return found
    return _first(round_, place, filters)


def _concerned(round_: Round, which: Which) -> Sequence[Filter]:
    return [of for of, concerns in FILTERS if (which == "all" or of in OF_PODS) and concerns(round_)]


def _first(round_: Round, place: Place, filters: Sequence[Filter]) -> Sequence[Complaint]:
    for complaints in filters:
        if found := complaints(round_, place):
            return found
    return ()


__all__ = ["Complaint", "Filter", "complaints_of"]
