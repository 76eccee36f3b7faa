"""Addresses for services of type LoadBalancer, from the range that the cluster was given.

The cluster is its own balancer: its nodes and its host lead each such address to the endpoints themselves. Without a
range services stay pending, as on upstream's clusters without a cloud. Those with a `loadBalancerClass` are somebody
else's. Events are the cloud controller's.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from ipaddress import IPv4Network

from knarr.kinds.types.core_v1 import LoadBalancerIngress, LoadBalancerStatus, Service
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Event, Patch, Step, Wait

COMPONENT = "service-controller"
FAILED = "SyncLoadBalancerFailed"


def plan(service: Service, free: Sequence[str], pool: "Pool") -> list[Step]:
    """Return the steps that give a service its address, or take it away. `free` is what nobody else has, in order."""
    has = given(service)
    if not is_ours(service):
        if has and service.spec.type != "LoadBalancer":
            return [
                Event(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer"),
                _say(service, None),
                Event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer"),
            ]
        return []
    if not pool.networks:
        return [Wait(service, "the cluster has no addresses for load balancers")]
    if service.spec.ipFamilies and "IPv4" not in service.spec.ipFamilies:
        return _refused(service, "the cluster's balancers have no addresses of IPv6", has)
    wish = service.spec.loadBalancerIP
    if has in free and wish in ("", has):
        return []
    if wish and wish not in free:
        why = "is in use by another service" if pool.has(wish) else f"is not within {pool.text}"
        return _refused(service, f"requested address {wish} {why}", has)
    if not free:
        return _refused(service, f"all addresses of {pool.text} are in use", has)
    return [
        Event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer"),
        _say(service, wish or free[0]),
        Event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer"),
    ]


def _refused(service: Service, why: str, has: str) -> list[Step]:
    message = f"Error syncing load balancer: failed to ensure load balancer: {why}"
    steps: list[Step] = [Event(service, "Warning", FAILED, message), Wait(service, why)]
    return [_say(service, None), *steps] if has else steps


def _say(service: Service, address: str | None) -> Patch:
    ingress = [{"ip": address, "ipMode": "VIP"}] if address else None
    reason = f"address {address}" if address else "no address"
    return Patch(service, {"status": {"loadBalancer": {"ingress": ingress}}}, subresource="status", reason=reason)


def is_ours(service: Service) -> bool:
    meta, spec = service.metadata, service.spec
    return spec.type == "LoadBalancer" and not spec.loadBalancerClass and not meta.deletionTimestamp


def given(service: Service) -> str:
    """The address that the service has, or ""."""
    ingress = (service.status.loadBalancer or LoadBalancerStatus()).ingress
    return (ingress[0] if ingress else LoadBalancerIngress()).ip


class Pool:
    """The addresses there are, and what is promised to services whose status does not show it yet."""

    def __init__(self, text: str, networks: Iterable[str]) -> None:
        self.text = text
        self.networks = [IPv4Network(network) for network in networks]
        self.promised: dict[Key, str] = {}

    def __iter__(self) -> Iterator[str]:
        for network in self.networks:
            yield from map(str, network)

    def has(self, address: str) -> bool:
        return any(address == each for each in self)

    def free_for(self, service: Service, services: Iterable[Service]) -> list[str]:
        """What no other service has. An address that two have is the older one's."""
        me = _age(service)
        mine = given(service)
        taken = {address for key, address in self.promised.items() if key != me[1:]}
        for other in services:
            if (
                is_ours(other)
                and _age(other) != me
                and (address := given(other))
                and (address != mine or _age(other) < me)
            ):
                taken.add(address)
        return [address for address in self if address not in taken]


def _age(service: Service) -> tuple[str, str, str]:
    meta = service.metadata
    return meta.creationTimestamp or "", meta.namespace, meta.name


def waiting(service: Service, context: Context) -> Iterable[Key]:
    """When a service of the type changes, what it had may be free: those without an address look again."""
    if service.spec.type == "LoadBalancer" or given(service):
        for other in context.cache(Service).list():
            if is_ours(other) and not given(other):
                yield (other.metadata.namespace, other.metadata.name)


async def sync(pool: Pool, key: Key, context: Context) -> None:
    """Give one service its address."""
    namespace, name = key
    service = context.cache(Service).get(name, namespace)
    if service is None or not is_ours(service) or given(service) == pool.promised.get(key):
        pool.promised.pop(key, None)
    if service is None:
        return
    steps = plan(service, pool.free_for(service, context.cache(Service).list()), pool)
    for step in steps:  # before anything is awaited, so that no other service is given the same
        if isinstance(step, Patch) and (ingress := step.patch["status"]["loadBalancer"]["ingress"]):
            pool.promised[key] = ingress[0]["ip"]
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
