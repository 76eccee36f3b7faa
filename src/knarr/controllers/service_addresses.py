"""Which service has which address and node port: an IPAddress for each cluster address, and an event where two have the
same, or one has what it may not.

The registry's allocator learns what is taken from the services themselves, so it cannot leak; but a store that was
loaded from elsewhere may hold what it would never have given. Events and labels are those of upstream's repair loops.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from knarr.kinds.types.core_v1 import Service, ServiceSpec
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.kinds.types.networking_v1 import IPAddress, IPAddressSpec, ParentReference, ServiceCIDR
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Create, Delete, Event, Step

FAMILY, MANAGED_BY = "ipaddress.kubernetes.io/ip-family", "ipaddress.kubernetes.io/managed-by"
ALLOCATOR = "ipallocator.k8s.io"
FIRST_PORT, LAST_PORT = 30000, 32767
BY_ADDRESS, BY_PORT = "cluster address", "node port"


def plan(
    service: Service, ranges: Sequence[str], held: dict[str, IPAddress], twins: dict[str, bool], lost: Iterable[str]
) -> list[Step]:
    """Return the steps for one service. `held` are the addresses' objects by name, `twins` the addresses and node ports
    that an older service has too, `lost` the addresses whose object somebody has taken away."""
    steps: list[Step] = []
    for address in addresses(service.spec):
        family = "IPv6" if ":" in address else "IPv4"
        if not within(address, ranges):
            message = (
                f"Cluster IP [{family}]: {address} is not within any configured Service CIDR; please recreate service"
            )
            steps.append(Event(service, "Warning", "ClusterIPOutOfRange", message))
        elif twins.get(address):
            message = f"Cluster IP [{family}]:{address} was assigned to multiple services; please recreate service"
            steps.append(Event(service, "Warning", "ClusterIPAlreadyAllocated", message))
        else:
            steps += object_of(service, address, family, held.get(address), missed=address in lost)
    for port in node_ports(service.spec):
        if not FIRST_PORT <= port <= LAST_PORT:
            message = f"Port {port} is not within the port range {FIRST_PORT}-{LAST_PORT}; please recreate service"
            steps.append(Event(service, "Warning", "PortOutOfRange", message))
        elif twins.get(str(port)):
            message = f"Port {port} was assigned to multiple services; please recreate service"
            steps.append(Event(service, "Warning", "PortAlreadyAllocated", message))
    return steps


def within(address: str, ranges: Iterable[str]) -> bool:
    at = ip_address(address)
    return any(at in network(each) for each in ranges)


@lru_cache(4096)
def network(text: str) -> IPv4Network | IPv6Network:
    """A range, read once: every service is held against all of them."""
    return ip_network(text)


def object_of(service: Service, address: str, family: str, found: IPAddress | None, *, missed: bool) -> Iterator[Step]:
    """Make the address' object say whose it is."""
    meta = service.metadata
    parent = ParentReference(resource="services", namespace=meta.namespace, name=meta.name)
    labels = {FAMILY: family, MANAGED_BY: ALLOCATOR}
    wanted = IPAddress(metadata=ObjectMeta(name=address, labels=labels), spec=IPAddressSpec(parentRef=parent))
    if found is None:
        if missed:
            message = f"Cluster IP [{family}]: {address} is not allocated; repairing"
            yield Event(service, "Warning", "ClusterIPNotAllocated", message)
        yield Create(wanted, keep=True)
    elif found.spec.parentRef != parent or not labels.items() <= found.metadata.labels.items():
        whose = f"{address} for Service {meta.namespace}/{meta.name}"
        message = f"the ClusterIP [{family}]: {whose} has a wrong reference; repairing"
        yield Event(service, "Warning", "ClusterIPNotAllocated", message)
        yield Delete(found, "it is another's")
        yield Create(wanted)


def addresses(spec: ServiceSpec) -> list[str]:
    """In their one form, as their objects are called: IPv6 has many ways to write an address."""
    given = [address for address in spec.clusterIPs if address not in ("", "None")]
    return [str(ip_address(address)) if ":" in address else address for address in given]


