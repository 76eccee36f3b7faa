"""The cluster's DNS records, from Services, EndpointSlices and Namespaces. Pure; `dns.py` serves them.

After the Kubernetes DNS-based service discovery specification (schema version 1.1.0) and what CoreDNS answers.
Names are in lower case and end without a dot. A name that only has names below it exists, with no record. Each
slice's names are kept by themselves, so that one of a service's many slices changes alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, inet_pton
from typing import Literal

from knarr.kinds.types.core_v1 import Service
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointSlice

Kind = Literal["A", "AAAA", "SRV", "PTR", "CNAME", "TXT"]
Key = tuple[str, str]  #: namespace and name of a service
Owner = tuple[str, ...]  #: a service, or namespace, service and name of one of its slices
SERVICE_NAME = "kubernetes.io/service-name"
VERSION = "1.1.0"
TTL = 30  #: seconds: as the CoreDNS that kubeadm installs
SERVER = ("kube-system", "kube-dns")  #: whose address is the name server's


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `value` is an address, a name or a text. Only SRV has a port; weights depend on the others."""

    kind: Kind
    value: str
    port: int = 0


Names = dict[str, tuple[Record, ...]]
Found = dict[str, dict[Record, None]]


@dataclass(slots=True)
class Table:
    """All names of the zone; each owner's are replaced as a whole."""

    zone: str = "cluster.local"
    namespaces: set[str] = field(default_factory=set)
    _names: dict[str, dict[Owner, tuple[Record, ...]]] = field(default_factory=dict)
    _owned: dict[Owner, dict[Owner, tuple[str, ...]]] = field(default_factory=dict)  #: by service: who has which names

    def __post_init__(self) -> None:
        self.replace((), {f"dns-version.{self.zone}": (Record("TXT", VERSION),), self.zone: (), f"dns.{self.zone}": ()})

    def __len__(self) -> int:
        """How many records there are."""
        return sum(len(records) for owners in self._names.values() for records in owners.values())

    def replace(self, owner: Owner, names: Names) -> None:
        """Let these be all names of that service or slice."""
        owned = self._owned.setdefault(owner[:2], {})
        for name in owned.pop(owner, ()):
            owners = self._names[name]
            del owners[owner]
            if not owners:
                del self._names[name]
        if names:
            owned[owner] = tuple(names)
        elif not owned:
            del self._owned[owner[:2]]
        for name, records in names.items():
            self._names.setdefault(name, {})[owner] = records

    def drop(self, key: Key) -> None:
        """Forget a service and its slices."""
        for owner in [*self._owned.get(key, ())]:
            self.replace(owner, {})

    def find(self, name: str) -> list[Record] | None:
        """The records of a name; [] when there is none of any kind, None when the name does not exist."""
        owners = self._names.get(name)
        if owners is not None:
            return [record for records in owners.values() for record in records]
        return self._implied(name)

    def _implied(self, name: str) -> list[Record] | None:
        """What exists without being listed: namespaces, the name server, and every address in the pod domain."""
        parts = name.removesuffix(f".{self.zone}").split(".") if name.endswith(f".{self.zone}") else []
        match parts:
            case ["svc" | "pod"]:
                return []
            case ["ns", "dns"]:
                server = self.find(f"{SERVER[1]}.{SERVER[0]}.svc.{self.zone}") or ()
                return [record for record in server if record.kind in ("A", "AAAA")]
            case [namespace, "svc" | "pod"] if namespace in self.namespaces:
                return []
            case [pod, namespace, "pod"] if namespace in self.namespaces:
                return _pod(pod)
        return None


def _pod(name: str) -> list[Record] | None:
    """10-244-0-7 and fd00--7: any address, as with CoreDNS' `pods insecure`."""
    four = name.count("-") == 3 and "--" not in name
    address = name.replace("-", "." if four else ":")
    return [_address(str(ip_address(address)))] if is_address(address) else None


def records(services: Iterable[Service], slices: Iterable[EndpointSlice], zone: str = "cluster.local") -> Table:
    """The whole table, with the namespaces of the services."""
    table = Table(zone)
    known = {(service.metadata.namespace, service.metadata.name): service for service in services}
    table.namespaces = {namespace for namespace, _ in known}
    for key, service in known.items():
        table.replace(key, service_names(service, zone))
    for each in slices:
        key = service_of(each)
        if key in known:
            table.replace((*key, each.metadata.name), slice_names(known[key], each, zone))
    return table


