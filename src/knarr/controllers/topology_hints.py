"""Topology hints: for whom an endpoint is, by zones and nodes. Pure; the controller of EndpointSlices calls it.

`trafficDistribution` wants the nearest: a ready endpoint is for its own zone, or for its own node. The annotation
`topology-mode: Auto` wants each zone to have its share of a service's endpoints by its share of the nodes' CPU, and no
hints at all where no share can be had without overloading an endpoint by more than a fifth. Hints that are within the
bounds stay as they are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from msgspec.structs import replace

from knarr.kinds.types.core_v1 import Node, Service
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointHints, ForNode, ForZone
from knarr.meta import quantity

MODES = ("service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode")  #: the older one counts
CLOSE, SAME_NODE = ("PreferClose", "PreferSameZone", "PreferSameNode"), "PreferSameNode"
ZONE = "topology.kubernetes.io/zone"
CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
OVERLOAD = 0.2  #: by which an endpoint may have more to do than its even share

INSUFFICIENT_NODES = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
INSUFFICIENT_ENDPOINTS = "Insufficient number of endpoints"
OVERLOADED = "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold"
NO_ZONE = "One or more endpoints do not have a zone specified"

Shares = Mapping[str, float]  #: zone -> its part of the nodes' CPU


@dataclass(frozen=True)
class Bounds:
    """How many endpoints a zone may have, and how many it should."""

    least: int
    most: int
    wanted: float


class Unshared(Exception):
    """A service's endpoints cannot be shared among the zones."""


def is_aware(service: Service) -> bool:
    """Whether the service's endpoints are to be shared by the zones' sizes."""
    annotations = service.metadata.annotations
    mode = next((annotations[name] for name in MODES if name in annotations), "")
    return mode in ("Auto", "auto")


def near(endpoints: Iterable[Endpoint], distribution: str) -> list[Endpoint]:
    """The endpoints, hinted as `trafficDistribution` says."""
    return [replace(one, hints=hints_near(one, distribution)) for one in endpoints]


def hints_near(endpoint: Endpoint, distribution: str) -> EndpointHints | None:
    if distribution not in CLOSE or not is_ready(endpoint):
        return None
    zones = [ForZone(name=endpoint.zone)] if endpoint.zone else []
    nodes = [ForNode(name=endpoint.nodeName)] if endpoint.nodeName and distribution == SAME_NODE else []
    return EndpointHints(forZones=zones, forNodes=nodes) if zones or nodes else None


def shares(nodes: Iterable[Node]) -> Shares:
    """Each zone's part of the CPU; empty when a node does not tell, or there are less than two zones."""
    cpus: Counter[str] = Counter()
    for node in nodes:
        if (known := shares_of(node)) is None:
            continue
        if not all(known):
            return {}
        zone, cpu = known
        cpus[zone] += cpu
    return {zone: cpu / cpus.total() for zone, cpu in sorted(cpus.items())} if len(cpus) > 1 else {}


def shares_of(node: Node) -> tuple[str, int] | None:
    """A node's zone and thousandths of CPU; None for one that has no part in it."""
    labels = node.metadata.labels
    if any(label in labels for label in CONTROL_PLANE) or not is_up(node):
        return None
    return labels.get(ZONE, ""), quantity.parse(node.status.allocatable.get("cpu", "0")).milli


def is_up(node: Node) -> bool:
    return any(found.type == "Ready" and found.status == "True" for found in node.status.conditions)


def shared(slices: Sequence[Sequence[Endpoint]], known: Sequence[bool], zones: Shares) -> list[list[Endpoint]]:
    """The endpoints of a service's slices, hinted so that each zone has its share; raises Unshared.

    `known` says of each slice whether nothing but hints may change in it: it stays as it is while its hints fit.
    """
    bounds = allocate(sum(is_ready(one) for each in slices for one in each), zones)
    given: Counter[str] = Counter()
    found = [list(each) for each in slices]
    redone = []
    for place, endpoints in enumerate(found):
        hinted = standing(endpoints, given, bounds) if known[place] else None
        if hinted is None:
            redone.append(place)
        else:
            given.update(hinted)
    for place in redone:
        found[place] = [own_zone(one) for one in found[place]]
        given.update(one.zone for one in found[place] if is_ready(one))
    moves = between(bounds, given)
    for place in redone:
        found[place] = [moved(one, moves) for one in found[place]]
    return found


def allocate(count: int, zones: Shares) -> dict[str, Bounds]:
    """How many of so many endpoints each zone should have."""
    if not zones:
        raise Unshared(INSUFFICIENT_NODES)
    of_all = f"({count} endpoints, {len(zones)} zones)"
    if len(zones) > count:
        raise Unshared(f"{INSUFFICIENT_ENDPOINTS} {of_all}")
    least = {zone: ceil(part * count / (1 + OVERLOAD)) for zone, part in zones.items()}
    left = count - sum(least.values())
    if left < 0:
        raise Unshared(f"{OVERLOADED} {of_all}")
    return {zone: Bounds(least[zone], least[zone] + left, max(zones[zone] * count, least[zone])) for zone in zones}


def standing(endpoints: Sequence[Endpoint], given: Mapping[str, int], bounds: Mapping[str, Bounds]) -> list[str] | None:
    """The zones that a slice is hinted for, if that can stay; None if it cannot."""
    hinted: list[str] = []
    for one in endpoints:
        if not is_ready(one):
            continue
        zones = [each.name for each in one.hints.forZones] if one.hints is not None else []
        if not zones or not bounds.keys() >= set(zones):
            return None
        hinted += zones
    fits = all(given.get(zone, 0) + count <= bounds[zone].most for zone, count in Counter(hinted).items())
    return hinted if fits else None


def own_zone(endpoint: Endpoint) -> Endpoint:
    if not is_ready(endpoint):
        return replace(endpoint, hints=None)
    if not endpoint.zone:
        raise Unshared(NO_ZONE)
    return hinted_for(endpoint, endpoint.zone)


def between(bounds: Mapping[str, Bounds], given: Mapping[str, int]) -> dict[str, list[str]]:
    """Which zone gives an endpoint to which, so that all come near what they should have."""
    over = {zone: given.get(zone, 0) - each.wanted for zone, each in bounds.items()}
    moves: dict[str, list[str]] = {}
    while True:
        giver, taker = max(over, key=lambda zone: over[zone]), min(over, key=lambda zone: over[zone])
        too_many, missing = over[giver], -over[taker]
        if (too_many < 1 and missing < 1) or min(too_many, missing) < 0.5:
            return moves
        moves.setdefault(giver, []).append(taker)
        over[giver] -= 1
        over[taker] += 1


def moved(endpoint: Endpoint, moves: dict[str, list[str]]) -> Endpoint:
    """The endpoint for the zone that its own gives it to, as long as it has to give."""
    takers = moves.get(endpoint.zone) if is_ready(endpoint) else None
    return hinted_for(endpoint, takers.pop(0)) if takers else endpoint


def hinted_for(endpoint: Endpoint, zone: str) -> Endpoint:
    return replace(endpoint, hints=EndpointHints(forZones=[ForZone(name=zone)]))


def is_ready(endpoint: Endpoint) -> bool:
    return endpoint.conditions is not None and bool(endpoint.conditions.ready)
