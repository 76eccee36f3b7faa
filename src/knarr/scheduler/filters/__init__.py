"""The filters, one file each: why a node is not for a pod. In upstream's order; a node's first complaint counts.

A filter gives the node's complaints, none when the node will do. `Complaint.final` says that no other pod leaving
the node would help.
"""

from knarr.scheduler.filters import (
    capacity,
    node_affinity,
    node_name,
    pod_affinity,
    ports,
    taints,
    topology,
    unschedulable,
    volume_restrictions,
    volume_zone,
    volumes,
)
from knarr.scheduler.filters.complaint import Complaint, Filter

FILTERS: tuple[Filter, ...] = (
    unschedulable.complaints,
    node_name.complaints,
    taints.complaints,
    node_affinity.complaints,
    ports.complaints,
    capacity.complaints,
    volume_restrictions.complaints,
    volumes.complaints,
    volume_zone.complaints,
    topology.complaints,
    pod_affinity.complaints,
)

__all__ = ["FILTERS", "Complaint", "Filter"]
