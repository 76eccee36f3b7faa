"""The wires of a cluster whose nodes share one machine. `app` builds them, each node agent hangs its pods on them.

No packet leaves the machine: the host drops what is for a pod or a service and has no better route, nobody forwards
for anybody but the nodes for their pods, and a node has no default route. Pods have a /32 address and reach even
their neighbours through the node, so that a service's address translation sees both directions. In a cluster of two
families all of it is there for IPv6 as well, and comes in the same order: first what keeps packets here.
Everything is idempotent, and found again by name: nothing depends on what an earlier process remembered.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

from knarr.net import namespace
from knarr.net.families import FOUR, SIX, Family
from knarr.net.joining import until_joined
from knarr.net.netlink import BLACKHOLE, Netlink
from knarr.net.plan import NetworkPlan, NodePlan, first_of

POD_BRIDGE = "pods0"
SERVICE_LINK = "services0"
SIOCGIFFLAGS, IFF_UP = 0x8913, 1  #: of Linux: asks for a link's flags; it is up
FIRST = 1  #: the metric of a route of IPv6 that goes before those that the kernel makes
LAST_RESORT = 4000  #: the metric of the host's blackhole routes: any other route is better


async def create_cluster_network(plan: NetworkPlan) -> None:
    """The host's side: blackholes first, then the bridge with the API server's and the DNS' address."""
    await asyncio.to_thread(_create, plan)


async def delete_cluster_network(plan: NetworkPlan) -> None:
    """Take away all of it, the nodes' namespaces included, also what a crash left."""
    await asyncio.to_thread(_delete, plan)


async def add_node(plan: NetworkPlan, number: int) -> NodePlan:
    """A network namespace for the node, wired to the bridge, and routes between it and all others."""
    node = await asyncio.to_thread(_add_node, plan, number)
    await until_joined(node.link, plan.bridge)
    return node


async def remove_node(plan: NetworkPlan, number: int) -> None:
    await asyncio.to_thread(_remove_node, plan, number)


async def cut_node(plan: NetworkPlan, number: int) -> None:
    """Pull the node's plug: it and its pods run on, unreachable."""
    await asyncio.to_thread(_set_wire, plan, number, False)


async def heal_node(plan: NetworkPlan, number: int) -> None:
    await asyncio.to_thread(_set_wire, plan, number, True)
    await until_joined(plan.node(number).link, plan.bridge)


def is_cut(plan: NetworkPlan, number: int) -> bool:
    """Whether the node's plug is pulled, or its wire is gone."""
    asked = struct.pack("16sh14x", plan.node(number).link.encode(), 0)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_:
            (flags,) = struct.unpack("16xh14x", fcntl.ioctl(any_, SIOCGIFFLAGS, asked))
    except OSError:
        return True
    return not flags & IFF_UP


def _create(plan: NetworkPlan) -> None:
    with Netlink() as kernel:
        if other := owner(kernel.links().get(plan.bridge, ""), plan):
            raise OSError(errno.EEXIST, f"the bridge {plan.bridge} belongs to {other}")
        for network in _kept(plan):
            kernel.set_route(network, metric=LAST_RESORT, kind=BLACKHOLE)
        kernel.set_link("lo", up=True)
        kernel.add_link(plan.bridge, "bridge")
        set_ipv6(plan.bridge, on=bool(plan.host6))
        kernel.set_link(plan.bridge, up=True, alias=plan.alias, hardware=hardware(plan.host))
        kernel.add_address(plan.bridge, f"{plan.host}/24")
        if plan.host6:
            kernel.add_address(plan.bridge, f"{plan.host6}/64")
        for family in plan.families:
            for address in plan.answered(family):
                kernel.add_address(plan.bridge, family.alone(address))
        _swallow_services(kernel, plan.service_link, plan, plan.host, plan.host6)


def hardware(address: str) -> bytes:
    """The MAC address of a bridge, by its IP address. A bridge that is given none takes the lowest of its ports': when
    that port goes, whoever knows the bridge by the old one sends to nobody for up to half a minute."""
    return bytes((0x0A, 0x58)) + IPv4Address(address).packed


def _kept(plan: NetworkPlan) -> tuple[str, ...]:
    """What the host never sends on."""
    return (*(each for family in plan.families for each in plan.kept(family)), *plan.balancer_networks)


