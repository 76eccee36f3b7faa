"""Which endpoints a service's port leads to, seen from one place of the cluster. Pure; `ruleset.py` asks for each port.

Ready endpoints are used. Where there are none left, those that end but still serve are: a rollout that takes the last
pod away then fails nobody. Rules: kube-proxy's `CategorizeEndpoints`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from knarr.kinds.types.core_v1 import ServicePort
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointSlice
from knarr.net.families import FOUR, Family, canonical
from knarr.net.records import is_port, ready


@dataclass(frozen=True, slots=True)
class View:
    """From where a service is looked at: a node, or the host, which is none and has every endpoint as near as another.

    The host has no node ports.
    """

    node: str = ""
    zone: str = ""
    pods: str = ""  #: the node's own pod range of this family, in CIDR form
    family: Family = FOUR

    @property
    def is_host(self) -> bool:
        return not self.node


class Backend(NamedTuple):
    """One endpoint of one port."""

    ip: str
    port: int
    ready: bool = True
    ending: bool = False  #: it is terminating, and serves still
    node: str = ""
    zones: tuple[str, ...] = ()  #: for which it is meant; () is for all
    nodes: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[str, int]:
        return self.ip, self.port


@dataclass(frozen=True, slots=True)
class Choice:
    """What a port leads to under either traffic policy; `any` when there is an endpoint in use anywhere."""

    cluster: tuple[Backend, ...]
    local: tuple[Backend, ...]
    any: bool


def backends(slices: Iterable[EndpointSlice], port: ServicePort, family: Family = FOUR) -> list[Backend]:
    """All endpoints of a service's port that could serve, in order; the better one where an address is there twice."""
    made = [
        backend
        for each in slices
        if each.addressType == family.name
        for number in port_numbers(each, port)
        for endpoint in each.endpoints
        if (backend := _backend(endpoint, number)) is not None
    ]
    made.sort(key=lambda one: (one.ip, one.port, not one.ready))
    return [one for at, one in enumerate(made) if not at or one.place != made[at - 1].place]


def port_numbers(each: EndpointSlice, port: ServicePort) -> list[int]:
    """The numbers that a slice has for a service's port. The API takes any number, but with one that is no port the
    kernel would refuse the rules of all services."""
    protocol = port.protocol or "TCP"
    return [
        given.port
        for given in each.ports
        if given.port and is_port(given.port)
        if (given.name or "") == port.name and (given.protocol or "TCP") == protocol
    ]


def _backend(endpoint: Endpoint, port: int) -> Backend | None:
    """None for one that neither is ready nor serves while it ends. Only the first address counts, as upstream."""
    state = endpoint.conditions
    is_ready = ready(endpoint)
    serving = is_ready if state is None or state.serving is None else state.serving
    ending = serving and state is not None and bool(state.terminating)
    if not endpoint.addresses or not (is_ready or ending):
        return None
    hints = endpoint.hints
    return Backend(
        canonical(endpoint.addresses[0]),
        port,
        is_ready,
        ending,
        endpoint.nodeName or "",
        tuple(zone.name for zone in hints.forZones) if hints else (),
        tuple(node.name for node in hints.forNodes) if hints else (),
    )


def choose(found: list[Backend], view: View) -> Choice:
    """What is used from here. For the host all endpoints are local."""
    usable = [one for one in found if one.ready]
    cluster = tuple(meant(usable, view)) or tuple(one for one in found if one.ending)
    if view.is_host:
        return Choice(cluster, tuple(usable) or cluster, bool(cluster))
    local = tuple(one for one in usable if one.node == view.node)
    local = local or tuple(one for one in found if one.ending and one.node == view.node)
    return Choice(cluster, local, bool(cluster))


def meant(usable: list[Backend], view: View) -> list[Backend]:
    """Those that are meant for this place: hints count when every ready endpoint has one and some name this place."""
    for here, hints in ((view.node, [one.nodes for one in usable]), (view.zone, [one.zones for one in usable])):
        if here and all(hints) and any(here in each for each in hints):
            return [one for one, each in zip(usable, hints, strict=True) if here in each]
    return usable
