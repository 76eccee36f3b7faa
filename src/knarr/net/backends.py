"""Which endpoints a service's port leads to, seen from one place of the cluster. Pure; `ruleset.py` asks for each port.

Ready endpoints are used. Where there are none left, those that end but still serve are: a rollout that takes the last
pod away then fails nobody. Rules: kube-proxy's `CategorizeEndpoints`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from knarr.kinds.types.core_v1 import ServicePort
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointSlice
from knarr.net.records import ready


@dataclass(frozen=True, slots=True)
class View:
    """From where a service is looked at: a node, or the host, which is none and has every endpoint as near as another.

    The host has no node ports.
    """

    node: str = ""
    zone: str = ""
    pods: str = ""  #: the node's own pod range, in CIDR form

    @property
    def is_host(self) -> bool:
        return not self.node


@dataclass(frozen=True, slots=True, order=True)
class Backend:
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


def backends(slices: Iterable[EndpointSlice], port: ServicePort) -> list[Backend]:
    """All endpoints of a service's port that could serve, in order; the better one where an address is there twice."""
    found: dict[tuple[str, int], Backend] = {}
    for each in slices:
        if each.addressType != "IPv4":
            continue
        for number in port_numbers(each, port):
            for endpoint in each.endpoints:
                made = _backend(endpoint, number)
                if made is not None and not (made.place in found and found[made.place].ready):
                    found[made.place] = made
    return [found[place] for place in sorted(found)]


def port_numbers(each: EndpointSlice, port: ServicePort) -> list[int]:
    """The numbers that a slice has for a service's port."""
    protocol = port.protocol or "TCP"
    return [
        given.port
        for given in each.ports
        if given.port and (given.name or "") == port.name and (given.protocol or "TCP") == protocol
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
        endpoint.addresses[0],
        port,
        is_ready,
        ending,
        endpoint.nodeName or "",
        tuple(zone.name for zone in hints.forZones) if hints else (),
        tuple(node.name for node in hints.forNodes) if hints else (),
    )


def choose(found: list[Backend], view: View) -> Choice:
    """What is used from here. For the host all endpoints are local."""
    meant = _meant(found, view)
    cluster = tuple(one for one in found if one.ready and meant(one)) or tuple(one for one in found if one.ending)
    near = found if view.is_host else [one for one in found if one.node == view.node]
    local = tuple(one for one in near if one.ready) or tuple(one for one in near if one.ending)
    return Choice(cluster, local, bool(cluster))


def _meant(found: list[Backend], view: View) -> Callable[[Backend], bool]:
    """Whether an endpoint is meant for this place: hints count when every ready endpoint has one and some are ours."""
    usable = [one for one in found if one.ready]
    if not view.is_host and usable:
        if all(one.nodes for one in usable) and any(view.node in one.nodes for one in usable):
            return lambda one: view.node in one.nodes
        if view.zone and all(one.zones for one in usable) and any(view.zone in one.zones for one in usable):
            return lambda one: view.zone in one.zones
    return lambda one: True
