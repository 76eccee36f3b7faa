"""Mirrored EndpointSlices: Endpoints that somebody wrote by hand, for a service without a selector, as slices.

Keeps true: each set of ports and address family of the Endpoints has one slice, of at most 1000 addresses of a subset.
Endpoints that say so (`skip-mirror`), that once elected leaders, or whose service has a selector are not mirrored.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from knarr.client.transport import TransportError
from knarr.controllers.publication import TRIGGER_TIME
from knarr.kinds.types.core_v1 import EndpointAddress, Endpoints, EndpointSubset, Service
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.executor import carry_out, is_namespace_ending
from knarr.loop.expectations import Expectations
from knarr.loop.expected import ensure_owner_alive
from knarr.loop.revisions import controller_reference
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Create, Delete, Event, Replace, Step
from knarr.meta.errors import ApiError

SERVICE_LABEL, MANAGED_BY = "kubernetes.io/service-name", "endpointslice.kubernetes.io/managed-by"
CONTROLLER_NAME = "endpointslicemirroring-controller.k8s.io"
SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
CAPACITY = 1000  #: addresses of one subset (upstream's --mirroring-max-endpoints-per-subset)

Ports = tuple[EndpointPort, ...]
Group = tuple[str, Ports]  #: address type and ports: what one slice is for


def plan(endpoints: Endpoints | None, service: Service | None, slices: Sequence[EndpointSlice]) -> list[Step]:
    """Return the steps that make the slices, which are this controller's, say what the Endpoints say."""
    if endpoints is None or not is_mirrored(endpoints, service):
        return [Delete(found, "not mirrored") for found in slices]
    wanted = groups(endpoints)
    steps: list[Step] = list(too_many(endpoints))
    spare: dict[Group, list[EndpointSlice]] = defaultdict(list)
    for found in slices:
        spare[group_of(found)].append(found)
    kept = {group: spare[group].pop(0) for group in wanted if spare.get(group)}
    left = [found for group in spare.values() for found in group]
    for group, addresses in wanted.items():
        current = kept.get(group) or recycled(left, group)
        made = mirror(endpoints, group, addresses, current)
        if current is None:
            if not endpoints.metadata.deletionTimestamp:
                steps.append(Create(made))
        elif not same(made, current):
            steps.append(Replace(made))
    return [*steps, *(Delete(found, "nothing to mirror") for found in left)]


def is_mirrored(endpoints: Endpoints, service: Service | None) -> bool:
    meta = endpoints.metadata
    if meta.labels.get(SKIP_MIRROR) == "true" or LEADER in meta.annotations:
        return False
    return service is not None and not service.spec.selector


def groups(endpoints: Endpoints) -> dict[Group, list[Endpoint]]:
    """The addresses by their family and ports, the ready ones of a subset first, each once."""
    found: dict[Group, dict[str, Endpoint]] = defaultdict(dict)
    for subset in endpoints.subsets:
        ports = ports_of(subset)
        for address, ready in mirrored(subset):
            family = "IPv6" if ":" in address.ip else "IPv4"
            found[family, ports].setdefault(address.ip, endpoint_of(address, ready=ready))
    return {group: list(addresses.values())[:CAPACITY] for group, addresses in found.items()}


def mirrored(subset: EndpointSubset) -> Iterable[tuple[EndpointAddress, bool]]:
    """As many of a subset's addresses as are mirrored, and whether each is ready."""
    together = [*((one, True) for one in subset.addresses), *((one, False) for one in subset.notReadyAddresses)]
    return together[:CAPACITY]


def too_many(endpoints: Endpoints) -> Iterator[Event]:
    counts = [len(subset.addresses) + len(subset.notReadyAddresses) for subset in endpoints.subsets]
    skipped = sum(max(0, count - CAPACITY) for count in counts)
    if skipped:
        message = (
            f"A max of {CAPACITY} addresses can be mirrored to EndpointSlices per Endpoints subset. "
            f"{skipped} addresses were skipped"
        )
        yield Event(endpoints, "Warning", "TooManyAddressesToMirror", message)


def endpoint_of(address: EndpointAddress, *, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=[address.ip],
        conditions=EndpointConditions(ready=ready),
        hostname=address.hostname or None,
        nodeName=address.nodeName or None,
        targetRef=address.targetRef,
    )


def ports_of(subset: EndpointSubset) -> Ports:
    ports = [
        EndpointPort(name=port.name or "", port=port.port, protocol=port.protocol, appProtocol=port.appProtocol)
        for port in subset.ports
    ]
    return tuple(sorted(ports, key=_order))


