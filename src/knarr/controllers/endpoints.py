"""Endpoints: for each service with a selector, the addresses and ports of its pods, ready or not.

`plan` reads one service, its pods and what is published; at most 1000 addresses fit, the ready ones first.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import ceil

from msgspec.structs import replace

from knarr.controllers import publication
from knarr.kinds.types.core_v1 import EndpointAddress, EndpointPort, Endpoints, EndpointSubset, Pod, Service
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Create, Delete, Note, Replace, Step
from knarr.meta.errors import Forbidden

MANAGED_BY, CONTROLLER_NAME = "endpoints.kubernetes.io/managed-by", "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
CAPACITY = 1000


def plan(service: Service, pods: Sequence[Pod], current: Endpoints | None) -> list[Step]:
    """Return the step, if any, that publishes the service's pods."""
    if not publication.managed(service):
        return []
    subsets = subsets_of(service, pods)
    fitting = fit(subsets, CAPACITY)
    labels = labels_of(service)
    if current is not None and same(current, fitting, labels, truncated=fitting != subsets):
        return []
    metadata = (
        current.metadata if current else ObjectMeta(name=service.metadata.name, namespace=service.metadata.namespace)
    )
    annotations = dict(metadata.annotations)
    for annotation, value in (
        (publication.TRIGGER_TIME, publication.trigger_time(service, pods)),
        (OVER_CAPACITY, "truncated" if fitting != subsets else ""),
    ):
        annotations.pop(annotation, None)
        if value:
            annotations[annotation] = value
    wanted = Endpoints(metadata=replace(metadata, labels=labels, annotations=annotations), subsets=fitting)
    name = f"{service.metadata.namespace}/{service.metadata.name}"
    if current is None:
        failure = ("FailedToCreateEndpoint", f"Failed to create endpoint for service {name}: {{error}}")
        return [Create(wanted, note=Note(wanted, failed=failure))]
    failure = ("FailedToUpdateEndpoint", f"Failed to update endpoint {name}: {{error}}")
    return [Replace(wanted, note=Note(wanted, failed=failure))]


def same(current: Endpoints, subsets: list[EndpointSubset], labels: dict[str, str], *, truncated: bool) -> bool:
    """Whether what is published is what should be."""
    marked = OVER_CAPACITY in current.metadata.annotations
    return current.subsets == subsets and current.metadata.labels == labels and marked == truncated


def labels_of(service: Service) -> dict[str, str]:
    """The service's labels and the controller's own."""
    labels = {**service.metadata.labels, MANAGED_BY: CONTROLLER_NAME}
    labels.pop(publication.HEADLESS_LABEL, None)
    if publication.headless(service):
        labels[publication.HEADLESS_LABEL] = ""
    return labels


def subsets_of(service: Service, pods: Iterable[Pod]) -> list[EndpointSubset]:
    """The pods' addresses, those with equal ports together."""
    tolerant = bool(service.spec.publishNotReadyAddresses)
    family = publication.families(service)[0]
    together: dict[tuple[EndpointPort, ...], tuple[list[EndpointAddress], list[EndpointAddress]]] = defaultdict(
        lambda: ([], [])
    )
    for pod in pods:
        found = publication.addresses_of_family(pod, family)
        if not found or not publication.reachable(pod, terminating=tolerant):
            continue
        ports = ports_of(service, pod)
        if not ports and (service.spec.ports or not publication.headless(service)):
            continue
        is_ready = tolerant or publication.ready(pod)
        together[ports][0 if is_ready else 1].append(address_of(service, pod, found[0]))
    return [
        EndpointSubset(addresses=sort(ready), notReadyAddresses=sort(unready), ports=list(ports))
        for ports, (ready, unready) in sorted(together.items(), key=lambda item: [_port_order(p) for p in item[0]])
    ]


def address_of(service: Service, pod: Pod, address: str) -> EndpointAddress:
    return EndpointAddress(
        ip=address,
        hostname=publication.hostname(pod, service),
        nodeName=pod.spec.nodeName,
        targetRef=publication.target(pod),
    )


def ports_of(service: Service, pod: Pod) -> tuple[EndpointPort, ...]:
    """The service's ports that the pod has, in a fixed order."""
    ports = [
        EndpointPort(name=port.name or None, port=number, protocol=port.protocol or "TCP", appProtocol=port.appProtocol)
        for port in service.spec.ports
        if (number := publication.port_number(pod, port)) is not None
    ]
    return tuple(sorted(ports, key=_port_order))


def sort(addresses: list[EndpointAddress]) -> list[EndpointAddress]:
    return sorted(addresses, key=lambda found: (found.ip, found.targetRef.uid if found.targetRef else ""))


def fit(subsets: list[EndpointSubset], capacity: int) -> list[EndpointSubset]:
    """The subsets with no more addresses than the capacity: unready ones go first, each subset's share of the rest."""
    ready = sum(len(subset.addresses) for subset in subsets)
    unready = sum(len(subset.notReadyAddresses) for subset in subsets)
    if ready + unready <= capacity:
        return subsets
    only_ready = ready > capacity
    room = capacity if only_ready else capacity - ready
    left, fitting = room, []
    for subset in subsets:
        chosen = subset.addresses if only_ready else subset.notReadyAddresses
        share = min(ceil(len(chosen) / (ready if only_ready else unready) * room), left)
        kept = chosen[:share]
        left -= len(kept)
        if only_ready:
            fitting.append(replace(subset, addresses=kept, notReadyAddresses=[]))
        else:
            fitting.append(replace(subset, notReadyAddresses=kept))
    return fitting


def _port_order(port: EndpointPort) -> tuple[str, int, str]:
    return (port.name or "", port.port, port.protocol)


async def sync(key: Key, context: Context) -> datetime | None:
    """Publish one service's pods."""
    namespace, name = key
    service = context.cache(Service).get(name, namespace)
    current = context.cache(Endpoints).get(name, namespace)
    if service is None:
        left_over = current is not None and current.metadata.labels.get(MANAGED_BY) == CONTROLLER_NAME
        steps: list[Step] = [Delete(current, "its service is gone")] if left_over else []
    else:
        steps = plan(service, publication.pods_of(service, context), current)
    try:
        return await carry_out(context.api, steps, context.recorder)
    except Forbidden as error:
        if any(cause.reason == "NamespaceTerminating" for cause in error.causes):
            return None
        raise


CONTROLLER = Controller(
    name="endpoint",
    sources=[
        Source(Service, itself),
        Source(Pod, between=publication.SERVICES.keys_between),
        Source(Endpoints, itself),
    ],
    sync=sync,
    indexes=[publication.SERVICES.index, (Pod, publication.LABEL, publication.by_label)],
)
