"""Which addresses of services a place of the cluster answers for. Pure.

Whoever may write a service may name any external address. So an address that something else is reached by is left
alone: the API server's and the DNS', other services', pods', the machine's own on the bridge, and the ports of the
nodes' agents. The host, where other
programs run too and from where packets could leave the machine, answers only for addresses of the cluster's own ranges,
and leads only to endpoints there.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

from knarr.net.plan import NetworkPlan
from knarr.net.ruleset import Ground


def ground(plan: NetworkPlan, *, host: bool) -> Ground:
    """What a node, or the host, answers for."""
    kept = {plan.api, plan.dns, plan.host}
    closed = [IPv4Network(each) for each in (plan.pods, plan.services, plan.simulated_pods, "127.0.0.0/8")]
    own = [IPv4Network(each) for each in (plan.nodes, *plan.balancer_networks)]

    @lru_cache(maxsize=4096)
    def outer(ip: str) -> bool:
        address = IPv4Address(ip)
        if ip in kept or any(address in network for network in closed):
            return False
        return not host or any(address in network for network in own)

    nodes = IPv4Network(plan.nodes)
    inside = [IPv4Network(each) for each in (plan.pods, plan.nodes, plan.simulated_pods)]

    @lru_cache(maxsize=65536)
    def ends(ip: str) -> bool:
        return any(IPv4Address(ip) in network for network in inside)

    def agents(ip: str) -> bool:
        return IPv4Address(ip) in nodes

    return Ground(lambda ip: ip not in kept, outer, ends if host else lambda ip: True, agents)


def is_routed(plan: NetworkPlan, ip: str) -> bool:
    """Whether the cluster's own routes lead an address to the nodes already."""
    own = (plan.nodes, *plan.balancer_networks)
    return any(IPv4Address(ip) in IPv4Network(network) for network in own)
