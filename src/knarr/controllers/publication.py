"""What of a pod a service publishes: addresses, ports, names. Pure; both controllers of endpoints read it."""

from collections.abc import Iterable
from datetime import datetime

from knarr.kinds.types.core_v1 import ObjectReference, Pod, Service, ServicePort
from knarr.loop.runner import Context
from knarr.loop.selecting import Selecting
from knarr.meta import clock
from knarr.meta.labels import NOTHING, of_labels

HEADLESS_LABEL = "service.kubernetes.io/headless"
LABEL = "label"  #: the index of pods that both controllers keep
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
#: the services by what they select; one without a selector selects nothing
SERVICES = Selecting(Service, lambda service: of_labels(service.spec.selector) if service.spec.selector else NOTHING)


def selects(service: Service, pod: Pod) -> bool:
    """Whether the service has a selector that selects the pod."""
    selector = service.spec.selector
    return bool(selector) and selector.items() <= pod.metadata.labels.items()


def by_label(pod: Pod) -> Iterable[str]:
    """What a pod is found by: each of its labels, in its namespace."""
    return [f"{pod.metadata.namespace}/{key}={value}" for key, value in pod.metadata.labels.items()]


def pods_of(service: Service, context: Context) -> list[Pod]:
    """The pods that the service selects, by their names; found by one label, not among all of the namespace."""
    for key, value in service.spec.selector.items():
        found = context.cache(Pod).by_index(LABEL, f"{service.metadata.namespace}/{key}={value}")
        return [pod for pod in found if selects(service, pod)]
    return []


def managed(service: Service) -> bool:
    """Whether the endpoints are the controllers' to keep: not where there is no selector, or only another name."""
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def headless(service: Service) -> bool:
    return service.spec.clusterIP in ("", "None")


def reachable(pod: Pod, *, terminating: bool) -> bool:
    """Whether the pod can have endpoints at all; one that ends, only if `terminating` says so."""
    if pod.status.phase in ("Failed", "Succeeded") or not addresses(pod):
        return False
    return terminating or not pod.metadata.deletionTimestamp


def ready(pod: Pod) -> bool:
    return any(found.type == "Ready" and found.status == "True" for found in pod.status.conditions)


def addresses(pod: Pod) -> list[str]:
    """The pod's addresses, the primary one first."""
    return [found.ip for found in pod.status.podIPs] or ([pod.status.podIP] if pod.status.podIP else [])


def addresses_of_family(pod: Pod, family: str) -> list[str]:
    """The pod's addresses of "IPv4" or "IPv6"."""
    return [address for address in addresses(pod) if (":" in address) == (family == "IPv6")]


def families(service: Service) -> list[str]:
    """The address families of a service, the primary one first."""
    if service.spec.ipFamilies:
        return list(service.spec.ipFamilies)
    return ["IPv6" if ":" in service.spec.clusterIP else "IPv4"]


def hostname(pod: Pod, service: Service) -> str:
    """The name that the pod has below the service: its own, if it says that this is its service."""
    same = pod.spec.subdomain == service.metadata.name and pod.metadata.namespace == service.metadata.namespace
    return pod.spec.hostname if same else ""


def target(pod: Pod) -> ObjectReference:
    meta = pod.metadata
    return ObjectReference(kind="Pod", namespace=meta.namespace, name=meta.name, uid=meta.uid)


def port_number(pod: Pod, port: ServicePort) -> int | None:
    """The number behind a service's target port; None when the pod has no port of that name."""
    wanted = port.targetPort
    if isinstance(wanted, int):
        return wanted or port.port
    if not wanted:
        return port.port
    sidecars = [container for container in pod.spec.initContainers if container.restartPolicy == "Always"]
    for container in [*pod.spec.containers, *sidecars]:
        for found in container.ports:
            if found.name == wanted and (found.protocol or "TCP") == (port.protocol or "TCP"):
                return found.containerPort
    return None


def trigger_time(service: Service, pods: Iterable[Pod]) -> str:
    """When the last thing happened that the endpoints follow from; "" when nothing says."""
    times = [service.metadata.creationTimestamp]
    times += [found.lastTransitionTime for pod in pods for found in pod.status.conditions if found.type == "Ready"]
    known: list[datetime] = [clock.parse(time) for time in times if time]
    return clock.timestamp(max(known)) if known else ""