def _swallow_services(kernel: Netlink, link: str, plan: NetworkPlan, source: str, source6: str) -> None:
    """A service's address is on this machine, whatever else is routed: what nobody translates ends in a bridge
    without ports (not in a dummy link, which needs a kernel module)."""
    kernel.add_link(link, "bridge")
    set_ipv6(link, on=bool(source6))
    kernel.set_link(link, up=True)
    for network in filter(None, (plan.services, *plan.balancers_of(FOUR))):
        kernel.set_route(network, link=link, source=source)
    for network in (plan.services6, *plan.balancers_of(SIX)) if source6 else ():
        kernel.set_route(network, link=link, source=source6)


def owner(alias: str, plan: NetworkPlan) -> str:
    """Whose a bridge with this alias is, when it is another cluster's; "" when it is this one's or nobody's."""
    return alias if alias not in ("", plan.alias) else ""


def _delete(plan: NetworkPlan) -> None:
    with Netlink() as kernel:
        if owner(kernel.links().get(plan.bridge, ""), plan):
            return  # nothing here is this cluster's
    if nft := shutil.which("nft"):  # the service proxy's tables; it is no error when there are none
        for family in plan.families:
            wanted = [nft, "delete", "table", family.nft, plan.bridge]
            subprocess.run(wanted, capture_output=True, check=False)  # noqa: S603
    for name in namespace.recorded():
        if plan.number(name) is not None:
            namespace.delete(name)
    with Netlink() as kernel:
        for link in kernel.links():
            if link.startswith(f"{plan.bridge}n") or link in (plan.service_link, plan.bridge):
                kernel.delete_link(link)
        for network in _kept(plan):
            kernel.delete_route(network, metric=LAST_RESORT, kind=BLACKHOLE)


async def route_services(
    plan: NetworkPlan,
    number: int,
    family: Family,
    new: Collection[str],
    old: Collection[str],
    *,
    anew: bool = False,
) -> None:
    """Let a node swallow what is for these addresses of services, and no more what is for those: rules lead it on.
    `anew`: nor what is for any other address that an earlier process let it swallow."""
    await asyncio.to_thread(_route_services, plan, plan.node(number), family, new, old, anew)


def _route_services(
    plan: NetworkPlan, node: NodePlan, family: Family, new: Collection[str], old: Collection[str], anew: bool
) -> None:
    source = node.address6 if family is SIX else node.address
    wanted, gone = ({family.alone(address) for address in each} for each in (new, old))
    with namespace.inside(node.namespace), Netlink() as kernel:
        for network in wanted:
            kernel.set_route(network, link=SERVICE_LINK, source=source)
        if anew:
            gone |= left_over(plan, kernel.routes(SERVICE_LINK), family) - wanted
        for network in gone:
            kernel.delete_route(network)


def left_over(plan: NetworkPlan, routed: Iterable[str], family: Family = FOUR) -> set[str]:
    """Of what a node leads to its service link, the single addresses that services had from outside. The link is
    the cluster's own, in the node's own network namespace; and what somebody makes there by hand is of another protocol
    than `static`, which is all that is ever deleted."""
    ending = f"/{family.bits}"
    return {each for each in routed if each.endswith(ending) and family.has(each)} - {*plan.balancer_networks}


async def lead_from_loopback(plan: NetworkPlan, number: int) -> None:
    """Let rules lead what a node sends to its own loopback address to its pods; they keep pods from those addresses."""
    await asyncio.to_thread(_lead_from_loopback, plan.node(number))


def _lead_from_loopback(node: NodePlan) -> None:
    with namespace.inside(node.namespace):
        _write(f"net/ipv4/conf/{POD_BRIDGE}/route_localnet", "1")


def is_created(plan: NetworkPlan) -> bool:
    """Whether the host's side is there: the bridge comes after the blackholes and goes before them."""
    with Netlink() as kernel:  # not /sys, which may show another network namespace than this process is in
        return bool(kernel.index(plan.bridge))


def node_numbers(plan: NetworkPlan) -> list[int]:
    """The nodes that have a network namespace."""
    found = (plan.number(name) for name in namespace.names())
    return sorted(number for number in found if number is not None)


def _add_node(plan: NetworkPlan, number: int) -> NodePlan:
    node = plan.node(number)
    others = [plan.node(other) for other in node_numbers(plan) if other != number]
    namespace.create(node.namespace)
    with Netlink() as kernel:
        if not kernel.index(node.link):
            with opened(namespace.path(node.namespace)) as there:
                kernel.add_veth(node.link, "eth0", there)
        set_ipv6(node.link, on=False)
        kernel.set_link(node.link, up=True, master=plan.bridge)
        with namespace.inside(node.namespace), Netlink() as inner:
            _furnish(inner, plan, node, others)
        _route_pods(kernel, node, plan.host6)
    for other in others:
        with namespace.inside(other.namespace), Netlink() as inner:
            _route_pods(inner, node)
    return node


