"""What the registry gives a Service: its addresses, one of each of its families, and its node ports.

The allocator learns what is taken from the changes of the services themselves, so nothing else needs to be stored; what
a write has been promised but not yet written is held apart until the write succeeds or fails. Ranges as upstream's: a
random address from above the band that is left for addresses chosen by hand.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterator, Sequence

from knarr.kinds.kind import Tree
from knarr.kinds.service import is_external
from knarr.meta import clock
from knarr.meta.errors import Invalid
from knarr.meta.field import FieldError, at, invalid, wrong
from knarr.registry import service_families
from knarr.registry.entry import Entry
from knarr.registry.resource import Change
from knarr.registry.selection import Bucket
from knarr.registry.service_families import HEADLESS, needs_address

PORTS = range(30000, 32768)
CHOSEN_PORTS = min(max(16, len(PORTS) // 32), 128)  #: how many of the first are left for those chosen by hand
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Claim = str | int  #: an address, or a node port, which is one service's whatever the protocol


class Allocator:
    """Which addresses and node ports are taken; a listener of the services' cache."""

    bucket: Bucket | None = None

    def __init__(self, ranges: Sequence[str]) -> None:
        """`ranges` are of different families, that of the default family first."""
        self.networks: dict[str, Network] = {
            f"IPv{network.version}": network for network in map(ipaddress.ip_network, ranges)
        }
        self._taken: Counter[Claim] = Counter()  #: by how many: a store from elsewhere may have given something twice
        self._promised: set[Claim] = set()

    def adopt(self, service: Entry) -> None:
        self._taken.update(set(claims(service.tree()["spec"])))

    def offer(self, change: Change) -> None:
        if change.old is not None:
            for claim in set(claims(change.old.tree()["spec"])):
                self._taken[claim] -= 1
                if self._taken[claim] <= 0:
                    del self._taken[claim]
        if change.new is not None:
            self.adopt(change.new)

    def complete(self, tree: Tree, old: Tree | None) -> None:
        """Fill in what follows from the rest: what was allocated before, the plural of the address, the families.
        Before validation. Raises Invalid for what this cluster cannot give."""
        spec, before = tree["spec"], old["spec"] if old else {}
        service_families.carry_over(spec, before)
        if before:
            _keep(spec, before)
        service_families.make_plural(spec, before)
        if not needs_address(spec):
            spec.pop("internalTrafficPolicy", None)
            return
        if errors := service_families.complete(spec, before, tuple(self.networks)):
            raise invalid("Service", "", tree["metadata"].get("name", ""), errors)

    def allocate(self, tree: Tree, old: Tree | None) -> set[Claim]:
        """Give a service what it lacks; return what is promised to it until `settle`. Raises Invalid."""
        spec = tree["spec"]
        held = set(claims(old["spec"])) if old else set()
        promised: set[Claim] = set()
        errors: list[FieldError] = []
        try:
            self._addresses(spec, held, promised, errors)
            self._node_ports(spec, held, promised, errors)
            self._health_port(spec, held, promised, errors)
            if errors:
                raise invalid("Service", "", tree["metadata"]["name"], errors)
        except Invalid:
            self._promised -= promised
            raise
        return promised

    def settle(self, promised: set[Claim]) -> None:
        """The write is done, or given up."""
        self._promised -= promised

    def _addresses(self, spec: Tree, held: set[Claim], promised: set[Claim], errors: list[FieldError]) -> None:
        """One address of each of its families, that of the first one also as its only one."""
        if not needs_address(spec) or spec.get("clusterIP") == HEADLESS:
            return
        given = list(spec.get("clusterIPs") or ())
        for index, family in enumerate(spec.get("ipFamilies") or ()):
            if index >= len(given):
                given.append(self._free_address(self.networks[family]))
                if not given[index]:
                    errors.append(wrong("spec.clusterIPs", [], "failed to allocate a serviceIP: range is full"))
                    return
            address = given[index]
            if (claim := canonical(address)) not in held:
                if why := self._withheld(family, address):
                    errors.append(wrong("spec.clusterIPs", given, f"failed to allocate IP {address}: {why}"))
                    return
                self._promise(claim, promised)
        if given:
            spec["clusterIP"], spec["clusterIPs"] = given[0], given

    def _withheld(self, family: str, address: str) -> str:
        """Why an address can't be had; "" when it can."""
        if not _has(self.networks[family], address):
            return "the provided network does not match the current range"
        return "provided IP is already allocated" if self._is_taken(canonical(address)) else ""

    def _node_ports(self, spec: Tree, held: set[Claim], promised: set[Claim], errors: list[FieldError]) -> None:
        if not wants_node_ports(spec):
            return
        ports = spec.get("ports") or ()
        given = {port.get("port"): port["nodePort"] for port in reversed(ports) if port.get("nodePort")}
        mine: set[int] = set()
        for index, port in enumerate(ports):
            #  the same port of two protocols may have one node port
            number = port.get("nodePort") or given.get(port.get("port")) or self._free_port()
            path = at("spec", "ports", index, "nodePort")
            if not number:
                errors.append(wrong(path, 0, "failed to allocate a nodePort: range is full"))
            elif number not in mine and number not in held and (why := self._refused(number)):
                errors.append(wrong(path, number, why))
            else:
                if number not in held:
                    self._promise(number, promised)
                mine.add(number)
                port["nodePort"] = number
                given.setdefault(port.get("port"), number)

    def _health_port(self, spec: Tree, held: set[Claim], promised: set[Claim], errors: list[FieldError]) -> None:
        if not needs_health_port(spec):
            return
        given = spec.get("healthCheckNodePort")
        number = given or self._free_port()
        own = {port.get("nodePort") for port in spec.get("ports") or ()}
        why = "" if number in held and number not in own else self._refused(number) if number else "range is full"
        if why:
            message = f"failed to allocate requested HealthCheck NodePort {number}: {why}"
            errors.append(wrong("spec.healthCheckNodePort", given or 0, message))
            return
        self._promise(number, promised)
        spec["healthCheckNodePort"] = number

    def _refused(self, number: int) -> str:
        """Why a node port can't be had; "" when it can."""
        if number not in PORTS:
            return f"provided port is not in the valid range. The range of valid ports is {PORTS[0]}-{PORTS[-1]}"
        return "provided port is already allocated" if self._is_taken(number) else ""

    def _promise(self, claim: Claim, promised: set[Claim]) -> None:
        self._promised.add(claim)
        promised.add(claim)

    def _is_taken(self, claim: Claim) -> bool:
        return claim in self._taken or claim in self._promised

    def _free_address(self, network: Network) -> str:
        size = network.num_addresses
        band = min(max(16, size // 16), 256) if size > 32 else 1
        for low, high in ((band, size - 1), (1, band)):
            span = max(high - low, 0)
            start = clock.rng().randrange(span) if span else 0
            for step in range(span):
                address = str(network[low + (start + step) % span])
                if not self._is_taken(address):
                    return address
        return ""

    def _free_port(self) -> int:
        for ports in (PORTS[CHOSEN_PORTS:], PORTS[:CHOSEN_PORTS]):
            start = clock.rng().randrange(len(ports))
            ring = (ports[(start + step) % len(ports)] for step in range(len(ports)))
            if number := next((port for port in ring if not self._is_taken(port)), 0):
                return number
        return 0


def _has(network: Network, address: str) -> bool:
    """Whether an address may be a service's. The first of a range is the range's own, and the last one of IPv4."""
    found = ipaddress.ip_address(address)
    ends = {network[0], network[-1]} if network.version == 4 else {network[0]}
    return found in network and (found not in ends or network.num_addresses <= 2)


def claims(spec: Tree) -> Iterator[Claim]:
    """The addresses and node ports that a service holds."""
    for address in spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else []):
        if address != HEADLESS:
            yield canonical(address)
    for port in spec.get("ports") or ():
        if port.get("nodePort"):
            yield port["nodePort"]
    if spec.get("healthCheckNodePort"):
        yield spec["healthCheckNodePort"]


def canonical(address: str) -> str:
    """An address in its one form: IPv6 has many ways to write it."""
    return str(ipaddress.ip_address(address)) if ":" in address else address


def wants_node_ports(spec: Tree) -> bool:
    if is_balanced(spec):
        return spec.get("allocateLoadBalancerNodePorts") is not False
    return spec.get("type") == "NodePort"


def is_balanced(spec: Tree) -> bool:
    return spec.get("type") == "LoadBalancer"


def needs_health_port(spec: Tree) -> bool:
    return is_balanced(spec) and spec.get("externalTrafficPolicy") == "Local"


def _keep(spec: Tree, before: Tree) -> None:
    """An update that leaves out what was allocated keeps it; one to a type that needs it no more drops it."""
    _keep_node_ports(spec, before)
    if needs_health_port(spec) and before.get("healthCheckNodePort"):
        spec.setdefault("healthCheckNodePort", before["healthCheckNodePort"])
    for key, needed in (
        ("healthCheckNodePort", needs_health_port),
        ("externalTrafficPolicy", is_external),
        ("allocateLoadBalancerNodePorts", is_balanced),
        ("loadBalancerClass", is_balanced),
    ):
        if needed(before) and not needed(spec) and spec.get(key) == before.get(key):
            spec.pop(key, None)


def _keep_node_ports(spec: Tree, before: Tree) -> None:
    known = {(p.get("port"), p.get("protocol")): p.get("nodePort") for p in before.get("ports") or ()}
    for port in spec.get("ports") or ():
        number = known.get((port.get("port"), port.get("protocol")))
        if wants_node_ports(spec):
            if number and not port.get("nodePort"):
                port["nodePort"] = number
        elif wants_node_ports(before) and port.get("nodePort") in known.values():
            port.pop("nodePort", None)
