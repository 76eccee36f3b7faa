"""EndpointSlices: for each service with a selector and each of its address families, its pods in slices of up to 100.

Slices that are there are changed as little as possible: endpoints stay where they are, new ones fill the fullest slice
with room. A service without any endpoint has one empty slice.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from msgspec.structs import replace

from knarr.client.transport import TransportError
from knarr.controllers import publication, topology_hints
from knarr.kinds.types.core_v1 import Node, Pod, Service
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.executor import carry_out
from knarr.loop.expectations import Expectations
from knarr.loop.expected import ensure_owner_alive
from knarr.loop.revisions import controller_reference
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Create, Delete, Event, Note, Replace, Step
from knarr.meta.errors import ApiError, Forbidden

SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY, CONTROLLER_NAME = "endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io"
CAPACITY = 100  #: endpoints in a slice
MISSING_NODE_SECONDS = 1.0  #: until a pod of an unknown node is looked at again

Ports = tuple[EndpointPort, ...]


@dataclass
class Draft:
    """A slice as it will be; `current` is what there is."""

    ports: Ports
    family: str
    current: EndpointSlice | None = None
    endpoints: list[Endpoint] = field(default_factory=list)


def plan(service: Service, pods: Sequence[Pod], nodes: dict[str, Node], slices: Sequence[EndpointSlice]) -> list[Step]:
    """Return the steps that publish the service's pods."""
    if not publication.managed(service):
        return []
    families = publication.families(service)
    steps: list[Step] = [
        Delete(found, "not of this service") for found in slices if not usable(found, service, families)
    ]
    for family in families:
        mine = [found for found in slices if usable(found, service, families) and found.addressType == family]
        drafts = draft(desired(service, pods, nodes, family), mine, family)
        steps += hint(service, drafts, nodes, family)
        if (empty := placeholder(drafts, family)) is not None:
            drafts = [empty, *(one for one in drafts if one is not empty)]
        steps += steps_of(service, pods, drafts, empty)
    return steps


def usable(found: EndpointSlice, service: Service, families: Sequence[str]) -> bool:
    """Whether a slice can go on serving this service."""
    owned = any(owner.uid == service.metadata.uid for owner in found.metadata.ownerReferences)
    return owned and found.addressType in families and not found.metadata.deletionTimestamp


def desired(
    service: Service, pods: Iterable[Pod], nodes: dict[str, Node], family: str
) -> dict[Ports, dict[str, Endpoint]]:
    """The endpoints by their ports and their pod's uid."""
    found: dict[Ports, dict[str, Endpoint]] = defaultdict(dict)
    for pod in pods:
        if not publication.reachable(pod, terminating=True) or missing_node(service, pod, nodes):
            continue
        if publication.addresses_of_family(pod, family):
            endpoint = endpoint_of(service, pod, nodes.get(pod.spec.nodeName), family)
            found[ports_of(service, pod)][pod.metadata.uid] = endpoint
    return found


def missing_node(service: Service, pod: Pod, nodes: dict[str, Node]) -> bool:
    """Whether the pod is left out because its node is not known; not where unready pods are welcome."""
    return pod.spec.nodeName not in nodes and not service.spec.publishNotReadyAddresses


def endpoint_of(service: Service, pod: Pod, node: Node | None, family: str) -> Endpoint:
    serving = publication.ready(pod)
    terminating = bool(pod.metadata.deletionTimestamp)
    tolerant = bool(service.spec.publishNotReadyAddresses)
    return Endpoint(
        addresses=publication.addresses_of_family(pod, family),
        conditions=EndpointConditions(
            ready=tolerant or (serving and not terminating), serving=serving, terminating=terminating
        ),
        hostname=publication.hostname(pod, service) or None,
        nodeName=pod.spec.nodeName or None,
        targetRef=publication.target(pod),
        zone=node.metadata.labels.get(topology_hints.ZONE, "") if node else "",
    )