def _route_pods(kernel: Netlink, node: NodePlan, source6: str = "") -> None:
    """The way to a node's pods. `source6`: by which of the addresses on its bridge the host sends."""
    if node.pods:
        kernel.set_route(node.pods, via=node.address)
    if node.pods6:
        kernel.set_route(node.pods6, via=node.address6, source=source6)


def _furnish(kernel: Netlink, plan: NetworkPlan, node: NodePlan, others: list[NodePlan]) -> None:
    """Inside a node: loopback, the wire, the bridge of its pods, the ways to the others.

    It speaks to its pods by its own address, too: a UDP server there that answered by another would not be heard.
    """
    kernel.set_link("lo", up=True)
    set_ipv6("eth0", on=bool(node.pods6))
    kernel.set_link("eth0", up=True)
    kernel.add_address("eth0", f"{node.address}/24")
    kernel.add_link(POD_BRIDGE, "bridge")
    set_ipv6(POD_BRIDGE, on=bool(node.pods6))
    kernel.set_link(POD_BRIDGE, up=True, hardware=hardware(first_of(node.numbers)))
    if node.pods:
        kernel.set_route(plan.pods, metric=LAST_RESORT, kind=BLACKHOLE)
        kernel.add_address(POD_BRIDGE, f"{node.gateway}/24")
        kernel.set_route(node.pods, link=POD_BRIDGE, source=node.address)
    if node.pods6:
        kernel.set_route(plan.pods6, metric=LAST_RESORT, kind=BLACKHOLE)
        kernel.add_address("eth0", f"{node.address6}/64")
        kernel.add_address(POD_BRIDGE, f"{node.gateway6}/64")
        kernel.set_route(node.pods6, link=POD_BRIDGE, source=node.address6, metric=FIRST)
        _write("net/ipv6/conf/all/forwarding", "1")
    _write("net/ipv4/ip_forward", "1")
    _write("net/ipv4/conf/all/send_redirects", "0")
    _write(f"net/ipv4/conf/{POD_BRIDGE}/send_redirects", "0")
    for name in ("iptables", "ip6tables"):  # pods meet by routing: the bridge must not translate too
        if Path(f"/proc/sys/net/bridge/bridge-nf-call-{name}").exists():
            _write(f"net/bridge/bridge-nf-call-{name}", "0")
    _swallow_services(kernel, SERVICE_LINK, plan, node.address, node.address6)
    for family, host, source in ((FOUR, plan.host, node.address), (SIX, plan.host6, node.address6)):
        for address in plan.answered(family):
            kernel.set_route(family.alone(address), via=host, source=source)
    for other in others:
        _route_pods(kernel, other)


def _remove_node(plan: NetworkPlan, number: int) -> None:
    node = plan.node(number)
    routed = [each for each in (node.pods, node.pods6) if each]
    with Netlink() as kernel:
        for network in routed:
            kernel.delete_route(network)
        kernel.delete_link(node.link)
    namespace.delete(node.namespace)
    for other in node_numbers(plan):
        with namespace.inside(plan.node(other).namespace), Netlink() as inner:
            for network in routed:
                inner.delete_route(network)


def _set_wire(plan: NetworkPlan, number: int, up: bool) -> None:
    with Netlink() as kernel:
        kernel.set_link(plan.node(number).link, up=up)


def set_ipv6(link: str, *, on: bool) -> None:
    """Whether a link of ours has IPv6: without it, there is no neighbour discovery and no multicast report on it; with
    it, no router is listened to or asked for, no redirect followed, and an address works at once."""
    if not Path(f"/proc/sys/net/ipv6/conf/{link}").exists():
        return
    for name in ("accept_ra", "autoconf", "accept_redirects", "accept_dad") if on else ():
        _write(f"net/ipv6/conf/{link}/{name}", "0")
    _write(f"net/ipv6/conf/{link}/disable_ipv6", "0" if on else "1")


def _write(name: str, value: str) -> None:
    Path("/proc/sys", name).write_text(value)


@contextlib.contextmanager
def opened(target: Path) -> Iterator[int]:
    number = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield number
    finally:
        os.close(number)
