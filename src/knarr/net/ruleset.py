"""What a service is in the table of one place: chains to its endpoints, and the addresses and ports that lead there.

Pure; `proxy.py` loads it. A packet's way does not grow with the number of services: each address, protocol and port is
looked up in a verdict map. An address without endpoints is refused at once; one whose traffic policy leaves it no
endpoint here is dropped, so that a balancer tries another node. What leads where follows kube-proxy's nftables mode.

Most services have a few endpoints and are reached from inside alone. Those have no chains of their own, which cost the
kernel ten times what an element does: their first endpoint stands in the map `end-0`, the second in `end-1`, and chains
that all share choose the map.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from zlib import crc32

from knarr.kinds.service import AFFINITY_SECONDS
from knarr.kinds.types.core_v1 import LoadBalancerStatus, Service, ServicePort, ServiceSpec
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.net.backends import Backend, Choice, View, backends, choose
from knarr.net.base_rules import ENDS, FEW, MARK
from knarr.net.families import FOUR, Family, canonical
from knarr.net.records import headless, is_address
from knarr.net.table import Part

PROTOCOLS = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}
NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}  #: nft reads a number without looking it up in a file
REFUSE, DROP = "goto refuse", "drop"
OTHER_PROXY = "service.kubernetes.io/service-proxy-name"
MOST_CLIENTS = 1 << 18  #: that one port remembers; others are sent anywhere
AGENT_PORT = 10250  #: where a node's agent listens for the API server


@dataclass(frozen=True, slots=True)
class Ground:
    """Which addresses a place answers for, of the service range and of those from outside it, which endpoints it
    leads to, and where agents may be."""

    inner: Callable[[str], bool] = lambda ip: True
    outer: Callable[[str], bool] = lambda ip: True
    ends: Callable[[str], bool] = lambda ip: True
    agents: Callable[[str], bool] = lambda ip: False

    def answers(self, ip: str, port: ServicePort) -> bool:
        """Whether an address from outside is the service's with this port: a node's agent keeps its own."""
        return self.outer(ip) and not (port.port == AGENT_PORT and self.agents(ip))


def is_programmed(service: Service) -> bool:
    """Whether a service has rules at all: those of another proxy are left to it."""
    if service.spec is None or OTHER_PROXY in service.metadata.labels:
        return False
    return service.spec.type != "ExternalName" and not headless(service)


def same_everywhere(service: Service, slices: Sequence[EndpointSlice]) -> bool:
    """Whether the service's part is the same in every place, so that it need be made only once."""
    spec = service.spec
    if spec.type != "ClusterIP" or spec.externalIPs or spec.internalTrafficPolicy == "Local":
        return False
    return not any(endpoint.hints for each in slices for endpoint in each.endpoints)


def cluster_addresses(spec: ServiceSpec, family: Family = FOUR) -> list[str]:
    return [canonical(ip) for ip in spec.clusterIPs or [spec.clusterIP] if ip and ip != "None" and family.has(ip)]


def balanced_addresses(service: Service, family: Family = FOUR) -> list[str]:
    """The balancer's addresses that lead straight to the nodes."""
    if service.spec.type != "LoadBalancer":
        return []
    given = (service.status.loadBalancer or LoadBalancerStatus()).ingress
    found = [each.ip for each in given if family.has(each.ip) and is_address(each.ip) and each.ipMode != "Proxy"]
    return [canonical(ip) for ip in found]


def outer_addresses(service: Service, family: Family = FOUR) -> list[str]:
    """All addresses of a service from outside the cluster's service range."""
    if not is_programmed(service) or not (service.spec.externalIPs or service.spec.type == "LoadBalancer"):
        return []
    external = [canonical(ip) for ip in service.spec.externalIPs if family.has(ip) and is_address(ip)]
    return [*dict.fromkeys([*external, *balanced_addresses(service, family)])]