def ports_of(service: Service, pod: Pod) -> Ports:
    """The service's ports that the pod has, in a fixed order."""
    ports = [
        EndpointPort(name=port.name, port=number, protocol=port.protocol or "TCP", appProtocol=port.appProtocol)
        for port in service.spec.ports
        if (number := publication.port_number(pod, port)) is not None
    ]
    return tuple(sorted(ports, key=_port_order))


def draft(wanted: dict[Ports, dict[str, Endpoint]], slices: Sequence[EndpointSlice], family: str) -> list[Draft]:
    """The slices with what stays in them, what is new filled in, and new slices for the rest."""
    drafts = [Draft(tuple(sorted(found.ports, key=_port_order)), family, found) for found in slices]
    for ports, endpoints in wanted.items():
        rest = dict(endpoints)
        mine = [one for one in drafts if one.ports == ports]
        for one in mine:
            assert one.current is not None, "new slices are appended below"
            uids = [found.targetRef.uid for found in one.current.endpoints if found.targetRef is not None]
            one.endpoints = [rest.pop(uid) for uid in uids if uid in rest]
        drafts += fill(mine, list(rest.values()), ports, family)
    return drafts


def hint(service: Service, drafts: Sequence[Draft], nodes: Mapping[str, Node], family: str) -> Iterator[Event]:
    """Say in the drafts for whom each endpoint is; give what the service is to be told of that."""
    if not topology_hints.is_aware(service):
        for one in drafts:
            one.endpoints = topology_hints.near(one.endpoints, service.spec.trafficDistribution)
        return
    current = [one.current.endpoints if one.current is not None else [] for one in drafts]
    plain = [topology_hints.near(endpoints, "") for endpoints in current]
    known = [one.current is not None and plain[place] == one.endpoints for place, one in enumerate(drafts)]
    standing = [current[place] if known[place] else one.endpoints for place, one in enumerate(drafts)]
    try:
        shared = topology_hints.shared(standing, known, topology_hints.shares(nodes.values()))
    except topology_hints.Unshared as error:
        yield Event(service, "Warning", "TopologyAwareHintsDisabled", f"{error}, addressType: {family}")
        return
    if not any(each.hints for endpoints in current for each in endpoints):
        enabled = f"Topology Aware Hints has been enabled, addressType: {family}"
        yield Event(service, "Normal", "TopologyAwareHintsEnabled", enabled)
    for one, endpoints in zip(drafts, shared, strict=True):
        one.endpoints = endpoints


def placeholder(drafts: Sequence[Draft], family: str) -> Draft | None:
    """The empty slice that a service without endpoints has: the one that is there, or a new one."""
    if any(one.endpoints for one in drafts):
        return None
    return next((one for one in drafts if not one.ports), None) or Draft((), family)


def fill(drafts: list[Draft], endpoints: list[Endpoint], ports: Ports, family: str) -> list[Draft]:
    """Put endpoints into the fullest slices that have room; give the new slices needed for the rest."""
    for one in sorted(drafts, key=lambda one: -len(one.endpoints)):
        room = CAPACITY - len(one.endpoints)
        one.endpoints += endpoints[:room]
        endpoints = endpoints[room:]
    return [
        Draft(ports, family, None, endpoints[start : start + CAPACITY]) for start in range(0, len(endpoints), CAPACITY)
    ]


def steps_of(service: Service, pods: Sequence[Pod], drafts: Iterable[Draft], empty: Draft | None) -> list[Step]:
    """What makes the drafts true; of those without endpoints only `empty` stays."""
    steps: list[Step] = []
    trigger = publication.trigger_time(service, pods)
    annotations = {publication.TRIGGER_TIME: trigger} if trigger else {}
    labels = labels_of(service)
    name = f"{service.metadata.namespace}/{service.metadata.name}"
    for one in drafts:
        if one.current is not None and not one.endpoints and one is not empty:
            steps.append(Delete(one.current, "no endpoints left"))
            continue
        if one.current is not None:
            if one.current.endpoints == one.endpoints and one.current.metadata.labels == labels:
                continue
            metadata = replace(one.current.metadata, labels=labels, annotations=annotations)
            changed = replace(one.current, metadata=metadata, endpoints=one.endpoints)
            steps.append(Replace(changed, note=_failure(service, name)))
            continue
        metadata = ObjectMeta(
            generateName=f"{service.metadata.name}-",
            namespace=service.metadata.namespace,
            labels=labels,
            annotations=annotations,
            ownerReferences=[controller_reference(service)],
        )
        made = EndpointSlice(metadata=metadata, addressType=one.family, ports=list(one.ports), endpoints=one.endpoints)
        steps.append(Create(made, note=_failure(service, name)))
    return steps


