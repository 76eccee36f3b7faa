"""Whether a cluster can have the ranges of services and pods that are wished for. Changes nothing."""

import shutil
import subprocess
from ipaddress import IPv6Network
from pathlib import Path

from knarr.app.config import Cluster, ConfigError
from knarr.net.families import SIX
from knarr.net.plan import CLUSTERS, NetworkPlan
from knarr.net.ranges import NODE_BITS, PODS, SERVICES, usual

LOCAL = IPv6Network("fc00::/7")
NODES, SIMULATED = IPv6Network("fd00:172:30::/48"), IPv6Network("fd00:240::/32")


def check(cluster: Cluster, before: Cluster | None) -> None:
    """Raise ConfigError for ranges that cannot be; `before` is the cluster as it was, which keeps its own."""
    try:
        ranges = cluster.network.ranges
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if before is not None and before.network.ranges != ranges:
        kept = before.network.ranges
        raise ConfigError(
            f"cluster {cluster.name!r} has {SERVICES} {','.join(kept.services)} and {PODS} {','.join(kept.pods)}; "
            "they are of a new cluster alone"
        )
    if cluster.runtime != "simulated":
        check_real(cluster)


def check_real(cluster: Cluster) -> None:
    """What nodes that are real can have: this host's own range of IPv4, one of IPv6 that is nobody's, or both."""
    plan, ranges = cluster.network, cluster.network.ranges
    own = usual(cluster.index, (4,))
    for flag, given, kept in ((SERVICES, ranges.services, own.services), (PODS, ranges.pods, own.pods)):
        if any(":" not in each for each in given) and kept[0] not in given:
            raise ConfigError(
                f"{flag} {','.join(given)}: on nodes of runtime {cluster.runtime} the range of IPv4 must be {kept[0]}, "
                "which this host keeps for the cluster; simulated nodes have any ranges"
            )
    if not plan.pods6:
        return
    if lack := missing() or refused_rules(plan):
        raise ConfigError(f"{SERVICES} {','.join(ranges.services)}: this host has no IPv6: {lack}")
    taken = others(cluster)
    for flag, text in ((SERVICES, plan.services6), (PODS, plan.pods6)):
        network = IPv6Network(text)
        if not network.subnet_of(LOCAL):
            raise ConfigError(f"{flag} {text}: must be of {LOCAL}, whose addresses nobody has in the world")
        if size(network) < cluster.nodes and flag == PODS:
            raise ConfigError(f"{flag} {text}: has room for {size(network)} nodes, not for {cluster.nodes}")
        for other, what in taken.items():
            if network.overlaps(other):
                raise ConfigError(f"{flag} {text}: overlaps {other}, {what}")


def size(pods: IPv6Network) -> int:
    """For how many nodes there is room."""
    return 1 << max(0, NODE_BITS[6] - pods.prefixlen)


def missing() -> str:
    """Why this host has no IPv6; "" when it has."""
    folder = Path("/proc/sys/net/ipv6/conf")
    if not folder.is_dir():
        return "the kernel has none"
    for name in ("all", "default"):
        if (folder / name / "disable_ipv6").read_text().strip() != "0":
            return f"net.ipv6.conf.{name}.disable_ipv6 is not 0"
    return ""


def refused_rules(plan: NetworkPlan) -> str:
    """Why the kernel does not take the rules of services for IPv6; "" when it does, or without nft."""
    if (nft := shutil.which("nft")) is None:
        return ""  # then no service has an address that works, of either family
    from knarr.net.base_rules import base
    from knarr.net.table import Table

    text = Table(plan.bridge, SIX.nft).whole(base(plan.services6, (), SIX))
    done = subprocess.run([nft, "-c", "-f", "-"], input=text, capture_output=True, text=True, check=False)  # noqa: S603
    return f"nft refuses its rules: {done.stderr.strip()}" if done.returncode else ""


def others(cluster: Cluster) -> dict[IPv6Network, str]:
    """What is somebody else's already, and what: of this host's other clusters, running or not, and its own routes."""
    plan = cluster.network
    found = {NODES: "the nodes' range", SIMULATED: "the range of simulated nodes' pods"}
    for index in range(CLUSTERS):
        if index != cluster.index:
            ranges = usual(index, (6,))
            found[IPv6Network(ranges.services[0])] = f"the services' range of cluster number {index} of this host"
            found[IPv6Network(ranges.pods[0])] = f"the pods' range of cluster number {index} of this host"
    return found | {
        IPv6Network(each): f"which this host has a route for, on {link}" for each, link in routed(plan).items()
    }


def routed(plan: NetworkPlan) -> dict[str, str]:
    """The IPv6 networks that this host has routes for by itself, and on which link."""
    from knarr.net.netlink import Netlink

    found: dict[str, str] = {}
    with Netlink() as kernel:
        for link in kernel.links():
            if link not in (plan.bridge, plan.service_link):
                found |= {each: link for each in kernel.routes(link) if ":" in each}
    return found
