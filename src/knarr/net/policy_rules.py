"""From NetworkPolicies to chains: what the rules of a node say, whoever runs on it. Pure.

A packet between nodes or pods is judged where its pod is: by the policies for egress on the sender's node, by those for
ingress on the receiver's. The first look is into a map of the pods that policies isolate, which leads to the chain of
their namespace; that asks each policy that selects the pod, and drops what none of them allows. Which pods there
are is only in sets (`policy_members`), so a pod that comes or goes changes no chain.

A service's address is translated before any of this, so policies see pods. Not so the address of `kubernetes`, which
the API server answers itself: it is allowed where the server's own place is.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network

from knarr.kinds.types.networking_v1 import IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from knarr.meta import labels
from knarr.meta.labels import EVERYTHING, Selector
from knarr.net.families import FOUR, SIX, Family
from knarr.net.policy_table import Chain
from knarr.net.ranges import Network
from knarr.net.ruleset import PROTOCOLS

SET, MAP = "set", "map"
READABLE = 80  #: characters of names that chains have; a digest keeps them apart
log = logging.getLogger("knarr.net")


@dataclass(frozen=True, slots=True)
class Direction:
    """What differs between the two."""

    type: str  #: as in policyTypes
    own: str  #: the field of a packet's header that has the selected pod's address
    peer: str
    isolated: str  #: the map of the pods that policies of this type select
    space: str  #: how the chain of a namespace begins, and that of a policy
    policy: str
    hook: str


INGRESS = Direction("Ingress", "daddr", "saddr", "isolated-in", "to", "in", "priority filter - 10")
EGRESS = Direction("Egress", "saddr", "daddr", "isolated-out", "from", "out", "priority filter - 20")
DIRECTIONS = (EGRESS, INGRESS)


@dataclass(frozen=True, slots=True)
class Choice:
    """Some pods: of one namespace, or of those that `namespaces` selects."""

    pods: Selector
    namespace: str = ""
    namespaces: Selector = EVERYTHING

    @property
    def set(self) -> str:
        """The set of their addresses."""
        return f"pods-{digest(repr(self))}"


@dataclass(frozen=True, slots=True)
class Alias:
    """An address that nobody translates and that stands for a place: of the service `kubernetes`, for the server's."""

    address: str
    port: int
    place: str
    place_port: int


@dataclass(slots=True)
class Frame:
    """What policies make of one address family, before anybody knows their pods."""

    family: Family = FOUR
    chains: dict[str, Chain] = field(default_factory=dict)
    choices: dict[str, Choice] = field(default_factory=dict)  #: by set
    ports: set[tuple[str, str]] = field(default_factory=set)  #: protocol and name
    #: for each direction and namespace, whom policies there select
    subjects: dict[str, dict[str, list[Selector]]] = field(default_factory=lambda: {"Ingress": {}, "Egress": {}})
    kinds: dict[str, tuple[str, str]] = field(default_factory=dict)


def frame(policies: Iterable[NetworkPolicy], alias: Alias | None = None, family: Family = FOUR) -> Frame:
    """The chains of all policies, and which sets they need."""
    found = Frame(family)
    spaces: dict[tuple[Direction, str], list[str]] = {}
    for policy in sorted(policies, key=lambda each: (each.metadata.namespace, each.metadata.name)):
        try:
            subject = selector(policy.spec.podSelector)
        except ValueError as error:
            _tell(family, "NetworkPolicy %s/%s: %s", policy.metadata.namespace, policy.metadata.name, error)
            continue
        for direction in DIRECTIONS:
            if direction.type in types(policy):
                found.subjects[direction.type].setdefault(policy.metadata.namespace, []).append(subject)
                rules = spaces.setdefault((direction, policy.metadata.namespace), [])
                rules.append(_policy(found, policy, subject, direction, alias))
    for (direction, namespace), rules in spaces.items():
        found.chains[f"{direction.space}-{namespace}"] = Chain((*rules, "drop"))
    found.kinds |= dict.fromkeys(found.choices, (SET, f"type {family.type}"))
    found.kinds |= {port_set(*port): (SET, f"type {family.type} . inet_service") for port in found.ports}
    return found


def _tell(family: Family, message: str, *about: object) -> None:
    """Log what is wrong with a policy, once for both families."""
    log.log(logging.WARNING if family is FOUR else logging.DEBUG, message, *about)


def types(policy: NetworkPolicy) -> Sequence[str]:
    """The directions a policy is for; unnamed: ingress, and egress where it has rules for it."""
    return policy.spec.policyTypes or ("Ingress", *(("Egress",) if policy.spec.egress else ()))


