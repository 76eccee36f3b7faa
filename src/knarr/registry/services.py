"""What the registry gives a Service: its address, its address families and its node ports.

The allocator learns what is taken from the changes of the services themselves, so nothing else needs to be stored; what
a write has been promised but not yet written is held apart until the write succeeds or fails. Ranges as upstream's: a
random address from above the band that is left for addresses chosen by hand.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterator

from knarr.kinds.kind import Tree
from knarr.kinds.service import is_external
from knarr.meta import clock
from knarr.meta.errors import Invalid
from knarr.meta.field import FieldError, at, invalid, wrong
from knarr.registry.entry import Entry
from knarr.registry.resource import Change
from knarr.registry.selection import Bucket

PORTS = range(30000, 32768)
HEADLESS = "None"

CHOSEN_PORTS = min(max(16, len(PORTS) // 32), 128)  #: how many of the first are left for those chosen by hand
Claim = str | int  #: an address, or a node port, which is one service's whatever the protocol


class Allocator:
    """Which addresses and node ports are taken; a listener of the services' cache."""

    bucket: Bucket | None = None

    def __init__(self, service_range: str) -> None:
        self.network = ipaddress.ip_network(service_range)
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

    def allocate(self, tree: Tree, old: Tree | None) -> set[Claim]:
        """Give a service what it lacks; return what is promised to it until `settle`. Raises Invalid."""
        spec = tree["spec"]
        held = set(claims(old["spec"])) if old else set()
        promised: set[Claim] = set()
        errors = list(family_errors(spec))
        try:
            if not errors:
                self._address(spec, held, promised, errors)
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

    def _address(self, spec: Tree, held: set[Claim], promised: set[Claim], errors: list[FieldError]) -> None:
        if spec.get("type") == "ExternalName" or spec.get("clusterIP") == HEADLESS:
            return
        address = spec.get("clusterIP")
        if not address:
            address = self._free_address()
            if not address:
                errors.append(wrong("spec.clusterIPs", [], "failed to allocate a serviceIP: range is full"))
                return
            spec["clusterIP"], spec["clusterIPs"] = address, [address]
        if address in held:
            return
        if not self._has(ipaddress.ip_address(address)):
            why = f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {self.network}"
        elif self._is_taken(address):
            why = "provided IP is already allocated"
        else:
            self._promise(address, promised)
            return
        errors.append(wrong("spec.clusterIPs", spec["clusterIPs"], f"failed to allocate IP {address}: {why}"))

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

    def _has(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        """Whether an address may be a service's: the first and the last of the range are the range's own."""
        ends = (self.network.network_address, self.network.broadcast_address)
        return address in self.network and (address not in ends or self.network.num_addresses <= 2)

    def _free_address(self) -> str:
        size = self.network.num_addresses
        band = min(max(16, size // 16), 256) if size > 32 else 1
        for low, high in ((band, size - 1), (1, band)):
            span = max(high - low, 0)
            start = clock.rng().randrange(span) if span else 0
            for step in range(span):
                address = str(self.network[low + (start + step) % span])
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


def claims(spec: Tree) -> Iterator[Claim]:
    """The addresses and node ports that a service holds."""
    for address in spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else []):
        if address != HEADLESS:
            yield address
    for port in spec.get("ports") or ():
        if port.get("nodePort"):
            yield port["nodePort"]
    if spec.get("healthCheckNodePort"):
        yield spec["healthCheckNodePort"]


def wants_node_ports(spec: Tree) -> bool:
    if is_balanced(spec):
        return spec.get("allocateLoadBalancerNodePorts") is not False
    return spec.get("type") == "NodePort"


def is_balanced(spec: Tree) -> bool:
    return spec.get("type") == "LoadBalancer"


def needs_health_port(spec: Tree) -> bool:
    return is_balanced(spec) and spec.get("externalTrafficPolicy") == "Local"


def complete(tree: Tree, old: Tree | None) -> None:
    """Fill in what follows from the rest: the old addresses, their plural form, the families; before validation."""
    spec = tree["spec"]
    before = old["spec"] if old else {}
    if spec.get("type") == "ExternalName":
        if before.get("clusterIP") and spec.get("clusterIP") == before["clusterIP"]:
            spec.pop("clusterIP")
        for key in ("clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            spec.pop(key, None)
        return
    if before:
        _keep(spec, before)
    _plural(spec, before)
    _families(spec, before)


def _keep(spec: Tree, before: Tree) -> None:
    """An update that leaves out what was allocated keeps it; one to a type that needs it no more drops it."""
    if before.get("clusterIP") and not spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIP"], spec["clusterIPs"] = before["clusterIP"], list(before.get("clusterIPs") or ())
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


def _plural(spec: Tree, before: Tree) -> None:
    """clusterIPs follows clusterIP where only that was given or changed."""
    single, several = spec.get("clusterIP"), spec.get("clusterIPs") or []
    if single and not several:
        spec["clusterIPs"] = [single]
    elif before and single and single != before.get("clusterIP") and several == (before.get("clusterIPs") or []):
        spec["clusterIPs"] = [single, *several[1:]]
    elif several and not single and not before:
        spec["clusterIP"] = several[0]


def _families(spec: Tree, before: Tree) -> None:
    """This is a cluster of IPv4; only a headless service that selects no pods may name other families."""
    if not spec.get("ipFamilyPolicy") and before.get("ipFamilyPolicy"):
        spec["ipFamilyPolicy"] = before["ipFamilyPolicy"]
    if spec.get("clusterIP") == HEADLESS and not spec.get("selector"):
        policy = spec.setdefault("ipFamilyPolicy", "RequireDualStack")
        families = spec.get("ipFamilies") or ["IPv4"]
        if len(families) < 2 and policy != "SingleStack":
            families = [*families, "IPv6" if families[0] == "IPv4" else "IPv4"]
        spec["ipFamilies"] = families
        return
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if not spec.get("ipFamilies") and not any(":" in str(address) for address in spec.get("clusterIPs") or ()):
        spec["ipFamilies"] = ["IPv4"]


def family_errors(spec: Tree) -> Iterator[FieldError]:
    """What a cluster of IPv4 cannot give."""
    if spec.get("type") == "ExternalName" or (spec.get("clusterIP") == HEADLESS and not spec.get("selector")):
        return
    families, addresses, policy = spec.get("ipFamilies") or [], spec.get("clusterIPs") or [], spec["ipFamilyPolicy"]
    for index, address in enumerate(addresses):
        if index >= len(families) and ":" in address:
            yield wrong(at("spec.clusterIPs", index), addresses, "IPv6 is not configured on this cluster")
    for what, given in (("cluster IPs", addresses), ("IP families", families)):
        if policy == "SingleStack" and len(given) == 2:
            message = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            yield wrong("spec.ipFamilyPolicy", policy, message)
    if policy == "RequireDualStack":
        yield wrong("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services")
    for index, family in enumerate(families):
        if family != "IPv4":
            yield wrong(at("spec.ipFamilies", index), family, "not configured on this cluster")
