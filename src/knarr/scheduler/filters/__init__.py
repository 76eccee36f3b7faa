"""The filters, one file each: why a node is not for a pod. In upstream's order; a node's first complaint counts.

A filter gives the node's complaints, none when the node will do. `Complaint.final` says that no other pod leaving
the node would help.
"""

from collections.abc import Sequence

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

FILTERS: tuple[Filter, ...] = (
    unschedulable.complaints,
    node_name.complaints,
    taints.complaints,
    node_affinity.complaints,
    ports.complaints,
    capacity.complaints,
    volume_restrictions.complaints,
    volume_limits.complaints,
    volumes.complaints,
    volume_zone.complaints,
    topology.complaints,
    pod_affinity.complaints,
)

#: those that look at the pods of a node, and so may say something else when one of them leaves
OF_PODS: tuple[Filter, ...] = (
    ports.complaints,
    capacity.complaints,
    volume_restrictions.complaints,
    volume_limits.complaints,
    topology.complaints,
    pod_affinity.complaints,
)


def complaints_of(round_: Round, place: Place, filters: Sequence[Filter] = FILTERS) -> Sequence[Complaint]:
    """What is to be said against a place: with the pods that are nominated to it there, and without them."""
    if guests := round_.guests(place):
        crowded = place.without(())
        for guest in guests:
            crowded.put(guest)
        if found := _first(round_.thinking(place, crowded), crowded, filters):
            return found
    return _first(round_, place, filters)


def _first(round_: Round, place: Place, filters: Sequence[Filter]) -> Sequence[Complaint]:
    for complaints in filters:
        if found := complaints(round_, place):
            return found
    return ()


__all__ = ["FILTERS", "OF_PODS", "Complaint", "Filter", "complaints_of"]