def labels_of(service: Service) -> dict[str, str]:
    """The service's labels, but the reserved ones say what the controller says."""
    labels = {**service.metadata.labels, SERVICE_LABEL: service.metadata.name, MANAGED_BY: CONTROLLER_NAME}
    labels.pop(publication.HEADLESS_LABEL, None)
    if publication.headless(service):
        labels[publication.HEADLESS_LABEL] = ""
    return labels


def _failure(service: Service, name: str) -> Note:
    message = f"Error updating Endpoint Slices for Service {name}: {{error}}"
    return Note(service, failed=("FailedToUpdateEndpointSlices", message))


def _port_order(port: EndpointPort) -> tuple[str, int, str]:
    return (port.name or "", port.port or 0, port.protocol)


def service_of(found: EndpointSlice) -> Iterable[Key]:
    """The service of a slice that is this controller's."""
    labels = found.metadata.labels
    if labels.get(MANAGED_BY) == CONTROLLER_NAME and (name := labels.get(SERVICE_LABEL)):
        yield (found.metadata.namespace, name)


def by_service(found: EndpointSlice) -> Iterable[str]:
    for namespace, name in service_of(found):
        yield f"{namespace}/{name}"


def aware_services(_: Node, context: Context) -> Iterable[Key]:
    """The services that share their endpoints among the zones by what nodes these have."""
    return [key for one in context.cache(Service).list() if topology_hints.is_aware(one) for key in itself(one)]


def changes_shares(old: Node, new: Node) -> bool:
    return topology_hints.shares_of(old) != topology_hints.shares_of(new)


async def sync(expectations: Expectations, key: Key, context: Context) -> float | None:
    """Publish one service's pods. Slices of a service that is gone go with their owner."""
    namespace, name = key
    if (service := context.cache(Service).get(name, namespace)) is None:
        expectations.forget(key)
        return None
    if not expectations.satisfied(key):
        return None
    pods = publication.pods_of(service, context)
    nodes = {node.metadata.name: node for node in context.cache(Node).list()}
    slices = context.cache(EndpointSlice).by_index("service", f"{namespace}/{name}")
    steps = plan(service, pods, nodes, slices)
    await ensure_owner_alive(context, key, service, steps, expectations)
    expectations.expect(key, creations=sum(isinstance(step, Create) for step in steps))
    try:
        await carry_out(context.api, steps, context.recorder)
    except (ApiError, TransportError) as error:
        expectations.forget(key)
        if isinstance(error, Forbidden) and any(cause.reason == "NamespaceTerminating" for cause in error.causes):
            return None
        raise
    lost = any(publication.reachable(pod, terminating=True) and missing_node(service, pod, nodes) for pod in pods)
    return MISSING_NODE_SECONDS if lost and publication.managed(service) else None


def controller() -> Controller:
    """The controller, with the memory of what it created that its cache does not show yet."""
    expectations = Expectations()

    def observe(old: Any, new: Any) -> None:
        if isinstance(new or old, EndpointSlice):
            for key in service_of(new or old):
                if old is None:
                    expectations.created(key)
                elif new is None:
                    expectations.doubt(key)

    return Controller(
        name="endpoint-slice",
        sources=[
            Source(Service, itself),
            Source(Pod, between=publication.SERVICES.keys_between),
            Source(EndpointSlice, service_of),
            Source(Node, related=aware_services, matters=changes_shares),
        ],
        sync=partial(sync, expectations),
        observe=observe,
        indexes=[
            publication.SERVICES.index,
            (EndpointSlice, "service", by_service),
            (Pod, publication.LABEL, publication.by_label),
        ],
    )
