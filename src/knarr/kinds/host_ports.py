"""The ports of a node that pods take for themselves, and when two of them do not go together. Pure."""

from collections.abc import Iterable, Iterator

from knarr.kinds.types.core_v1 import Container, ContainerPort, Pod

HostPort = tuple[str, str, int]  #: address, protocol, port
EVERYWHERE = "0.0.0.0"  # noqa: S104 - compared, never bound


def container_ports(pod: Pod) -> Iterator[ContainerPort]:
    """The ports with a `hostPort`, of whatever runs for as long as the pod does."""
    for container in (*pod.spec.containers, *_sidecars(pod)):
        for port in container.ports:
            if port.hostPort:
                yield port


def host_ports(pod: Pod) -> Iterator[HostPort]:
    """The ports of the node that the pod takes for itself."""
    for port in container_ports(pod):
        yield port.hostIP or EVERYWHERE, port.protocol or "TCP", port.hostPort or 0


def _sidecars(pod: Pod) -> Iterable[Container]:
    return (c for c in pod.spec.initContainers if c.restartPolicy == "Always")


def conflicts(port: HostPort, taken: Iterable[HostPort]) -> bool:
    """Whether a port is taken: by the same address, or where either is for all addresses."""
    return any(port[1:] == t[1:] and (port[0] == t[0] or EVERYWHERE in (port[0], t[0])) for t in taken)
