"""Which addresses of services a place of the cluster answers for. Pure.

Whoever may write a service may name any external address. So an address that something else is reached by is left
alone: the API server's and the DNS', other services', pods', the machine's own on the bridge, and the ports of the
nodes' agents. The host, where other
programs run too and from where packets could leave the machine, answers only for addresses of the cluster's own ranges,
and leads only to endpoints there.
"""

from functools import lru_cache
from ipaddress import ip_address, ip_network

from knarr.net.families import FOUR, SIX, Family, family_of
from knarr.net.plan import NetworkPlan
from knarr.net.ranges import Network
from knarr.net.ruleset import Ground


def ground(plan: NetworkPlan, *, host: bool, family: Family = FOUR) -> Ground:
    """What a node, or the host, answers for in one family."""
    kept = {plan.host, plan.host6, *plan.answered(family)}
    closed = _networks((*plan.kept(family), family.loopback))
    own = _networks(own_networks(plan, family))

    @lru_cache(maxsize=4096)
    def outer(ip: str) -> bool:
        address = ip_address(ip)
        if ip in kept or any(address in network for network in closed):
            return False
        return not host or any(address in network for network in own)

    nodes = _networks([plan.nodes6 if family is SIX else plan.nodes])
    inside = _networks((*plan.pod_networks(family), plan.nodes6 if family is SIX else plan.nodes))

    @lru_cache(maxsize=65536)
    def ends(ip: str) -> bool:
        return any(ip_address(ip) in network for network in inside)

    def agents(ip: str) -> bool:
        return any(ip_address(ip) in network for network in nodes)

    return Ground(lambda ip: ip not in kept, outer, ends if host else lambda ip: True, agents)


def own_networks(plan: NetworkPlan, family: Family) -> tuple[str, ...]:
    """The ranges whose addresses services may have from outside, which lead to the nodes already."""
    return plan.nodes6 if family is SIX else plan.nodes, *plan.balancers_of(family)


def is_routed(plan: NetworkPlan, ip: str) -> bool:
    """Whether the cluster's own routes lead an address to the nodes already."""
    return any(ip_address(ip) in network for network in _networks(own_networks(plan, family_of(ip))))


def _networks(given: tuple[str, ...] | list[str]) -> list[Network]:
    return [ip_network(each) for each in given if each]
