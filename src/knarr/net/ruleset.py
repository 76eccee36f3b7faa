"""The rules that send a service's address to its endpoints, as text for `nft -f -`. Pure; `proxy.py` loads it.

One table per network namespace, replaced as a whole in one transaction. A service is looked up in a verdict map, so
a packet's way does not grow with the number of services. An address without endpoints is refused at once.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from knarr.kinds.types.core_v1 import Service, ServicePort
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.net.records import Key, headless, ready, service_of

MARK = "0x4000"  #: what came in through a node port and has to come back through this node
Place = tuple[str, int]
PROTOCOLS = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}


@dataclass(slots=True)
class Rules:
    """What goes into the table, collected port by port."""

    services: dict[str, str] = field(default_factory=dict)  #: "address . protocol . port" to a chain
    node_ports: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    chains: dict[str, str] = field(default_factory=dict)
    places: set[str] = field(default_factory=set)


def ruleset(
    services: Iterable[Service],
    slices: Iterable[EndpointSlice],
    *,
    table: str = "knarr",
    local: Collection[str] = (),
    node_ports: bool = True,
) -> str:
    """The whole table. `local` are services' addresses this machine answers itself; only nodes have node ports."""
    by_service: dict[Key, list[EndpointSlice]] = {}
    for each in slices:
        by_service.setdefault(service_of(each), []).append(each)
    rules = Rules()
    for service in sorted(services, key=lambda each: (each.metadata.namespace, each.metadata.name)):
        key = service.metadata.namespace, service.metadata.name
        _service(rules, service, by_service.get(key, []), local)
    if not node_ports:
        rules.node_ports.clear()
    return _text(rules, table)


def _service(rules: Rules, service: Service, slices: list[EndpointSlice], local: Collection[str]) -> None:
    spec = service.spec
    if spec is None or headless(service) or spec.type == "ExternalName":
        return
    addresses = [ip for ip in spec.clusterIPs or [spec.clusterIP] if ip and ":" not in ip and ip not in local]
    for port in spec.ports:
        protocol = PROTOCOLS.get(port.protocol or "TCP", "tcp")
        keys = [f"{ip} . {protocol} . {port.port}" for ip in addresses]
        if not keys and not port.nodePort:
            continue
        found = endpoints(slices, port)
        if not found:
            rules.refused += keys
            continue
        chain = f"to-{service.metadata.namespace}-{service.metadata.name}-{protocol}-{port.port}".replace(".", "-")
        rules.chains[chain] = spread(found, protocol, sticky=spec.sessionAffinity == "ClientIP")
        rules.places |= {ip for ip, _ in found}
        rules.services |= dict.fromkeys(keys, chain)
        if port.nodePort:
            rules.node_ports[f"{protocol} . {port.nodePort}"] = chain


def endpoints(slices: Iterable[EndpointSlice], port: ServicePort) -> list[Place]:
    """Where a service's port leads: its ready endpoints."""
    found: list[Place] = []
    for each in slices:
        if each.addressType != "IPv4":
            continue
        numbers = [
            given.port
            for given in each.ports
            if given.port and (given.name or "") == port.name and (given.protocol or "TCP") == (port.protocol or "TCP")
        ]
        found += [
            (ip, n) for n in numbers for endpoint in each.endpoints if ready(endpoint) for ip in endpoint.addresses
        ]
    return sorted(set(found))


def spread(places: list[Place], protocol: str, *, sticky: bool) -> str:
    """One place by chance; or, sticky, the same for the same client while the places stay the same."""
    if len(places) == 1:
        ip, port = places[0]
        return f"meta l4proto {protocol} dnat to {ip}:{port}"
    choice = f"jhash ip saddr mod {len(places)}" if sticky else f"numgen random mod {len(places)}"
    goals = ", ".join(f"{number} : {ip} . {port}" for number, (ip, port) in enumerate(places))
    return f"meta l4proto {protocol} dnat ip to {choice} map {{ {goals} }}"


def _text(rules: Rules, table: str) -> str:
    chains = "".join(f"  chain {name} {{\n    {rule}\n  }}\n" for name, rule in rules.chains.items())
    lookup = "ip daddr . meta l4proto . th dport vmap @services"
    by_node = f"fib daddr type local meta l4proto . th dport @node-port-numbers meta mark set {MARK}"
    node = "fib daddr type local meta l4proto . th dport vmap @node-ports"
    refuse = "ip daddr . meta l4proto . th dport @refused reject"
    return f"""table ip {table} {{}}
delete table ip {table}
table ip {table} {{
{_set("refused", "ipv4_addr . inet_proto . inet_service", rules.refused)}\
{_set("hairpin", "ipv4_addr . ipv4_addr", [f"{ip} . {ip}" for ip in sorted(rules.places)])}\
{_set("node-port-numbers", "inet_proto . inet_service", list(rules.node_ports))}\
{chains}\
{_map("services", "ipv4_addr . inet_proto . inet_service", rules.services)}\
{_map("node-ports", "inet_proto . inet_service", rules.node_ports)}\
  chain prerouting {{
    type nat hook prerouting priority dstnat
    {lookup}
    {by_node}
    {node}
  }}
  chain output {{
    type nat hook output priority -100
    {lookup}
    {by_node}
    {node}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat
    meta mark {MARK} masquerade
    ip saddr . ip daddr @hairpin masquerade
  }}
  chain refuse-forwarded {{
    type filter hook forward priority filter
    {refuse}
  }}
  chain refuse-own {{
    type filter hook output priority filter
    {refuse}
  }}
}}
"""


def _set(name: str, kind: str, elements: list[str]) -> str:
    held = f"    elements = {{ {', '.join(elements)} }}\n" if elements else ""
    return f"  set {name} {{\n    type {kind}\n{held}  }}\n"


def _map(name: str, kind: str, elements: Mapping[str, str]) -> str:
    goals = ", ".join(f"{key} : goto {chain}" for key, chain in elements.items())
    held = f"    elements = {{ {goals} }}\n" if elements else ""
    return f"  map {name} {{\n    type {kind} : verdict\n{held}  }}\n"
