"""Which pods are in which set of the policies' rules, kept pod by pod. Pure.

A pod counts by its address; its node follows from that, too. Pods on their node's network and pods of simulated nodes
have no address of the pods' range: no policy is about them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

from knarr.kinds.pod import is_finished
from knarr.kinds.types.core_v1 import Pod
from knarr.meta.labels import Selector
from knarr.net.families import SIX, Family
from knarr.net.node_pods import addresses_of, pod_link
from knarr.net.plan import NetworkPlan
from knarr.net.policy_rules import (
    DIRECTIONS,
    MAP,
    SET,
    Choice,
    Direction,
    Frame,
    port_set,
)
from knarr.net.policy_table import Chain, Table
from knarr.net.ruleset import PROTOCOLS

KNOWN, SELF, PLACES, PLACES6 = "known", "self", "places", "places6"
TARGETS6, TARGET = "targets6", "@th,64,128"  #: which address a neighbour says that it has
#: by no other address than their own do pods send, or answer who asks for its neighbour
GUARD6 = (
    f"ip6 saddr != fe80::/10 ip6 saddr != :: iifname . ip6 saddr != @{PLACES6}",
    f"icmpv6 type nd-neighbor-advert iifname . {TARGET} != @{TARGETS6}",
)
EVERYWHERE = -1  #: sets that all nodes have alike


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules have to know of a pod."""

    namespace: str
    labels: Mapping[str, str]
    address: str
    node: int  #: its number; EVERYWHERE: on none
    ports: frozenset[tuple[str, str, int]] = frozenset()  #: protocol, name, number
    link: str = ""  #: the node's end of its wire


def facts(pod: Pod, address: str, plan: NetworkPlan) -> Facts | None:
    """What is to know of a pod with this address of its node's numbers; None when it has no place in any rule."""
    start = plan.numbers.removesuffix("0.0/16")
    if not address.startswith(start) or is_finished(pod) or pod.spec.hostNetwork:
        return None
    containers = (*pod.spec.containers, *pod.spec.initContainers)
    ports = frozenset(
        (PROTOCOLS[port.protocol or "TCP"], port.name, port.containerPort)
        for container in containers
        for port in container.ports
        if port.name and port.containerPort
    )
    number, link = int(address.split(".")[2]), pod_link(pod.metadata.uid)
    return Facts(pod.metadata.namespace, pod.metadata.labels, address, number, ports, link)


def in_family(found: Facts, family: Family, plan: NetworkPlan) -> Facts:
    """The facts of a pod by its address of a family."""
    return replace(found, address=addresses_of(plan.node(found.node), found.address)[-1]) if family is SIX else found


Place = tuple[int, str]  #: a node's number and a set


