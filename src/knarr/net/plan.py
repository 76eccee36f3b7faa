"""Which addresses, links and namespaces a cluster of nodes on one machine has. Pure; every other module asks here.

Cluster 0: pods 10.244.0.0/16 (node n: 10.244.n.0/24), services 10.96.0.0/16, nodes 172.30.0.0/24 on the bridge
`knarr0`. Cluster i: 10.(244-i), 10.(96+i), 172.30.i and `knarr<i>`.

The services' and the pods' ranges may be wished otherwise, and of IPv6 too (`ranges.py`); nodes then have addresses of
fd00:172:30:i::/64 as well.

Simulated nodes have no links. Their own addresses are loopback ones, 127.(64+i).0.0/16, where their kubelet API
answers; those of their pods are nowhere, in a range that no network routes (RFC 1112, class E): half of a /8 from
240.0.0.0 on, and fd00:240:i::/48. While a cluster has simulated nodes only, the first 250 have the pod ranges that
real ones would have.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network, summarize_address_range

from knarr.net.families import FOUR, SIX, Family
from knarr.net.ranges import Network, Ranges, subnet, usual, wished

CLUSTERS = 16  #: how many clusters one machine has ranges for; pod and service ranges would meet at 74
NODES = 250
SIMULATED_NODES = 30_000


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What belongs to one node."""

    name: str
    number: int
    namespace: str  #: its network namespace, as `ip netns` shows it
    link: str  #: the host's end of the node's wire
    address: str  #: of IPv4, which its wire has in every cluster
    pods: str  #: of IPv4; "" in a cluster of IPv6 alone, as the next
    gateway: str  #: the node's own address in its pod range
    numbers: str  #: a range of IPv4 by which its pods are numbered, whatever addresses they have
    address6: str = ""  #: these are "" in a cluster of IPv4 alone
    pods6: str = ""
    gateway6: str = ""
    six_first: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its own that the cluster knows, of its first family first."""
        return self.ordered(self.address if self.pods else "", self.address6)

    @property
    def pod_ranges(self) -> tuple[str, ...]:
        return self.ordered(self.pods, self.pods6)

    def ordered(self, four: str, six: str) -> tuple[str, ...]:
        """What there is of IPv4 and of IPv6, the cluster's first family's first."""
        return tuple(each for each in ((six, four) if self.six_first else (four, six)) if each)


@dataclass(frozen=True, slots=True)
class SimulatedPlan:
    """What belongs to one simulated node."""

    name: str
    number: int
    address: str
    pods: str  #: of the cluster's first family
    more_pods: str = ""  #: of the second


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """What belongs to one cluster."""

    cluster: str
    index: int = 0
    balancers: str = ""  #: the addresses for services of type LoadBalancer, "172.30.0.200-172.30.0.220,fd00:9::/120"

    mark: str = ""  #: tells clusters of one name apart, whose data lies in different places
    service_cidr: str = ""  #: as wished: "10.96.0.0/16,fd00:10:96::/112"; "" as usual
    cluster_cidr: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.index < CLUSTERS:
            raise ValueError(f"cluster index {self.index} is not within 0..{CLUSTERS - 1}")

    @property
    def ranges(self) -> Ranges:
        """ValueError names what cannot be of what was wished."""
        return wished(self.index, self.service_cidr, self.cluster_cidr)

    @property
    def bridge(self) -> str:
        return f"knarr{self.index}"

    @property
    def service_link(self) -> str:
        """A link to nowhere that swallows what no service claims."""
        return f"knarr{self.index}s"

    @property
    def pods(self) -> str:
        """The IPv4 pods' range."""
        return self.ranges.pod(4)

    @property
    def numbers(self) -> str:
        """A range of IPv4 by which the pods of real nodes are numbered: their own, or that which the host keeps."""
        return self.pods or usual(self.index, (4,)).pod(4)

    @property
    def pods6(self) -> str:
        """The IPv6 one, "" in a cluster of IPv4 alone."""
        return self.ranges.pod(6)

    @property
    def services(self) -> str:
        """The IPv4 services' range."""
        return self.ranges.service(4)

    @property
    def services6(self) -> str:
        return self.ranges.service(6)

    @property
    def service_ranges(self) -> tuple[str, ...]:
        """All of them, the first family's first."""
        return self.ranges.services

    @property
    def api(self) -> str:
        """The address of the service `kubernetes`."""
        return str(ip_network(self.service_ranges[0])[1])

    @property
    def dns(self) -> str:
        """The address of the cluster's DNS that pods ask, of the first family."""
        return self.dns_addresses[0]

    @property
    def dns_addresses(self) -> tuple[str, ...]:
        """All where it answers: one of each family."""
        return tuple(str(ip_network(each)[10]) for each in self.service_ranges)

    def answered(self, family: Family) -> tuple[str, ...]:
        """The addresses of services that this machine answers itself: the API server's and the DNS'."""
        return tuple(each for each in (self.api, *self.dns_addresses) if family.has(each))

    @property
    def six_first(self) -> bool:
        """Whether IPv6 is the cluster's first family."""
        return ":" in self.service_ranges[0]

    @property
    def hosts(self) -> tuple[str, ...]:
        """The machine's own addresses on the bridge."""
        return tuple(each for each in (self.host, self.host6) if each)

    @property
    def nodes(self) -> str:
        return f"172.30.{self.index}.0/24"

    @property
    def nodes6(self) -> str:
        return _range(f"fd00:172:30:{self.index}::/64") if self.pods6 else ""

    @property
    def host6(self) -> str:
        return first_of(self.nodes6)

    @property
    def host(self) -> str:
        """The machine's own address on the bridge: the API server is there."""
        return f"172.30.{self.index}.1"

    @property
    def balancer_networks(self) -> tuple[str, ...]:
        """The same as networks, of either family; ValueError names what is no range."""
        return tuple(str(network) for part in self.balancers.split(",") if part for network in balancer_range(part))

    def balancers_of(self, family: Family) -> tuple[str, ...]:
        return tuple(each for each in self.balancer_networks if family.has(each))

    @property
    def families(self) -> tuple[Family, ...]:
        """Those that its pods and services have addresses of."""
        return tuple(family for family, pods in ((FOUR, self.pods), (SIX, self.pods6)) if pods)

    def pod_networks(self, family: Family) -> tuple[str, ...]:
        """Where pods are, of real nodes and of simulated ones."""
        return (self.pods6, self.simulated_pods6) if family is SIX else (self.pods, self.simulated_pods)

    def kept(self, family: Family) -> tuple[str, ...]:
        """Where nothing but pods and services of the cluster is."""
        pods, simulated = self.pod_networks(family)
        return pods, self.services6 if family is SIX else self.services, simulated

    @property
    def alias(self) -> str:
        """Marks the bridge, so that everybody sees whose the addresses are."""
        return f"knarr cluster {self.cluster} {self.mark}".strip()

    def node(self, number: int) -> NodePlan:
        """ValueError for a number that no node has."""
        return _node(self, number)

    def _made(self, number: int) -> NodePlan:
        if not 0 <= number < NODES:
            raise ValueError(f"node number {number} is not within 0..{NODES - 1}")
        pods, pods6 = (subnet(each, number) if each else "" for each in (self.pods, self.pods6))
        name = f"{self.cluster}-{number}"
        numbers = subnet(self.numbers, number)
        return NodePlan(
            name=name,
            number=number,
            namespace=f"knarr-{self.cluster}-{name}",
            link=f"knarr{self.index}n{number}",
            address=f"172.30.{self.index}.{number + 2}",
            pods=pods,
            gateway=first_of(pods),
            numbers=numbers,
            address6=str(IPv6Network(self.nodes6)[number + 2]) if pods6 else "",
            pods6=pods6,
            gateway6=first_of(pods6),
            six_first=self.six_first,
        )

    @property
    def simulated_pods(self) -> str:
        """Where pods of simulated nodes are, beside real ones."""
        return f"{240 + self.index // 2}.{128 * (self.index % 2)}.0.0/9"

    @property
    def simulated_pods6(self) -> str:
        return _range(f"fd00:240:{self.index}::/48") if self.pods6 else ""

    def simulated(self, number: int, *, alone: bool) -> SimulatedPlan:
        """The place of a simulated node; `alone`: the cluster has no real nodes."""
        if not 0 <= number < SIMULATED_NODES:
            raise ValueError(f"simulated node number {number} is not within 0..{SIMULATED_NODES - 1}")
        usual = alone and number < NODES
        pods = [
            (usual and subnet(each, number))
            or subnet(self.simulated_pods6 if ":" in each else self.simulated_pods, number)
            for each in self.ranges.pods
        ]
        high, low = divmod(number + 1, 256)
        name = f"{self.cluster}-{number}" if alone else f"{self.cluster}-sim-{number}"
        return SimulatedPlan(name, number, f"127.{64 + self.index}.{high}.{low}", *pods)

    def number(self, namespace: str) -> int | None:
        """The number of the node whose network namespace has this name, or None when it is not one of ours."""
        cluster = re.escape(self.cluster)
        match = re.fullmatch(rf"knarr-{cluster}-{cluster}-(\d+)", namespace)
        return int(match[1]) if match else None


