"""Addresses for services of type LoadBalancer, from the range that the cluster was given.

The cluster is its own balancer: its nodes and its host lead each such address to the endpoints themselves. Without a
range services stay pending, as on upstream's clusters without a cloud. Those with a `loadBalancerClass` are somebody
else's. Events are the cloud controller's.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from ipaddress import ip_address, ip_network

from knarr.kinds.types.core_v1 import LoadBalancerStatus, Service
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Event, Patch, Step, Wait

COMPONENT = "service-controller"
FAILED = "SyncLoadBalancerFailed"


def plan(service: Service, free: Sequence[str], pool: "Pool") -> list[Step]:
    """Return the steps that give a service its addresses, or take them away. `free`: what nobody else has, in order."""
    has = given(service)
    if not is_ours(service):
        if has and service.spec.type != "LoadBalancer":
            return [
                Event(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer"),
                _say(service, ()),
                Event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer"),
            ]
        return []
    if not pool.networks:
        return [Wait(service, "the cluster has no addresses for load balancers")]
    if why := lacking(service, free, pool):
        return _refused(service, why, has)
    chosen = chosen_for(service, free, pool)
    missing = [family for family in families_of(service, pool) if family not in map(family_of, chosen)]
    waits = [Wait(service, f"all {family} addresses of {pool.text} are in use") for family in missing]
    if chosen == has:
        return [*waits]
    return [
        Event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer"),
        _say(service, chosen),
        Event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer"),
        *waits,
    ]


def lacking(service: Service, free: Sequence[str], pool: "Pool") -> str:
    """Why a service cannot have what it asks for; "" when it can."""
    wish, families = wish_of(service), families_of(service, pool)
    if not families:
        return f"the cluster's balancers have no addresses of {' or '.join(service.spec.ipFamilies)}"
    if wish and not pool.has(wish):
        return f"requested address {wish} is not within {pool.text}"
    if wish and family_of(wish) not in families:
        return f"requested address {wish} is not of the service's {' and '.join(service.spec.ipFamilies)}"
    if wish and wish not in free:
        return f"requested address {wish} is in use by another service"
    offered = {family_of(address) for address in free}
    return "" if offered & {*families} else f"all addresses of {pool.text} are in use"


def chosen_for(service: Service, free: Sequence[str], pool: "Pool") -> tuple[str, ...]:
    """An address of each family that the service and the pool have, as long as there is one: what is wished for, what
    it has, or the first that is free."""
    wish, has = wish_of(service), given(service)
    chosen: list[str] = []
    for family in families_of(service, pool):
        offered = [address for address in free if family_of(address) == family]
        preferred = [address for address in (wish, *has) if address in offered]
        chosen += (preferred or offered)[:1]
    return tuple(chosen)


def families_of(service: Service, pool: "Pool") -> list[str]:
    """The families that a service can have addresses of, its first one first."""
    return [family for family in service.spec.ipFamilies or ("IPv4",) if family in pool.families]


def wish_of(service: Service) -> str:
    """The address a service asks for, in its one form; what is none stays as it is."""
    wish = service.spec.loadBalancerIP
    try:
        return str(ip_address(wish))
    except ValueError:
        return wish


def family_of(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def _refused(service: Service, why: str, has: Sequence[str]) -> list[Step]:
    message = f"Error syncing load balancer: failed to ensure load balancer: {why}"
    steps: list[Step] = [Event(service, "Warning", FAILED, message), Wait(service, why)]
    return [_say(service, ()), *steps] if has else steps


def _say(service: Service, addresses: Sequence[str]) -> Patch:
    ingress = [{"ip": address, "ipMode": "VIP"} for address in addresses] or None
    reason = f"address {' and '.join(addresses)}" if addresses else "no address"
    return Patch(service, {"status": {"loadBalancer": {"ingress": ingress}}}, subresource="status", reason=reason)


def is_ours(service: Service) -> bool:
    meta, spec = service.metadata, service.spec
    return spec.type == "LoadBalancer" and not spec.loadBalancerClass and not meta.deletionTimestamp


def given(service: Service) -> tuple[str, ...]:
    """The addresses that the service has."""
    return tuple(each.ip for each in (service.status.loadBalancer or LoadBalancerStatus()).ingress if each.ip)


class Pool:
    """The addresses there are, and what is promised to services whose status does not show it yet."""

    def __init__(self, text: str, networks: Iterable[str]) -> None:
        self.text = text
        self.networks = [ip_network(network) for network in networks]
        self.families = {f"IPv{network.version}" for network in self.networks}
        self.promised: dict[Key, tuple[str, ...]] = {}

    def __iter__(self) -> Iterator[str]:
        for network in self.networks:
            yield from map(str, network)

    def has(self, address: str) -> bool:
        return any(address == each for each in self)

    def free_for(self, service: Service, services: Iterable[Service]) -> list[str]:
        """What no other service has. An address that two have is the older one's."""
        me, mine = _age(service), given(service)
        taken = {address for key, held in self.promised.items() if key != me[1:] for address in held}
        for other in services:
            if is_ours(other) and _age(other) != me:
                taken |= {address for address in given(other) if address not in mine or _age(other) < me}
        return [address for address in self if address not in taken]


def _age(service: Service) -> tuple[str, str, str]:
    meta = service.metadata
    return meta.creationTimestamp or "", meta.namespace, meta.name


def waiting(service: Service, context: Context) -> Iterable[Key]:
    """When a service of the type changes, what it had may be free: those that lack an address look again."""
    if service.spec.type == "LoadBalancer" or given(service):
        for other in context.cache(Service).list():
            if is_ours(other) and len(given(other)) < (len(other.spec.ipFamilies) or 1):
                yield (other.metadata.namespace, other.metadata.name)


async def sync(pool: Pool, key: Key, context: Context) -> None:
    """Give one service its addresses."""
    namespace, name = key
    service = context.cache(Service).get(name, namespace)
    if service is None or not is_ours(service) or given(service) == pool.promised.get(key):
        pool.promised.pop(key, None)
    if service is None:
        return
    steps = plan(service, pool.free_for(service, context.cache(Service).list()), pool)
    for step in steps:  # before anything is awaited, so that no other service is given the same
        if isinstance(step, Patch) and (ingress := step.patch["status"]["loadBalancer"]["ingress"]):
            pool.promised[key] = tuple(each["ip"] for each in ingress)
    try:
        await carry_out(context.api, steps, context.recorder)
    except BaseException:
        pool.promised.pop(key, None)
        raise


def controller(text: str = "", networks: Iterable[str] = ()) -> Controller:
    """The controller of a range, as text for messages and as networks."""
    return Controller(
        name="service",
        sources=[Source(Service, itself, related=waiting, matters=matters)],
        sync=partial(sync, Pool(text, networks)),
        component=COMPONENT,
    )


def matters(old: Service | None, new: Service | None) -> bool:
    return old is None or new is None or old.spec != new.spec or old.status != new.status