class Members:
    """What is in the sets of one address family. `spaces`: the labels of each namespace."""

    def __init__(self, frame: Frame, spaces: Mapping[str, Mapping[str, str]]) -> None:
        self._frame, self._spaces = frame, spaces
        self._local: dict[str, list[tuple[str, Selector]]] = {}
        self._wide: list[tuple[str, Choice]] = []
        for name, choice in frame.choices.items():
            if choice.namespace:
                self._local.setdefault(choice.namespace, []).append((name, choice.pods))
            else:
                self._wide.append((name, choice))
        self._near: dict[str, list[tuple[str, Selector]]] = {}
        self._placed: dict[str, tuple[Facts, tuple[tuple[Place, str], ...]]] = {}
        self._held: dict[Place, dict[str, int]] = {}  # how many pods say so: an address may go from one to another
        self._frozen: dict[Place, frozenset[str]] = {}

    @property
    def used(self) -> bool:
        """Whether any policy is there to use the sets."""
        return any(self._frame.subjects.values())

    def put(self, key: str, new: Facts | None) -> bool:
        """Take a pod in, as it is now, or out; whether any set is another for it."""
        old, placed = self._placed.get(key, (None, ()))
        if old == new:
            return False
        wanted = tuple(self._places(new)) if new is not None else ()
        if new is None:
            self._placed.pop(key, None)
        else:
            self._placed[key] = new, wanted
        if wanted == placed:
            return False
        for place, element in wanted:
            held = self._held.setdefault(place, {})
            held[element] = held.get(element, 0) + 1
        for place, element in placed:
            self._take_out(place, element)
        for place, _ in (*placed, *wanted):
            self._frozen.pop(place, None)
        return True

    def table(self, name: str, number: int, pods: str) -> Table:
        """The table of a node, whose pods have the addresses `pods`."""
        frame = self._frame
        used = [direction for direction in DIRECTIONS if frame.subjects[direction.type]]
        if not used:
            return Table(name, family=frame.family.nft)
        chains = {f"check-{each.policy}": _base(each, pods, frame.family) for each in used} | frame.chains
        type_ = frame.family.type
        own = {KNOWN: (SET, f"type {type_}"), SELF: (SET, f"type {type_} . {type_}")}
        own |= {each.isolated: (MAP, f"type {type_} : verdict") for each in used}
        elements = {kind: self._elements((number, kind)) for kind in own}
        elements |= {kind: self._elements((EVERYWHERE, kind)) for kind in frame.kinds}
        return Table(name, chains, own | frame.kinds, elements, frame.family.nft)

    def guard(self, name: str, number: int, six: "Members | None" = None) -> Table:
        """The table that holds a node's pods to their own addresses, as policies go by addresses.

        Pods reach one another through the node, never by the bridge alone: that is where policies are. `six`: the same
        pods by their IPv6 addresses; beside those each has one of its link, by which it finds its node.
        """
        if not self.used:
            return Table(name, family="bridge")
        wire = 'iifname "pod*"'
        rules = (
            f"{wire} ether type ip iifname . ip saddr != @{PLACES} drop",
            f"{wire} ether type arp iifname . arp saddr ip != @{PLACES} drop",
            f"{wire} ether type != {{ ip, arp{', ip6' if six else ''} }} drop",
            *((f"{wire} {each} drop" for each in GUARD6) if six else ()),
        )
        chains = {
            "from-pods": Chain(rules, "type filter hook prerouting priority filter; policy accept"),
            "between-pods": Chain(("drop",), "type filter hook forward priority filter; policy drop"),
        }
        kinds = {PLACES: (SET, "type ifname . ipv4_addr")}
        elements = {PLACES: self._elements((number, PLACES))}
        if six is not None:
            kinds[PLACES6] = SET, "type ifname . ipv6_addr"
            elements[PLACES6] = six._elements((number, PLACES))
            kinds[TARGETS6] = SET, f"typeof iifname . {TARGET}"
            elements[TARGETS6] = six._elements((number, TARGETS6))
        return Table(name, chains, kinds, elements, "bridge")

    def _take_out(self, place: Place, element: str) -> None:
        held = self._held[place]
        held[element] -= 1
        if not held[element]:
            del held[element]

    def _elements(self, place: Place) -> frozenset[str]:
        """The same object as long as it is the same: so tables are compared quickly."""
        if (found := self._frozen.get(place)) is None:
            found = self._frozen[place] = frozenset(self._held.get(place, ()))
        return found

    def _places(self, pod: Facts) -> Iterator[tuple[Place, str]]:
        """Every element that stands for a pod."""
        address, frame = pod.address, self._frame
        for name, chosen in self._choices(pod.namespace):
            if chosen.matches(pod.labels):
                yield (EVERYWHERE, name), address
        for protocol, port, number in sorted(pod.ports):
            if (protocol, port) in frame.ports:
                yield (EVERYWHERE, port_set(protocol, port)), f"{address} . {number}"
        if pod.node == EVERYWHERE:
            return
        yield (pod.node, KNOWN), address
        yield (pod.node, SELF), f"{address} . {address}"
        yield (pod.node, PLACES), f'"{pod.link}" . {address}'
        if frame.family is SIX:
            yield (pod.node, TARGETS6), f'"{pod.link}" . {int(IPv6Address(address)):#034x}'
        for direction in DIRECTIONS:
            subjects = frame.subjects[direction.type].get(pod.namespace, ())
            if any(subject.matches(pod.labels) for subject in subjects):
                yield (pod.node, direction.isolated), f"{address} : jump {direction.space}-{pod.namespace}"

    def _choices(self, namespace: str) -> Iterable[tuple[str, Selector]]:
        """The choices that pods of a namespace may be in."""
        if (found := self._near.get(namespace)) is None:
            labels = self._spaces.get(namespace, {})
            wide = [(name, choice.pods) for name, choice in self._wide if choice.namespaces.matches(labels)]
            found = self._near[namespace] = self._local.get(namespace, []) + wide
        return found


def _base(direction: Direction, pods: str, family: Family) -> Chain:
    """Where packets come in that the node forwards; what it sends and gets itself is not judged.

    Only answers pass for being answers: what was begun before a policy forbade it ends. An address of the node's pods
    that belongs to none known yet gets nowhere.
    """
    own = f"{family.nft} {direction.own}"
    rules = (
        "ct direction reply ct state established accept",
        "ct state related accept",
        f"{family.nft} saddr . {family.nft} daddr @{SELF} accept",
        f"{own} {pods} {own} != @{KNOWN} drop",
        f"{own} vmap @{direction.isolated}",
    )
    return Chain(rules, f"type filter hook forward {direction.hook}; policy accept")