def service_of(each: EndpointSlice) -> Key:
    """Whose endpoints these are."""
    return each.metadata.namespace, each.metadata.labels.get(SERVICE_NAME, "")


def headless(service: Service) -> bool:
    return service.spec is not None and service.spec.clusterIP == "None"


def base_of(service: Service, zone: str) -> str:
    return f"{service.metadata.name}.{service.metadata.namespace}.svc.{zone}"


def service_names(service: Service, zone: str) -> Names:
    """What a service is by itself: its addresses and ports, back from them, or another name."""
    base, found, spec = base_of(service, zone), Found(), service.spec
    if spec is None:
        return {}
    if spec.type == "ExternalName":
        if spec.externalName and not is_address(spec.externalName):
            _add(found, base, Record("CNAME", spec.externalName.rstrip(".").lower()))
    elif not headless(service):
        addresses = [ip for ip in spec.clusterIPs or [spec.clusterIP] if is_address(ip)]
        for ip in addresses:
            _add(found, base, _address(ip))
            _add(found, reverse(ip), Record("PTR", base))
        for port in spec.ports if addresses else ():
            _add_port(found, base, port.name, port.protocol, Record("SRV", base, port.port))
    return _whole(found)


def slice_names(service: Service, each: EndpointSlice, zone: str) -> Names:
    """What a slice's ready endpoints are: each under its own name and back, and of a headless service all of them."""
    if service.spec is None or service.spec.type == "ExternalName" or each.addressType not in ("IPv4", "IPv6"):
        return {}
    base, found, alone = base_of(service, zone), Found(), headless(service)
    for endpoint in each.endpoints:
        for ip in endpoint.addresses if ready(endpoint) else ():
            name = f"{(endpoint.hostname or dashed(ip)).lower()}.{base}"
            _add(found, name, _address(ip))
            _add(found, reverse(ip), Record("PTR", name))
            if alone:
                _add(found, base, _address(ip))
            for port in (one for one in each.ports if is_port(one.port or 0)):
                record = Record("SRV", name, port.port or 0)
                _add(found, name, record)
                if alone:
                    _add_port(found, base, port.name or "", port.protocol, record)
    return _whole(found)


def _add(found: Found, name: str, record: Record) -> None:
    found.setdefault(name, {})[record] = None


def _add_port(found: Found, base: str, name: str, protocol: str | None, record: Record) -> None:
    """A port under the service's own name, and with a name under that and its protocol."""
    _add(found, base, record)
    if name:
        above = f"_{(protocol or 'TCP').lower()}.{base}"
        found.setdefault(above, {})
        _add(found, f"_{name.lower()}.{above}", record)


def _whole(found: Found) -> Names:
    return {name: tuple(records) for name, records in found.items()}


def _address(ip: str) -> Record:
    return Record("AAAA" if ":" in ip else "A", ip)


def ready(endpoint: Endpoint) -> bool:
    """Unknown counts as ready. With publishNotReadyAddresses the slice itself says ready."""
    return endpoint.conditions is None or endpoint.conditions.ready is not False


def is_port(number: int) -> bool:
    """Whether a message or a rule can hold it; slices may have any number. 0 stands for every port."""
    return 0 <= number < 1 << 16


def dashed(ip: str) -> str:
    """The name of an endpoint that has none."""
    return ip.replace(".", "-").replace(":", "-")


def reverse(ip: str) -> str:
    """The name under which an address leads back to a name."""
    return ip_address(ip).reverse_pointer if ":" in ip else ".".join(reversed(ip.split("."))) + ".in-addr.arpa"


def unreversed(name: str) -> str:
    """The address in a reverse name, or "" when there is none in it."""
    digits, _, domain = name.removesuffix(".arpa").rpartition(".")
    parts = digits.split(".")[::-1]
    try:
        if domain == "in-addr" and len(parts) == 4:
            return str(ip_address(".".join(parts)))
        if domain == "ip6" and len(parts) == 32 and all(len(part) == 1 for part in parts):
            whole = "".join(parts)
            return str(ip_address(":".join(whole[at : at + 4] for at in range(0, 32, 4))))
    except ValueError:
        pass  # no address
    return ""


def is_address(text: str) -> bool:
    try:
        inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):
        return False
    return True
