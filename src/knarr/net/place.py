"""One place that has rules, the host or a node: its table, its routes, and what it forgets of old flows. A cluster of
two address families has each place twice, once for each: they are loaded apart, and neither waits for the other.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from knarr.kinds.types.core_v1 import Pod, Service
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.net import conntrack, elements, host_ports, namespace, nft, podnetwork
from knarr.net.backends import View, backends, choose
from knarr.net.base_rules import FIRST, base
from knarr.net.conntrack import Address
from knarr.net.families import FOUR, SIX, Family
from knarr.net.ground import ground, is_routed
from knarr.net.plan import NetworkPlan
from knarr.net.records import Key, ready
from knarr.net.refusals import Refusals, fitting
from knarr.net.ruleset import Ground, cluster_addresses, is_programmed, outer_addresses, part, same_everywhere
from knarr.net.table import EMPTY, Change, Part, Table

log = logging.getLogger("knarr.net")


@dataclass(slots=True)
class Flows:
    """Where the UDP ports of one service may lead: its addresses with their ports, and its node ports."""

    goals: dict[Address, frozenset[Address]] = field(default_factory=dict)
    node_ports: dict[int, frozenset[Address]] = field(default_factory=dict)


@dataclass(slots=True)
class Wanted:
    """What services are to be in a place, by their keys."""

    parts: dict[Key, Part] = field(default_factory=dict)
    flows: dict[Key, Flows] = field(default_factory=dict)

    def add(
        self, key: Key, service: Service | None, slices: Sequence[EndpointSlice], place: "Place", shared: "Wanted"
    ) -> None:
        """Work out one service for a place. `shared` keeps what is the same in all places from one to the next."""
        if service is None:
            self.parts[key], self.flows[key] = Part(), Flows()
            return
        if key not in shared.parts:
            self.parts[key] = part(service, slices, place.view, place.ground)
            self.flows[key] = flows_of(service, slices, place.view, place.addresses)
            if same_everywhere(service, slices):
                shared.parts[key], shared.flows[key] = self.parts[key], self.flows[key]
            return
        self.parts[key], self.flows[key] = shared.parts[key], shared.flows[key]

    def add_pod(self, key: Key, pod: Pod | None, place: "Place") -> None:
        """Work out the ports of a place that lead to a pod."""
        self.parts[key] = host_ports.part(pod, place.view) if pod is not None else Part()
        goals = host_ports.goals(pod, place.view, (*place.addresses, *place.loopback)) if pod is not None else {}
        self.flows[key] = Flows(goals)


def flows_of(service: Service, slices: Iterable[EndpointSlice], view: View, own: Iterable[str] = ()) -> Flows:
    """Where a service's UDP ports may lead from here. `own` are the node's addresses: what a client has sent there
    before the service had a node port leads nowhere, and is to be forgotten too."""
    made = Flows()
    if not is_programmed(service):
        return made
    slices = list(slices)
    for port in service.spec.ports:
        if port.protocol != "UDP":
            continue
        choice = choose(backends(slices, port, view.family), view)
        used = frozenset(each.place for each in (*choice.cluster, *choice.local))
        addresses = (*cluster_addresses(service.spec, view.family), *outer_addresses(service, view.family))
        made.goals |= {(ip, port.port): used for ip in addresses}
        if port.nodePort and not view.is_host:
            made.node_ports[port.nodePort] = used
            made.goals |= {(ip, port.nodePort): used for ip in own}
    return made


class Place:
    """Of one address family, the host, whose `namespace` is "", or a node. After a load that failed, `bring` begins
    from nothing again."""

    def __init__(self, plan: NetworkPlan, view: View, space: str, number: int) -> None:
        self.namespace, self.view = space, view
        self.ground: Ground = ground(plan, host=view.is_host, family=view.family)
        self.table = Table(plan.bridge, view.family.nft)
        self.is_loaded = False
        self._is_empty = False  #: loaded, but for the services
        self._plan, self._number = plan, number
        self.refused: dict[Key, str] = {}  #: whom the last load left out, and why
        self._refusals: Refusals[Key, Part] = Refusals()
        self._flows: dict[Key, Flows] = {}
        self._routed: set[str] = set()

    @classmethod
    def host(cls, plan: NetworkPlan, family: Family = FOUR) -> "Place":
        return cls(plan, View(family=family), "", -1)

    @classmethod
    def node(cls, plan: NetworkPlan, number: int, zone: str, family: Family = FOUR) -> "Place":
        node = plan.node(number)
        pods = node.pods6 if family is SIX else node.pods
        return cls(plan, View(node.name, zone, pods, family), node.namespace, number)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The node's own, of this family; none of the host, for which no port is the cluster's."""
        if self.view.is_host:
            return ()
        node = self._plan.node(self._number)
        return (node.address6, node.gateway6) if self.view.family is SIX else (node.address, node.gateway)

    @property
    def loopback(self) -> tuple[str, ...]:
        """The addresses of a node by which only what runs on it reaches its ports."""
        return () if self.view.is_host or self.view.family is SIX else ("127.0.0.1",)

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by: its network namespace and family."""
        return self.namespace, self.view.family.name

    async def begin(self) -> None:
        """Where there is no table yet, load one without services, while it is still being worked out what they are.
        One that is there stays until `bring` puts the whole new one in its place."""
        self.table.fill({})
        there = await asyncio.to_thread(nft.has_table, self.table.name, self.view.family.number, self.namespace)
        self._is_empty = not there and not await nft.load(self._whole(self.table), self.namespace)

    async def bring(self, wanted: Wanted, outer: Collection[str], now: float) -> None:
        """Load what is wanted: all services the first time, then those that changed. Raises OSError of the kernel's."""
        self.refused = {}
        await self._route(outer)
        parts = self._refusals.due() | wanted.parts
        parts = {key: EMPTY if self._refusals.holds(key, each) else each for key, each in parts.items()}
        anew = not self.is_loaded
        if anew:
            self.table.fill(parts)
        if anew and not self._is_empty:
            said = await nft.load(self._whole(self.table), self.namespace)
        else:
            said = await self._change(self.table.everything() if anew else self.table.changes(parts, now))
        self._is_empty = False
        self.is_loaded = not said or await self._leave_out(said)
        if self.is_loaded:
            if anew and self.loopback:
                await podnetwork.lead_from_loopback(self._plan, self._number)
            for key in parts:
                if key in self._refusals and key not in self.refused and self.table.parts.get(key):
                    self._refusals.forget(key)
            await self._sweep(now)
            await self._forget(wanted.flows)

    async def _change(self, changes: Iterable[Change]) -> str:
        """Change what is loaded; what is said when that is refused. Most changes are of elements alone, and quick."""
        for change in changes:
            if change.is_of_elements:
                said = await asyncio.to_thread(elements.load, self.table.name, self.view.family, change, self.namespace)
            else:
                said = await nft.load(change.text(), self.namespace)
            if said:
                return said
        return ""

    def _whole(self, table: Table) -> str:
        family, plan = self.view.family, self._plan
        services = plan.services6 if family is SIX else plan.services
        return table.whole(base(services, plan.answered(family), family, host=self.view.is_host))

    async def _leave_out(self, said: str) -> bool:
        """Load what the table has but for the services that are refused; whether that worked."""
        parts = self.table.parts

        async def accepts(keys: Sequence[Key]) -> str:
            table = Table(self.table.name, self.table.family)
            table.fill({key: parts[key] for key in keys})
            return await nft.load(self._whole(table), self.namespace, check=True)

        where = self.namespace or "the host"
        if why := await accepts(()):
            log.warning("nft refuses all rules of %s: %s", where, why)
            return False
        kept, self.refused = await fitting(parts, accepts)
        for key, why in self.refused.items():
            log.warning("service %s has no rules on %s, nft refuses them: %s", "/".join(key), where, why)
            self._refusals.note(key, parts[key], why)
        self.table.fill({key: parts[key] for key in kept})
        if why := await nft.load(self._whole(self.table), self.namespace):
            log.warning("nft refused the rules of %s: %s, then: %s", where, said, why)
        return not why

    async def check(self) -> None:
        """Begin anew when somebody has flushed the rules."""
        family = self.view.family.number
        if self.is_loaded and not await nft.is_loaded(self.table.name, FIRST, self.namespace, family):
            self.is_loaded = False

    async def _sweep(self, now: float) -> None:
        if text := self.table.sweep(now):
            self.is_loaded = await nft.apply(text, self.namespace)

    async def _route(self, outer: Collection[str]) -> None:
        """Keep on the machine what is for addresses from outside; the host's own ranges are routed from the start."""
        if self.view.is_host:
            return
        family = self.view.family
        wanted = {ip for ip in outer if family.has(ip) and self.ground.outer(ip) and not is_routed(self._plan, ip)}
        anew = not self.is_loaded  # what is there is not known: the node may be a new one, or the server is
        if anew or wanted != self._routed:
            known: set[str] = set() if anew else self._routed
            new, old = wanted - known, self._routed - wanted
            await podnetwork.route_services(self._plan, self._number, family, new, old, anew=anew)
            self._routed = wanted

    async def _forget(self, flows: dict[Key, Flows]) -> None:
        """Forget the UDP flows of services whose endpoints are others now."""
        goals: dict[Address, frozenset[Address]] = {}
        node_ports: dict[int, frozenset[Address]] = defaultdict(frozenset)
        for key, found in flows.items():
            before = self._flows.get(key, Flows())
            if found == before:
                continue
            goals |= dict.fromkeys(before.goals, frozenset()) | found.goals
            node_ports |= dict.fromkeys(before.node_ports, frozenset()) | found.node_ports
        if goals or node_ports:
            await asyncio.to_thread(self._forget_here, goals, node_ports)
        self._flows |= flows

    def _forget_here(self, goals: dict[Address, frozenset[Address]], node_ports: dict[int, frozenset[Address]]) -> None:
        family = self.view.family
        if self.view.is_host:
            conntrack.forget_stale(goals, node_ports, family)
            return
        with namespace.inside(self.namespace):
            conntrack.forget_stale(goals, node_ports, family)

    def ready_here(self, slices: Iterable[EndpointSlice]) -> int:
        """How many of a service's ready endpoints are on this node."""
        return len(
            {
                endpoint.addresses[0]
                for each in slices
                for endpoint in each.endpoints
                if each.addressType == self.view.family.name
                if endpoint.addresses and endpoint.nodeName == self.view.node and ready(endpoint)
            }
        )
