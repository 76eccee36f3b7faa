"""The ranges of a cluster's services and pods as they are wished for: one of IPv4, one of IPv6, or one of each. Pure.

The order says which family is the first one; services and pods have the same. What is wished for of one of the two has
its usual counterpart in the other.
"""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from socket import AF_INET, AF_INET6, inet_ntop

Network = IPv4Network | IPv6Network
SERVICES, PODS = "--service-cidr", "--cluster-cidr"
NODE_BITS = {4: 24, 6: 64}  #: the prefix length of one node's pods
WIDEST = {(SERVICES, 4): 12, (SERVICES, 6): 64, (PODS, 4): 8, (PODS, 6): 16}
NARROWEST = {(SERVICES, 4): 27, (SERVICES, 6): 123, (PODS, 4): NODE_BITS[4], (PODS, 6): NODE_BITS[6]}


@dataclass(frozen=True, slots=True)
class Ranges:
    """Of services and of pods, the first family's first."""

    services: tuple[str, ...]
    pods: tuple[str, ...]

    def service(self, version: int) -> str:
        """The services' range of IPv4 or IPv6; "" when there is none."""
        return of_version(self.services, version)

    def pod(self, version: int) -> str:
        return of_version(self.pods, version)


def usual(index: int, versions: tuple[int, ...]) -> Ranges:
    """What a host keeps for its cluster of that index."""
    services = {4: f"10.{96 + index}.0.0/16", 6: f"fd00:10:{96 + index}::/112"}
    pods = {4: f"10.{244 - index}.0.0/16", 6: f"fd00:10:{244 - index}::/56"}
    return Ranges(tuple(services[each] for each in versions), tuple(pods[each] for each in versions))


@lru_cache(64)
def wished(index: int, services: str, pods: str) -> Ranges:
    """The ranges of a cluster. "" is as usual: IPv4, or the families of the other. ValueError names what cannot be."""
    given, of_pods = parse(services, SERVICES), parse(pods, PODS)
    versions = tuple(network.version for network in given or of_pods) or (4,)
    if given and of_pods and versions != tuple(network.version for network in of_pods):
        raise ValueError(f"{SERVICES} {services} and {PODS} {pods}: must be of the same families in the same order")
    base = usual(index, versions)
    made = Ranges(tuple(map(str, given)) or base.services, tuple(map(str, of_pods)) or base.pods)
    for one, other in zip(made.services, made.pods, strict=True):
        if ip_network(one).overlaps(ip_network(other)):
            raise ValueError(f"{SERVICES} {one} overlaps {PODS} {other}")
    return made


def parse(text: str, flag: str) -> list[Network]:
    """The networks of a flag; ValueError names the one that cannot be."""
    found = [_network(part.strip(), flag) for part in text.split(",")] if text else []
    if len(found) > 2 or len({network.version for network in found}) != len(found):
        raise ValueError(f"{flag} {text}: must be one range, or one of IPv4 and one of IPv6")
    return found


def _network(text: str, flag: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"{flag} {text}: must be a range such as 10.96.0.0/16 or fd00:10:96::/112: {error}") from None
    widest, narrowest = WIDEST[flag, network.version], NARROWEST[flag, network.version]
    if not widest <= network.prefixlen <= narrowest:
        raise ValueError(f"{flag} {text}: an IPv{network.version} range must be from /{widest} to /{narrowest}")
    if network.is_loopback or network.is_multicast or network.is_link_local or network.network_address.is_unspecified:
        raise ValueError(f"{flag} {text}: must be a range of ordinary addresses")
    return network


def of_version(given: tuple[str, ...], version: int) -> str:
    return next((each for each in given if (":" in each) == (version == 6)), "")


@lru_cache(64)
def _parts(text: str) -> tuple[int, int, int]:
    """A range's first address as a number, how many nodes it has room for, and how far their numbers are shifted."""
    network = ip_network(text)
    bits = NODE_BITS[network.version]
    return int(network.network_address), 1 << bits - network.prefixlen, network.max_prefixlen - bits


def subnet(text: str, number: int) -> str:
    """The pods' range of one node within that of all; "" when there are not so many."""
    first, room, shift = _parts(text)
    if number >= room:
        return ""
    address = first + (number << shift)
    if ":" in text:
        return f"{inet_ntop(AF_INET6, address.to_bytes(16))}/{NODE_BITS[6]}"
    return f"{inet_ntop(AF_INET, address.to_bytes(4))}/{NODE_BITS[4]}"
