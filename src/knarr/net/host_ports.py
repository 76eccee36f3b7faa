"""Ports of a node that lead to its pods: the `hostPort` of containers, as the table of the node has it. Pure; the proxy
loads it beside the services.

Which addresses of the node: all of them, of one family ("0.0.0.0", "::") or of both (""), or the one that is named. As
CNI's portmap does it. Where a service's node port is the same, that is what the port leads to.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from knarr.kinds.host_ports import container_ports
from knarr.kinds.pod import is_finished
from knarr.kinds.types.core_v1 import Pod
from knarr.net.backends import View
from knarr.net.base_rules import HOST_PORTS, HOST_PORTS_AT
from knarr.net.conntrack import Address
from knarr.net.families import Family, canonical, family_of
from knarr.net.records import Key, is_address
from knarr.net.ruleset import AGENT_PORT, NUMBERS, PROTOCOLS
from knarr.net.table import Part

PREFIX = "pod/"  #: no name of a service has a slash
BY_HOST_PORTS = "pods with host ports"
ANY = "any"


@dataclass(frozen=True, slots=True)
class Opening:
    """One port of a node, and where it leads."""

    protocol: str
    host: str  #: the address of the node that it is of; "" is all of them
    port: int
    goal: Address

    @property
    def is_agents(self) -> bool:
        """Whether it is the port where the node's agent listens, which it keeps."""
        return (self.protocol, self.port) == ("tcp", AGENT_PORT)


def key_of(pod: Pod) -> Key:
    """What a pod is known by among services."""
    return pod.metadata.namespace, PREFIX + pod.metadata.name


def pod_name(key: Key) -> str:
    """The name of the pod that a key is of; "" when it is a service's."""
    return key[1].removeprefix(PREFIX) if key[1].startswith(PREFIX) else ""


def by_host_ports(pod: Pod) -> Iterable[str]:
    """The index of the pods that have any."""
    return (ANY,) if has_any(pod) else ()


def has_any(pod: Pod) -> bool:
    """Whether its containers have ports of their node, led to it or not."""
    return next(container_ports(pod), None) is not None


def openings(pod: Pod, family: Family) -> Iterator[Opening]:
    """A pod's ports of its node, from when it has an address until it is finished; of the node's own network it has
    its ports by itself."""
    address = next((canonical(each.ip) for each in pod.status.podIPs if family.has(each.ip)), "")
    if not address or pod.spec.hostNetwork or is_finished(pod):
        return
    for port in container_ports(pod):
        host = canonical(port.hostIP)
        if host and (not is_address(host) or family_of(host) is not family):
            continue
        everywhere = not host or ip_address(host).is_unspecified
        goal = address, port.containerPort
        yield Opening(PROTOCOLS.get(port.protocol, "tcp"), "" if everywhere else host, port.hostPort or 0, goal)


def changed(old: Pod | None, new: Pod | None, families: Sequence[Family]) -> bool:
    """Whether the node's ports are others with the new pod than with the old."""
    before, after = (
        (each.spec.nodeName, [[*openings(each, family)] for family in families])
        if each is not None and has_any(each)
        else ("", [])
        for each in (old, new)
    )
    return before != after


def part(pod: Pod, view: View) -> Part:
    """What a pod has in the table of a place: nothing but on its own node. It reaches itself there, too."""
    made = Part()
    if view.is_host or pod.spec.nodeName != view.node:
        return made
    for each in openings(pod, view.family):
        if each.is_agents:
            continue
        ip, number = each.goal
        key = f"{NUMBERS[each.protocol]} . {each.port}"
        into, key = (HOST_PORTS_AT, f"{each.host} . {key}") if each.host else (HOST_PORTS, key)
        made.elements[into, key] = f"{ip} . {number}"
        made.elements["hairpin", f"{ip} . {ip}"] = ""
    return made


def goals(pod: Pod, view: View, addresses: Sequence[str]) -> dict[Address, frozenset[Address]]:
    """Where the pod's UDP ports of its node lead, whose own addresses these are."""
    found: dict[Address, frozenset[Address]] = {}
    if view.is_host or pod.spec.nodeName != view.node:
        return found
    for each in openings(pod, view.family):
        if each.protocol == "udp":
            hosts = (each.host,) if each.host else addresses
            found |= {(host, each.port): frozenset({each.goal}) for host in hosts}
    return found


def kept_from(pod: Pod, families: Sequence[Family]) -> bool:
    """Whether the pod wants the port of the node's agent, and does not get it."""
    return any(each.is_agents for family in families for each in openings(pod, family))
