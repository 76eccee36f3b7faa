"""Whether the addresses for load balancers can be had: asked before a cluster starts. Changes nothing."""

import socket
import struct
from ipaddress import IPv4Address, IPv4Network

from knarr.app.config import Cluster, ConfigError

FLAG = "--load-balancer-addresses"
MOST = 4096


def check(cluster: Cluster) -> None:
    """Raise ConfigError when the range is none, too large, or holds what something else is reached by."""
    text = cluster.load_balancer_addresses
    try:
        networks = [IPv4Network(network) for network in cluster.network.balancer_networks]
    except ValueError as error:
        raise ConfigError(f"{FLAG} {error}; say first-last or a.b.c.d/n") from error
    if sum(network.num_addresses for network in networks) > MOST:
        raise ConfigError(f"{FLAG} {text}: at most {MOST} addresses")
    for network in networks:
        for what, closed in closed_ranges(cluster).items():
            if network.overlaps(closed):
                raise ConfigError(f"{FLAG} {text}: {network} overlaps {what} {closed}")
    for address, link in host_addresses().items():
        if any(address in network for network in networks):
            raise ConfigError(f"{FLAG} {text}: {address} is an address of this host, on {link}")


def closed_ranges(cluster: Cluster) -> dict[str, IPv4Network]:
    """What no such address may be in, by what it is."""
    plan = cluster.network
    real = len(cluster.real_names)
    nodes = {f"the address of node {plan.node(number).name}": plan.node(number).address for number in range(real)}
    named = {
        "the pods' range": plan.pods,
        "the services' range": plan.services,
        "the host's address on the bridge": plan.host,
        **nodes,
        "the loopback range": "127.0.0.0/8",
        "the link-local range": "169.254.0.0/16",
        "the range of": "0.0.0.0/8",
        "the range without hosts": "224.0.0.0/3",
    }
    return {what: IPv4Network(network) for what, network in named.items() if network}


def host_addresses() -> dict[IPv4Address, str]:
    """This host's own IPv4 addresses and the link of each."""
    try:
        import fcntl
    except ImportError:  # not on Linux: there are no real nodes either
        return {}
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asking, 0x8915, struct.pack("256s", name.encode()[:15]))  # SIOCGIFADDR
            except OSError:
                continue  # it has none
            found[IPv4Address(answer[20:24])] = name
    return found