@lru_cache(1024)
def _node(plan: NetworkPlan, number: int) -> NodePlan:
    return plan._made(number)


@lru_cache(64)
def _range(text: str) -> str:
    """A range in its one form."""
    return str(IPv6Network(text))


def first_of(network: str) -> str:
    """The first address of hosts in a network."""
    return str(ip_network(network)[1]) if network else ""


def place_of(address: str) -> tuple[int, int]:
    """The index of a cluster, and the number of a node of it, by an address of the node's own."""
    if ":" in address:
        _, _, _, index, *_, number = IPv6Address(address).exploded.split(":")
        return int(index), int(number, 16) - 2  # the index is written as if it were decimal
    _, _, third, last = address.split(".")
    return int(third), int(last) - 2


def balancer_range(text: str) -> list[Network]:
    """The networks that make up "first-last", "a.b.c.d/n", the same of IPv6, or one address; ValueError when it is none
    of these."""
    first, dash, last = text.strip().partition("-")
    try:
        if not dash:
            return [ip_network(first)]
        ends = ip_address(first), ip_address(last)
        if isinstance(ends[0], IPv4Address) and isinstance(ends[1], IPv4Address):
            return [*summarize_address_range(*ends)]
        if isinstance(ends[0], IPv6Address) and isinstance(ends[1], IPv6Address):
            return [*summarize_address_range(*ends)]
        raise ValueError("its ends are of two families")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{text!r} is no range of addresses: {error}") from error