def group_of(found: EndpointSlice) -> Group:
    return found.addressType, tuple(sorted(found.ports, key=_order))


def _order(port: EndpointPort) -> tuple[str, int, str]:
    return (port.name or "", port.port or 0, port.protocol)


def recycled(left: list[EndpointSlice], group: Group) -> EndpointSlice | None:
    """A slice for other ports that is to go: it is rewritten rather than deleted beside a new one."""
    found = next((one for one in left if one.addressType == group[0]), None)
    if found is not None:
        left.remove(found)
    return found


def mirror(
    endpoints: Endpoints, group: Group, addresses: list[Endpoint], current: EndpointSlice | None
) -> EndpointSlice:
    """The slice of a group, written over the one there is."""
    meta = endpoints.metadata
    labels = {**meta.labels, SERVICE_LABEL: meta.name, MANAGED_BY: CONTROLLER_NAME}
    annotations = {key: value for key, value in meta.annotations.items() if key not in (TRIGGER_TIME, LAST_APPLIED)}
    if current is not None:
        metadata = replace(current.metadata, labels=labels, annotations=annotations)
        standing = {tuple(one.addresses): place for place, one in enumerate(current.endpoints)}
        addresses = sorted(addresses, key=lambda one: standing.get(tuple(one.addresses), len(standing)))
        return replace(current, metadata=metadata, ports=list(group[1]), endpoints=addresses)
    metadata = ObjectMeta(
        generateName=f"{meta.name}-",
        namespace=meta.namespace,
        labels=labels,
        annotations=annotations,
        ownerReferences=[controller_reference(endpoints)],
    )
    return EndpointSlice(metadata=metadata, addressType=group[0], ports=list(group[1]), endpoints=addresses)


def same(made: EndpointSlice, current: EndpointSlice) -> bool:
    """Whether a slice says already what it is to say; endpoints that stood there keep their order."""
    alike = made.metadata == current.metadata and group_of(made) == group_of(current)
    return alike and made.endpoints == current.endpoints


# Running it


def endpoints_of(found: EndpointSlice) -> Iterable[Key]:
    """The Endpoints whose mirror a slice is."""
    labels = found.metadata.labels
    if labels.get(MANAGED_BY) == CONTROLLER_NAME and (name := labels.get(SERVICE_LABEL)):
        yield (found.metadata.namespace, name)


def by_endpoints(found: EndpointSlice) -> Iterable[str]:
    for namespace, name in endpoints_of(found):
        yield f"{namespace}/{name}"


def has_mirror(found: Endpoints, context: Context) -> Iterable[Key]:
    """Not the Endpoints that the controller of endpoints writes: their services have selectors."""
    namespace, name = found.metadata.namespace, found.metadata.name
    service = context.cache(Service).get(name, namespace)
    mirrors = context.cache(EndpointSlice).by_index("mirror", f"{namespace}/{name}")
    return [(namespace, name)] if mirrors or is_mirrored(found, service) else ()


def selects_otherwise(old: Service, new: Service) -> bool:
    return bool(old.spec.selector) != bool(new.spec.selector)


async def sync(expectations: Expectations, key: Key, context: Context) -> None:
    """Mirror one Endpoints object."""
    namespace, name = key
    endpoints = context.cache(Endpoints).get(name, namespace)
    if endpoints is None:
        expectations.forget(key)
    elif not expectations.satisfied(key):
        return
    slices = context.cache(EndpointSlice).by_index("mirror", f"{namespace}/{name}")
    steps = plan(endpoints, context.cache(Service).get(name, namespace), slices)
    if endpoints is not None:
        await ensure_owner_alive(context, key, endpoints, steps, expectations)
        expectations.expect(key, creations=sum(isinstance(step, Create) for step in steps))
    try:
        await carry_out(context.api, steps, context.recorder)
    except (ApiError, TransportError) as error:
        expectations.forget(key)
        if not is_namespace_ending(error):
            raise


def controller() -> Controller:
    """The controller, with the memory of what it created that its cache does not show yet."""
    expectations = Expectations()

    def observe(old: Any, new: Any) -> None:
        if isinstance(new or old, EndpointSlice):
            for key in endpoints_of(new or old):
                if old is None:
                    expectations.created(key)
                elif new is None:
                    expectations.doubt(key)

    return Controller(
        name="endpoint-slice-mirroring",
        sources=[
            Source(Endpoints, related=has_mirror),
            Source(Service, itself, matters=selects_otherwise),
            Source(EndpointSlice, endpoints_of),
        ],
        sync=partial(sync, expectations),
        observe=observe,
        indexes=[(EndpointSlice, "mirror", by_endpoints)],
    )
