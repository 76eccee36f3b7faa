"""The cluster's DNS records, from Services and EndpointSlices. Pure; `dns.py` serves them.

After the Kubernetes DNS-based service discovery specification (schema version 1.1.0) and what CoreDNS answers.
Names are in lower case and end without a dot. A name that only has names below it exists, with no record.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from knarr.kinds.types.core_v1 import Service
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointSlice

Kind = Literal["A", "SRV", "PTR", "CNAME", "TXT"]
Key = tuple[str, str]  #: namespace and name of a service
SERVICE_NAME = "kubernetes.io/service-name"
VERSION = "1.1.0"
TTL = 5  #: seconds: CoreDNS' own default


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `value` is an address, a name or a text. SRV has a port and a weight besides."""

    kind: Kind
    value: str
    port: int = 0
    weight: int = 0


Names = dict[str, tuple[Record, ...]]


@dataclass(slots=True)
class Table:
    """All names of the zone; each service's are replaced as a whole."""

    zone: str = "cluster.local"
    _names: dict[str, dict[Key, tuple[Record, ...]]] = field(default_factory=dict)
    _services: dict[Key, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._put(("", ""), {f"dns-version.{self.zone}": (Record("TXT", VERSION),), self.zone: ()})

    def replace(self, key: Key, names: Names) -> None:
        """Let these be all names of that service."""
        for name in self._services.pop(key, ()):
            owners = self._names[name]
            del owners[key]
            if not owners:
                del self._names[name]
        if names:
            self._put(key, names)

    def _put(self, key: Key, names: Names) -> None:
        self._services[key] = [*names]
        for name, records in names.items():
            self._names.setdefault(name, {})[key] = records

    def find(self, name: str) -> tuple[Record, ...] | None:
        """The records of a name; () when there is none of any kind, None when the name does not exist."""
        owners = self._names.get(name)
        if owners is not None:
            return tuple(record for records in owners.values() for record in records)
        return self._pod(name)

    def _pod(self, name: str) -> tuple[Record, ...] | None:
        """10-244-0-7.default.pod.<zone>: any address, as with CoreDNS' `pods insecure`."""
        head, _, rest = name.partition(".")
        namespace, _, tail = rest.partition(".")
        address = head.replace("-", ".")
        if tail == f"pod.{self.zone}" and namespace and head.count("-") == 3 and _is_address(address):
            return (Record("A", address),)
        return None


def records(services: Iterable[Service], slices: Iterable[EndpointSlice], zone: str = "cluster.local") -> Table:
    """The whole table."""
    table = Table(zone)
    by_service: dict[Key, list[EndpointSlice]] = {}
    for each in slices:
        by_service.setdefault(service_of(each), []).append(each)
    for service in services:
        key = service.metadata.namespace, service.metadata.name
        table.replace(key, names(service, by_service.get(key, ()), zone))
    return table


def service_of(each: EndpointSlice) -> Key:
    """Whose endpoints these are."""
    return each.metadata.namespace, each.metadata.labels.get(SERVICE_NAME, "")


def names(service: Service, slices: Sequence[EndpointSlice], zone: str) -> Names:
    """All names of one service, reverse ones and the empty ones above included."""
    base = f"{service.metadata.name}.{service.metadata.namespace}.svc.{zone}"
    found: dict[str, list[Record]] = {}
    if service.spec and service.spec.type == "ExternalName":
        found[base] = [Record("CNAME", service.spec.externalName.rstrip(".").lower())]
    elif service.spec:
        if headless(service):
            _headless(found, base, slices)
        else:
            _clustered(found, base, service)
        _endpoints(found, base, slices)
    for name in [*found]:
        for above in _above(name, zone):
            found.setdefault(above, [])
    return {name: tuple(dict.fromkeys(records)) for name, records in found.items()}


def headless(service: Service) -> bool:
    return service.spec is not None and service.spec.clusterIP == "None"


def _clustered(found: dict[str, list[Record]], base: str, service: Service) -> None:
    """One address; an SRV record for each named port, which points at the service itself."""
    assert service.spec is not None
    addresses = [ip for ip in service.spec.clusterIPs or [service.spec.clusterIP] if _is_address(ip)]
    if not addresses:
        return
    found[base] = [Record("A", ip) for ip in addresses]
    ports = [(port.name, port.protocol or "TCP", port.port) for port in service.spec.ports]
    found[base] += [Record("SRV", base, number, 100 // len(ports)) for _, _, number in ports]
    for name, protocol, number in ports:
        if name:
            found[f"_{name}._{protocol.lower()}.{base}"] = [Record("SRV", base, number, 100)]
    for ip in addresses:
        found.setdefault(reverse(ip), []).append(Record("PTR", base))


def _headless(found: dict[str, list[Record]], base: str, slices: Sequence[EndpointSlice]) -> None:
    """The addresses of all ready endpoints; SRV records that point at each of them by its own name."""
    targets: dict[str, list[tuple[str, int]]] = {}
    for each, ip, host in _ready(slices):
        found.setdefault(base, []).append(Record("A", ip))
        for port in each.ports:
            target = (f"{host}.{base}", port.port or 0)
            targets.setdefault(base, []).append(target)
            if port.name:
                targets.setdefault(f"_{port.name}._{(port.protocol or 'TCP').lower()}.{base}", []).append(target)
    for name, goals in targets.items():
        unique = [*dict.fromkeys(goals)]
        weight = max(1, 100 // len(unique))
        found.setdefault(name, []).extend(Record("SRV", host, port, weight) for host, port in unique)


def _endpoints(found: dict[str, list[Record]], base: str, slices: Sequence[EndpointSlice]) -> None:
    """Each endpoint under its own name, and back from its address when that name is its pod's."""
    count: dict[str, int] = {}
    for each, ip, host in _ready(slices):
        name = f"{host}.{base}"
        found.setdefault(name, []).append(Record("A", ip))
        count[name] = count.get(name, 0) + len(each.ports)
        weight = max(1, 100 // max(1, len(each.ports)))
        found[name] += [Record("SRV", name, port.port or 0, weight) for port in each.ports]
        if host != dashed(ip):
            found.setdefault(reverse(ip), []).append(Record("PTR", name))


def _ready(slices: Sequence[EndpointSlice]) -> Iterator[tuple[EndpointSlice, str, str]]:
    for each in slices:
        if each.addressType != "IPv4":
            continue
        for endpoint in each.endpoints:
            if ready(endpoint):
                for ip in endpoint.addresses:
                    yield each, ip, (endpoint.hostname or dashed(ip)).lower()


def ready(endpoint: Endpoint) -> bool:
    """Unknown counts as ready. With publishNotReadyAddresses the slice itself says ready."""
    return endpoint.conditions is None or endpoint.conditions.ready is not False


def dashed(ip: str) -> str:
    """The name of an endpoint that has none."""
    return ip.replace(".", "-").replace(":", "-")


def reverse(ip: str) -> str:
    return ".".join(reversed(ip.split("."))) + ".in-addr.arpa"


def _above(name: str, zone: str) -> Iterator[str]:
    """The names between this one and the zone."""
    if name.endswith(f".{zone}"):
        rest = name.partition(".")[2]
        while rest != zone:
            yield rest
            rest = rest.partition(".")[2]


def _is_address(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)