def _policy(found: Frame, policy: NetworkPolicy, subject: Selector, direction: Direction, alias: Alias | None) -> str:
    """Add a policy's chain; the rule that leads to it."""
    namespace, name = policy.metadata.namespace, policy.metadata.name
    chain = f"{direction.policy}-{namespace}-{name}"[:READABLE] + f"-{digest(f'{namespace}/{name}')}"
    rules: list[str] = []
    try:
        if direction is INGRESS:
            for incoming in policy.spec.ingress:
                rules += _allowed(found, namespace, incoming.from_, incoming.ports, direction, None)
        else:
            for outgoing in policy.spec.egress:
                rules += _allowed(found, namespace, outgoing.to, outgoing.ports, direction, alias)
    except ValueError as error:  # what the API refuses; the pods stay isolated
        _tell(found.family, "NetworkPolicy %s/%s allows nothing: %s", namespace, name, error)
        rules = []
    found.chains[chain] = Chain(tuple(dict.fromkeys(rules)))
    if subject.empty:
        return f"jump {chain}"
    choice = Choice(subject, namespace)
    found.choices[choice.set] = choice
    return f"{found.family.nft} {direction.own} @{choice.set} jump {chain}"


def _allowed(
    found: Frame,
    namespace: str,
    peers: Sequence[NetworkPolicyPeer],
    ports: Sequence[NetworkPolicyPort],
    direction: Direction,
    alias: Alias | None,
) -> Iterator[str]:
    """What one rule of a policy allows: any of its peers on any of its ports; none named is all."""
    for peer in _peers(found, namespace, peers, direction):
        for port in _ports(found, ports):
            yield " ".join(part for part in (peer, port, "accept") if part)
    own = f"{found.family.nft} daddr {alias.address}" if alias else ""
    if alias and peers and any(each.ipBlock and inside(alias.place, each.ipBlock) for each in peers):
        if not ports:
            yield f"{own} accept"
    elif peers or not alias:
        return
    if any(reaches(port, alias.place_port) for port in ports):
        yield f"{own} tcp dport {alias.port} accept"


def _peers(found: Frame, namespace: str, peers: Sequence[NetworkPolicyPeer], direction: Direction) -> Iterator[str]:
    if not peers:
        yield ""
    for peer in peers:
        if peer.ipBlock is not None:
            yield from block(peer.ipBlock, f"{found.family.nft} {direction.peer}", found.family)
            continue
        spaces, pods = peer.namespaceSelector, selector(peer.podSelector)
        choice = Choice(pods, namespace) if spaces is None else Choice(pods, "", selector(spaces))
        found.choices[choice.set] = choice
        yield f"{found.family.nft} {direction.peer} @{choice.set}"


def block(given: IPBlock, address: str, family: Family = FOUR) -> Iterator[str]:
    """A match of a block's addresses; none for one of the other family."""
    network = ip_network(given.cidr, strict=False)
    if not family.has(given.cidr):
        return
    holes = [ip_network(each, strict=False) for each in given.except_]
    text = f"{address} {network}" if network.prefixlen else ""
    if inner := [str(each) for each in merged_networks(holes, family)]:
        text += f" {address} != {{ {', '.join(inner)} }}"
    yield text.strip()


def merged_networks(given: Iterable[Network], family: Family) -> list[Network]:
    """Those of a family, none within another: nft refuses that."""
    if family is SIX:
        return [*collapse_addresses(each for each in given if isinstance(each, IPv6Network))]
    return [*collapse_addresses(each for each in given if isinstance(each, IPv4Network))]


def inside(address: str, given: IPBlock) -> bool:
    """Whether a block has an address."""
    place = ip_address(address)
    return place in ip_network(given.cidr, strict=False) and not any(
        place in ip_network(each, strict=False) for each in given.except_
    )


def _ports(found: Frame, ports: Sequence[NetworkPolicyPort]) -> Iterator[str]:
    if not ports:
        yield ""
    ranges: dict[str, list[tuple[int, int]]] = {}
    for port in ports:
        protocol = PROTOCOLS[port.protocol or "TCP"]
        if port.port is None:
            yield f"meta l4proto {protocol}"
        elif isinstance(port.port, str):
            found.ports.add((protocol, port.port))
            yield f"meta l4proto {protocol} {found.family.nft} daddr . th dport @{port_set(protocol, port.port)}"
        else:
            ranges.setdefault(protocol, []).append((port.port, port.endPort or port.port))
    for protocol, spans in ranges.items():
        shown = [str(first) if first == last else f"{first}-{last}" for first, last in merged(spans)]
        yield f"{protocol} dport {{ {', '.join(shown)} }}"


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges that do not meet, of the same numbers: nft refuses others."""
    out: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if not 0 < first <= last < 1 << 16:
            raise ValueError(f"ports {first}-{last}: not within 1-65535, or in the wrong order")
        if out and first <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(last, out[-1][1]))
        else:
            out.append((first, last))
    return out


def reaches(port: NetworkPolicyPort, number: int) -> bool:
    """Whether a port of a policy allows TCP to this number."""
    if (port.protocol or "TCP") != "TCP" or isinstance(port.port, str):
        return False
    return port.port is None or port.port <= number <= (port.endPort or port.port)


def selector(given: labels.SelectorObject | None) -> Selector:
    """A selector of which nothing is said selects all."""
    return EVERYTHING if given is None else labels.of_object(given)


def port_set(protocol: str, name: str) -> str:
    """The set of the places where pods have a port of this name."""
    return f"port-{protocol}-{name}"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