def part(service: Service, slices: Iterable[EndpointSlice], view: View, ground: Ground) -> Part:
    """Everything one service has in the table of a place."""
    made = Part()
    if not is_programmed(service):
        return made
    slices = list(slices)
    for port in service.spec.ports:
        found = [one for one in backends(slices, port, view.family) if ground.ends(one.ip)]
        _Port(made, service, port, view, ground).write(choose(found, view))
    return made


class _Port:
    """One port of a service while its chains and elements are written."""

    def __init__(self, made: Part, service: Service, port: ServicePort, view: View, ground: Ground) -> None:
        self.made, self.spec, self.port, self.view = made, service.spec, port, view
        self.protocol = PROTOCOLS.get(port.protocol or "TCP", "tcp")
        self.name = f"{service.metadata.namespace}/{service.metadata.name}/{self.protocol}/{port.port}"
        self.family = view.family
        self.inner = [ip for ip in cluster_addresses(self.spec, view.family) if ground.inner(ip)]
        self.outer = [ip for ip in outer_addresses(service, view.family) if ground.answers(ip, port)]
        self.balanced = [ip for ip in balanced_addresses(service, view.family) if ground.answers(ip, port)]
        self.node_port = 0 if view.is_host else port.nodePort or 0
        config = self.spec.sessionAffinityConfig
        timeout = config.clientIP.timeoutSeconds if config and config.clientIP else None
        self.sticky = (timeout or AFFINITY_SECONDS) if self.spec.sessionAffinity == "ClientIP" else 0

    def write(self, choice: Choice) -> None:
        is_external = bool(self.outer or self.node_port)
        inside, outside = (
            "local" if policy == "Local" else "cluster"
            for policy in (self.spec.internalTrafficPolicy, self.spec.externalTrafficPolicy)
        )
        used = {"cluster": choice.cluster, "local": choice.local}
        few = not self.sticky and len(used[inside]) <= FEW
        chains = {"cluster", outside} if is_external else set()
        if self.inner and not few:
            chains.add(inside)
        for kind in sorted(chains):
            if used[kind]:
                self.spread(kind, used[kind])
        self.inside(inside, used[inside], choice, few=few)
        if is_external:
            self.outside(choice, used[outside], local=outside == "local")
        self.guard()

    def inside(self, kind: str, used: Sequence[Backend], choice: Choice, *, few: bool) -> None:
        """The service's own addresses. Those that lead nowhere are refused with all the rest of the range."""
        for ip in self.inner:
            if used and few:
                key, elements = self.at(ip), self.made.elements
                elements["services", key] = f"goto spread-{len(used)}"
                for number, one in enumerate(used):
                    elements[ENDS[number], key] = f"{one.ip} . {one.port}"
                self.disguise(used)
            elif used:
                self.lead("services", self.at(ip), f"goto {self.chain(kind)}")
            elif choice.any:
                self.lead("refused", self.at(ip), DROP)

    def outside(self, choice: Choice, used: Sequence[Backend], *, local: bool) -> None:
        """What leads in from outside: node ports, the balancer's addresses and external ones."""
        entries = [("services", "refused", self.at(ip)) for ip in self.outer]
        if self.node_port:
            entries.append(("node-ports", "refused-node-ports", f"{NUMBERS[self.protocol]} . {self.node_port}"))
        if choice.any:
            self.made.chains[self.chain("external")] = tuple(self.entrance(used, local=local))
        for open_, closed, key in entries:
            if choice.any:
                self.lead(open_, key, f"goto {self.chain('external')}")
            if not used:
                self.lead(closed, key, DROP if choice.any else REFUSE)

    def entrance(self, used: Sequence[Backend], *, local: bool) -> Iterable[str]:
        """Under Cluster what comes in goes back through this node. Under Local the client's address is kept, and what
        begins on this very node may go anywhere, as if it had gone out to a balancer and come back."""
        if self.view.is_host:
            yield f"goto {self.chain('local' if local else 'cluster')}"
            return
        if not local:
            yield f"meta mark set meta mark or {MARK}"
        else:
            if self.view.pods:
                yield f"{self.family.nft} saddr {self.view.pods} goto {self.chain('cluster')}"
            yield f"fib saddr type local meta mark set meta mark or {MARK}"
            yield f"fib saddr type local goto {self.chain('cluster')}"
        if used:
            yield f"goto {self.chain('local' if local else 'cluster')}"

    def guard(self) -> None:
        """Who may not reach the balancer's addresses is dropped before anything else."""
        if not self.balanced or not self.spec.loadBalancerSourceRanges:
            return
        given = (each.strip() for each in self.spec.loadBalancerSourceRanges if self.family.has(each))
        ranges = [str(ip_network(each, strict=False)) for each in given]  # nft does not read 10.0.0.0/08
        allowed = f"{self.family.nft} saddr != {{ {', '.join(ranges)} }} drop" if ranges else "drop"
        self.made.chains[self.chain("guard")] = (allowed,)
        for ip in self.balanced:
            self.lead("guarded", self.at(ip), f"goto {self.chain('guard')}")

    def spread(self, kind: str, used: Sequence[Backend]) -> None:
        """The chain that leads to the endpoints in use."""
        self.disguise(used)
        self.made.chains[self.chain(kind)] = (
            tuple(self.stick(kind, used))
            if self.sticky
            else (by_chance([one.place for one in used], self.protocol, self.family),)
        )

    def disguise(self, used: Sequence[Backend]) -> None:
        """A pod that reaches itself through its service sees the node as the client: else it would answer itself."""
        for one in used:
            self.lead("hairpin", f"{one.ip} . {one.ip}", "")

    def stick(self, kind: str, used: Sequence[Backend]) -> Iterable[str]:
        """Whom the client had last, for as long as it comes back in time and that one is there; else by chance. The
        flow's mark says who it is; what is known already, `update` does not change."""
        clients, ends = f"clients/{self.name}/{self.sticky}", self.chain(f"ends/{kind}")
        address = f"{self.family.nft} saddr"
        timeout = f"flags dynamic,timeout; timeout {self.sticky}s"
        self.made.maps[clients] = f"type {self.family.type} : mark; size {MOST_CLIENTS}; {timeout}"
        self.made.maps[ends] = f"type mark : {self.family.type} . inet_service"
        numbered = marks(used)
        for mark, one in numbered.items():
            self.lead(ends, f"{mark:#x}", f"{one.ip} . {one.port}")
        choice = ", ".join(f"{number} : {mark:#x}" for number, mark in enumerate(numbered))
        keep = f"update @{clients} {{ {address} : ct mark }}"
        lead = f"meta l4proto {self.protocol} dnat {self.family.nft} to ct mark map @{ends}"
        yield f"ct mark set {address} map @{clients} {keep} {lead}"
        yield f"delete @{clients} {{ {address} : ct mark }}"
        yield f"ct mark set numgen random mod {len(numbered)} map {{ {choice} }}"
        yield keep
        yield lead

    def chain(self, kind: str) -> str:
        return f"{kind}/{self.name}"

    def at(self, ip: str) -> str:
        return f"{ip} . {NUMBERS[self.protocol]} . {self.port.port}"

    def lead(self, into: str, key: str, goal: str) -> None:
        self.made.elements[into, key] = goal


def marks(used: Iterable[Backend]) -> dict[int, Backend]:
    """A number for each endpoint, by which its clients know it: the same for as long as it is there."""
    made: dict[int, Backend] = {}
    for one in used:
        mark = crc32(f"{one.ip} {one.port}".encode())
        while mark in made:
            mark = (mark + 1) % (1 << 32)
        made[mark] = one
    return made


def by_chance(places: Sequence[tuple[str, int]], protocol: str, family: Family = FOUR) -> str:
    """A rule that sends each new connection to one of the places."""
    if len(places) == 1:
        return f"meta l4proto {protocol} dnat to {family.place(*places[0])}"
    goals = ", ".join(f"{number} : {ip} . {port}" for number, (ip, port) in enumerate(places))
    return f"meta l4proto {protocol} dnat {family.nft} to numgen random mod {len(places)} map {{ {goals} }}"