def node_ports(spec: ServiceSpec) -> list[int]:
    """Each once, whatever the protocol."""
    ports = {port.nodePort: None for port in spec.ports if port.nodePort}
    return [*ports, spec.healthCheckNodePort] if spec.healthCheckNodePort else [*ports]


def left_over(found: IPAddress, service: Service | None) -> bool:
    """Whether an object of ours names a service that is gone, or has another address."""
    if found.metadata.labels.get(MANAGED_BY) != ALLOCATOR:
        return False
    parent = found.spec.parentRef
    if parent.group or parent.resource != "services":
        return True
    return service is None or found.metadata.name not in addresses(service.spec)


def _age(service: Service) -> tuple[str, str, str]:
    meta = service.metadata
    return meta.creationTimestamp or "", meta.namespace, meta.name


def twins_of(service: Service, context: Context) -> dict[str, bool]:
    """The addresses and node ports that another, older service has."""
    cache, me = context.cache(Service), _age(service)

    def shared(index: str, value: str) -> bool:
        return any(_age(other) < me for other in cache.by_index(index, value))

    found = {address: shared(BY_ADDRESS, address) for address in addresses(service.spec)}
    return found | {str(port): shared(BY_PORT, str(port)) for port in node_ports(service.spec)}


async def sync(lost: dict[str, Key], key: Key, context: Context) -> None:
    """Look after one service's addresses; or after one that is left over, whose key is "" and its name."""
    namespace, name = key
    if not namespace:
        if (found := context.cache(IPAddress).get(name)) is not None:
            parent = found.spec.parentRef
            if left_over(found, context.cache(Service).get(parent.name, parent.namespace)):
                await carry_out(context.api, [Delete(found, "no service has it")], context.recorder)
        return
    service = context.cache(Service).get(name, namespace)
    if service is None:
        return
    mine = {address: context.cache(IPAddress).get(address) for address in addresses(service.spec)}
    ranges = [each for found in context.cache(ServiceCIDR).list() for each in found.spec.cidrs]
    known = {address: found for address, found in mine.items() if found is not None}
    if ranges:
        missed = [address for address in mine if lost.get(address) == key]
        await carry_out(context.api, plan(service, ranges, known, twins_of(service, context), missed), context.recorder)
    for address in mine:
        lost.pop(address, None)


def objects_of(service: Service) -> Iterable[Key]:
    """The service itself, and the objects of its addresses: one may be left over when it goes."""
    yield from itself(service)
    yield from (("", address) for address in addresses(service.spec))


def service_of(found: IPAddress) -> Iterable[Key]:
    """The object itself, and its service."""
    yield ("", found.metadata.name)
    parent = found.spec.parentRef
    if parent.resource == "services" and parent.namespace:
        yield (parent.namespace, parent.name)


def controller() -> Controller:
    """The controller, with the memory of which objects have gone that a service still needs."""
    lost: dict[str, Key] = {}

    def observe(old: Any, new: Any) -> None:
        if old is None and isinstance(new, Service):  # what its namesake lost is not its own
            for address in addresses(new.spec):
                lost.pop(address, None)
        if new is None and isinstance(old, IPAddress) and old.metadata.labels.get(MANAGED_BY) == ALLOCATOR:
            lost[old.metadata.name] = (old.spec.parentRef.namespace, old.spec.parentRef.name)

    return Controller(
        name="service-addresses",
        sources=[
            Source(Service, objects_of, matters=lambda old, new: old.spec != new.spec),
            Source(IPAddress, service_of),
            Source(ServiceCIDR, between=services_within),
        ],
        sync=partial(sync, lost),
        observe=observe,
        component="ipallocator-repair-controller",
        indexes=[
            (Service, BY_ADDRESS, lambda service: addresses(service.spec)),
            (Service, BY_PORT, lambda service: map(str, node_ports(service.spec))),
        ],
    )


def services_within(old: ServiceCIDR | None, new: ServiceCIDR | None, context: Context) -> Iterable[Key]:
    """A range that comes, goes or changes concerns who has an address in it."""
    before, after = (set(found.spec.cidrs) if found is not None else set() for found in (old, new))
    changed = before ^ after
    for service in context.cache(Service).list() if changed else ():
        if any(within(address, changed) for address in addresses(service.spec)):
            yield from itself(service)
