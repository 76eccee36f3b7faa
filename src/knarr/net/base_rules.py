"""What every table of services has before there is a service: maps, hooks, and what is refused. Pure.

`ruleset.py` says what each service is in the maps.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from knarr.net.families import FOUR, SIX, Family

FIRST = "nat-prerouting"  #: the chain where packets come in
MARK = "0x4000"  #: what came in from outside and has to come back through this node
FEW = 8  #: endpoints that a service without chains has at most
ENDS = tuple(f"end-{number}" for number in range(FEW))
HOST_PORTS, HOST_PORTS_AT = "host-ports", "host-ports-at"  #: of every address of a node, and of one
ADDRESS, PROTOCOL, PORT, VERDICT = "address", "inet_proto", "inet_service", "verdict"
ENTRY, NODE_PORT, PLACE = (ADDRESS, PROTOCOL, PORT), (PROTOCOL, PORT), (ADDRESS, PORT)
#: what is looked up in each map, and what it leads to; in a set, to nothing
MAPS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "hairpin": ((ADDRESS, ADDRESS), ()),
    "services": (ENTRY, (VERDICT,)),
    "node-ports": (NODE_PORT, (VERDICT,)),
    "refused": (ENTRY, (VERDICT,)),
    "refused-node-ports": (NODE_PORT, (VERDICT,)),
    "guarded": (ENTRY, (VERDICT,)),
    HOST_PORTS: (NODE_PORT, PLACE),
    HOST_PORTS_AT: (ENTRY, PLACE),
    **dict.fromkeys(ENDS, (ENTRY, PLACE)),
}
TRANSLATED = "meta l4proto { tcp, udp, sctp } dnat"  #: nft wants to know that there are ports
#: host ports lead from a node's loopback addresses to its pods; to those addresses nobody comes from outside
FROM_LOOPBACK = f"ip saddr {FOUR.loopback} ip daddr != {FOUR.loopback} masquerade"
NOT_FROM_OUTSIDE = f'iifname != "lo" ip daddr {FOUR.loopback} drop'
#: of IPv6 a TCP client that hears of an error while it still sends tries again after a second; a reset it always takes
REFUSALS = {FOUR: ("reject",), SIX: ("meta l4proto tcp reject with tcp reset", "reject")}


def base(services: str, kept: Sequence[str], family: Family = FOUR, *, host: bool = False) -> str:
    """What every table of a family has. `services` is the range of their addresses, of which `kept` are not the
    proxy's. `host`: it is the table of the host, which has no ports of pods.

    Source ranges are looked at before an address is translated, refusals after it.
    """
    opened = "" if host else "    fib daddr type local jump host-ports\n"
    address = _address(family)
    node_port = f"fib daddr type local {family.nft} daddr != {family.loopback} meta l4proto . th dport"
    others = f"{family.nft} daddr != {{ {', '.join(kept)} }} " if kept else ""
    return f"""\
{"".join(_declaration(name, family) for name in MAPS)}\
{_host_ports(family)}\
{"".join(_end(number, family) for number in range(FEW))}\
{"".join(map(_spread, range(1, FEW + 1)))}\
  chain refuse {{ {"; ".join(REFUSALS[family])}; }}
  chain dispatch {{
    {address} vmap @services
    {node_port} vmap @node-ports
{opened}\
  }}
  chain check {{
    {address} vmap @refused
    {node_port} vmap @refused-node-ports
    {family.nft} daddr {services} {others}goto refuse
  }}
{_hooks(family, host)}"""


def _host_ports(family: Family) -> str:
    """The ports of a node that lead to its pods."""
    everywhere = "meta l4proto . th dport"
    return f"""\
  chain host-ports {{
    {TRANSLATED} {family.nft} to {_address(family)} map @{HOST_PORTS_AT}
    {TRANSLATED} {family.nft} to {everywhere} map @{HOST_PORTS}
  }}
"""


def _address(family: Family) -> str:
    return f"{family.nft} daddr . meta l4proto . th dport"


def _declaration(name: str, family: Family) -> str:
    keys, goals = (" . ".join(family.type if each == ADDRESS else each for each in kinds) for kinds in MAPS[name])
    return f"  map {name} {{ type {keys} : {goals}; }}\n" if goals else f"  set {name} {{ type {keys}; }}\n"


def _end(number: int, family: Family) -> str:
    """What sends a packet to the services' endpoints of one number."""
    return f"""\
  chain pick-{number} {{
    {TRANSLATED} {family.nft} to {_address(family)} map @end-{number}
  }}
"""


def _spread(count: int) -> str:
    """What chooses among as many endpoints by chance."""
    goals = ", ".join(f"{number} : goto pick-{number}" for number in range(count))
    choice = f"numgen random mod {count} vmap {{ {goals} }}" if count > 1 else "goto pick-0"
    return f"  chain spread-{count} {{\n    {choice}\n  }}\n"


def _hook(name: str, kind: str, hook: str, priority: str, *rules: str) -> str:
    lines = "".join(f"    {rule}\n" for rule in rules)
    return f"  chain {name} {{\n    type {kind} hook {hook} priority {priority};\n{lines}  }}\n"


def _hooks(family: Family, host: bool) -> str:
    guard, check = f"ct state new {_address(family)} vmap @guarded", "ct state new jump check"
    disguise = (
        f"meta mark and {MARK} == {MARK} masquerade",
        f"{family.nft} saddr . {family.nft} daddr @hairpin masquerade",
    )
    has_loopback = family is FOUR and not host
    hooks = (
        *((("from-outside", "filter", "prerouting", "raw", NOT_FROM_OUTSIDE),) if has_loopback else ()),
        ("guard-prerouting", "filter", "prerouting", "-110", guard),
        ("guard-output", "filter", "output", "-110", guard),
        (FIRST, "nat", "prerouting", "dstnat", "jump dispatch"),
        ("nat-output", "nat", "output", "-100", "jump dispatch"),
        ("nat-postrouting", "nat", "postrouting", "srcnat", *disguise, *((FROM_LOOPBACK,) if has_loopback else ())),
        ("filter-input", "filter", "input", "-110", check),
        ("filter-forward", "filter", "forward", "-110", check),
        ("filter-output", "filter", "output", "-90", check),
    )
    return "".join(_hook(*each) for each in hooks)
