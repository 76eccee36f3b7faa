"""Whether the addresses for load balancers can be had: asked before a cluster starts. Changes nothing."""

import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

from knarr.app.config import Cluster, ConfigError
from knarr.net.ranges import SERVICES, Network

FLAG = "--load-balancer-addresses"
MOST = 4096
Address = IPv4Address | IPv6Address


def check(cluster: Cluster) -> None:
    """Raise ConfigError when the range is none, too large, or holds what something else is reached by."""
    text = cluster.load_balancer_addresses
    try:
        networks = [ip_network(network) for network in cluster.network.balancer_networks]
    except ValueError as error:
        raise ConfigError(f"{FLAG} {error}; say first-last or a.b.c.d/n, or the same of IPv6") from error
    for version, services in ((4, cluster.network.services), (6, cluster.network.services6)):
        if any(network.version == version for network in networks) and not services:
            why = f"the cluster has no IPv{version}; it has when its {SERVICES} is of both families"
            raise ConfigError(f"{FLAG} {text}: {why}")
    if sum(network.num_addresses for network in networks) > MOST:
        raise ConfigError(f"{FLAG} {text}: at most {MOST} addresses")
    for network in networks:
        for what, closed in closed_ranges(cluster).items():
            if network.version == closed.version and network.overlaps(closed):
                raise ConfigError(f"{FLAG} {text}: {network} overlaps {what} {closed}")
    for address, link in (host_addresses() | host_addresses6()).items():
        if any(address in network for network in networks):
            raise ConfigError(f"{FLAG} {text}: {address} is an address of this host, on {link}")


def closed_ranges(cluster: Cluster) -> dict[str, Network]:
    """What no such address may be in, by what it is."""
    plan = cluster.network
    real = [plan.node(number) for number in range(len(cluster.real_names))]
    named = {
        "the pods' range": plan.pods,
        "the services' range": plan.services,
        "the host's address on the bridge": plan.host,
        **{f"the address of node {node.name}": node.address for node in real},
        "the pods' range of IPv6": plan.pods6,
        "the services' range of IPv6": plan.services6,
        "the host's IPv6 address on the bridge": plan.host6,
        "the range of simulated nodes' pods": plan.simulated_pods6,
        **{f"the IPv6 address of node {node.name}": node.address6 for node in real},
        "the range of addresses for special use": "::/16",
        "the link-local range of IPv6": "fe80::/10",
        "the multicast range": "ff00::/8",
        "the loopback range": "127.0.0.0/8",
        "the link-local range": "169.254.0.0/16",
        "the range of": "0.0.0.0/8",
        "the range without hosts": "224.0.0.0/3",
    }
    return {what: ip_network(network) for what, network in named.items() if network}


def host_addresses6(file: Path = Path("/proc/net/if_inet6")) -> dict[Address, str]:
    """This host's own IPv6 addresses and the link of each; {} when it has no IPv6."""
    lines = file.read_text().split("\n") if file.exists() else []
    words = [line.split() for line in lines if line]
    return {IPv6Address(bytes.fromhex(each[0])): each[5] for each in words}


def host_addresses() -> dict[Address, str]:
    """This host's own IPv4 addresses and the link of each."""
    try:
        import fcntl
    except ImportError:  # not on Linux: there are no real nodes either
        return {}
    found: dict[Address, str] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asking, 0x8915, struct.pack("256s", name.encode()[:15]))  # SIOCGIFADDR
            except OSError:
                continue  # it has none
            found[IPv4Address(answer[20:24])] = name
    return found
