"""The few rtnetlink requests the pod network needs: links, addresses, routes. Blocking; called in threads.

Every request is idempotent: making what is there and removing what is not are no errors. A socket belongs to the
network namespace its thread was in when it was opened. Own code because it starts in a millisecond and makes a
pod's wire in two, where importing pyroute2 alone takes 250 ms of every node's start.
Numbers and layouts: linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/veth.h.
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from types import TracebackType
from typing import Final, Self

NESTED: Final = 0x8000  #: of an attribute that holds others
NETFILTER: Final = 12  #: the netlink protocol of rules and flows; routing has 0
NEWLINK, DELLINK, GETLINK, NEWADDR, DELADDR, NEWROUTE, DELROUTE, GETROUTE = 16, 17, 18, 20, 21, 24, 25, 26
ERROR, DONE = 2, 3
BATCH_BEGIN, BATCH_END = 16, 17  #: linux/netfilter/nfnetlink.h
SNDBUFFORCE: Final = 32  #: asm-generic/socket.h
REQUEST, ACK, REPLACE, EXCL, CREATE, DUMP = 0x1, 0x4, 0x100, 0x200, 0x400, 0x300
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MASTER, IFLA_LINKINFO, IFLA_IFALIAS, IFLA_NET_NS_FD = 1, 3, 10, 18, 20, 28
INFO_KIND, INFO_DATA, INFO_SLAVE_DATA, VETH_PEER, PORT_STATE = 1, 2, 5, 1, 1
FORWARDING: Final = b"\3"  #: linux/if_bridge.h
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC = 1, 4, 5, 6, 7
UNICAST, BLACKHOLE = 1, 6
TABLE_MAIN, PROTOCOL_STATIC, SCOPE_UNIVERSE, SCOPE_LINK = 254, 4, 0, 253
FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
NODAD: Final = 0x02  #: of addresses: nobody is asked whether he has it
IFF_UP: Final = 1
HEADER: Final = struct.Struct("=IHHII")
BATCH_HEAD: Final = struct.Struct("!BBH")
LINK: Final = struct.Struct("=BxHiII")
ADDRESS: Final = struct.Struct("=BBBBI")
ROUTE: Final = struct.Struct("=BBBBBBBBI")


def attribute(kind: int, value: bytes) -> bytes:
    """One rtattr, padded."""
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The rtattrs of a message's tail."""
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3FFF, data[4:size]
        data = data[(size + 3) & ~3 :]


def text(value: str) -> bytes:
    return value.encode() + b"\0"


class Netlink:
    """A connection to the kernel's routing tables of one network namespace."""

    def __init__(self, protocol: int = 0) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def ask(self, kind: int, flags: int, body: bytes) -> list[tuple[int, bytes]]:
        """Send one request and give the answers' types and bodies; OSError when the kernel refuses it."""
        self._sequence += 1
        head = HEADER.pack(HEADER.size + len(body), kind, flags | REQUEST | ACK, self._sequence, 0)
        self._socket.send(head + body)
        answers: list[tuple[int, bytes]] = []
        while True:
            data = self._socket.recv(1 << 18)
            while data:
                size, got, _, sequence, _ = HEADER.unpack_from(data)
                part, data = data[HEADER.size : size], data[(size + 3) & ~3 :]
                if sequence != self._sequence:
                    continue
                if got == ERROR:
                    code = -struct.unpack_from("=i", part)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return answers
                if got == DONE:
                    return answers
                answers.append((got, part))

    def transact(self, subsystem: int, requests: Iterable[tuple[int, int, bytes]]) -> None:
        """Send netfilter's requests, given by type, flags and body, as one transaction; OSError when the kernel refuses
        one of them, and has done nothing then."""
        ends = BATCH_HEAD.pack(0, 0, subsystem)
        bodies = [(BATCH_BEGIN, 0, ends), *requests, (BATCH_END, 0, ends)]
        parts: list[bytes] = []
        for number, (kind, flags, body) in enumerate(bodies):
            wanted = flags | REQUEST | (ACK if number == len(bodies) - 2 else 0)  # the last one's answer is enough
            parts += HEADER.pack(HEADER.size + len(body), kind, wanted, number, 0), body
        sent = b"".join(parts)
        self._socket.setsockopt(socket.SOL_SOCKET, SNDBUFFORCE, 2 * len(sent) + (1 << 16))
        self._socket.send(sent)
        code = -struct.unpack_from("=i", self._socket.recv(1 << 12), HEADER.size)[0]
        if code:
            raise OSError(code, os.strerror(code))

    # links

    def index(self, name: str) -> int:
        """The number of a link, or 0."""
        try:
            ((_, answer), *_) = self.ask(GETLINK, 0, LINK.pack(0, 0, 0, 0, 0) + attribute(IFLA_IFNAME, text(name)))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return 0
            raise
        return int(LINK.unpack_from(answer)[2])

    def forwards(self, name: str) -> bool:
        """Whether a bridge sends on what comes from this link, and has what is for it go there. That begins when the
        kernel's worker has seen that the wire is up, which may be after its two ends are; to ask hurries it."""
        ((_, answer), *_) = self.ask(GETLINK, 0, LINK.pack(0, 0, self._required(name), 0, 0))
        about = dict(attributes(dict(attributes(answer[LINK.size :])).get(IFLA_LINKINFO, b"")))
        return dict(attributes(about.get(INFO_SLAVE_DATA, b""))).get(PORT_STATE) == FORWARDING

    def links(self) -> dict[str, str]:
        """Each link's name and alias."""
        out = {}
        for kind, answer in self.ask(GETLINK, DUMP, LINK.pack(0, 0, 0, 0, 0)):
            if kind == NEWLINK:
                found = dict(attributes(answer[LINK.size :]))
                out[_string(found.get(IFLA_IFNAME, b""))] = _string(found.get(IFLA_IFALIAS, b""))
        return out

    def add_link(self, name: str, kind: str) -> None:
        info = attribute(INFO_KIND, text(kind))
        body = attribute(IFLA_IFNAME, text(name)) + attribute(IFLA_LINKINFO, info)
        self._add(NEWLINK, LINK.pack(0, 0, 0, 0, 0) + body)

    def add_veth(self, name: str, peer: str, namespace: int) -> None:
        """A wire from here to the link `peer` in the network namespace of the open file `namespace`."""
        far = attribute(IFLA_IFNAME, text(peer)) + attribute(IFLA_NET_NS_FD, struct.pack("=I", namespace))
        data = attribute(VETH_PEER, LINK.pack(0, 0, 0, 0, 0) + far)
        info = attribute(INFO_KIND, text("veth")) + attribute(INFO_DATA, data)
        body = attribute(IFLA_IFNAME, text(name)) + attribute(IFLA_LINKINFO, info)
        self._add(NEWLINK, LINK.pack(0, 0, 0, 0, 0) + body)

    def set_link(
        self, name: str, *, up: bool | None = None, master: str = "", alias: str = "", hardware: bytes = b""
    ) -> None:
        """Change a link; `hardware` is its MAC address."""
        flags = (IFF_UP if up else 0, IFF_UP) if up is not None else (0, 0)
        body = attribute(IFLA_MASTER, struct.pack("=I", self._required(master))) if master else b""
        body += attribute(IFLA_IFALIAS, alias.encode()) if alias else b""
        body += attribute(IFLA_ADDRESS, hardware) if hardware else b""
        self.ask(NEWLINK, 0, LINK.pack(0, 0, self._required(name), *flags) + body)

    def delete_link(self, name: str) -> None:
        if index := self.index(name):
            self._remove(DELLINK, LINK.pack(0, 0, index, 0, 0))

    # addresses and routes

    def add_address(self, link: str, address: str) -> None:
        """`address` with its prefix length: 10.0.0.1/24."""
        interface = ip_interface(address)
        packed = interface.ip.packed
        flags = NODAD if interface.version == 6 else 0  # nobody else has it: no second's wait until it works
        head = ADDRESS.pack(FAMILIES[interface.version], interface.network.prefixlen, flags, 0, self._required(link))
        self._add(NEWADDR, head + attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed))

    def set_route(
        self, destination: str, *, link: str = "", via: str = "", source: str = "", metric: int = 0, kind: int = UNICAST
    ) -> None:
        """Make or replace the route to `destination` ("0.0.0.0/0" and "::/0" are the default routes)."""
        scope = SCOPE_LINK if link and not via else SCOPE_UNIVERSE
        body = self._route(destination, kind, scope, metric)
        body += attribute(RTA_OIF, struct.pack("=I", self._required(link))) if link else b""
        body += attribute(RTA_GATEWAY, ip_address(via).packed) if via else b""
        body += attribute(RTA_PREFSRC, ip_address(source).packed) if source else b""
        self.ask(NEWROUTE, CREATE | REPLACE, body)

    def delete_route(self, destination: str, *, metric: int = 0, kind: int = UNICAST) -> None:
        self._remove(DELROUTE, self._route(destination, kind, 255, metric))  # 255: a route of any scope

    def routes(self, link: str) -> list[str]:
        """The destinations that the main table leads to a link, of both families; [] when there is none of its name."""
        index = self.index(link)
        found = []
        for family in (socket.AF_INET, socket.AF_INET6) if index else ():
            for kind, answer in self.ask(GETROUTE, DUMP, ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)):
                of, length, _, _, table, _, _, type_, _ = ROUTE.unpack_from(answer)
                parts = dict(attributes(answer[ROUTE.size :]))
                here = parts.get(RTA_OIF) == struct.pack("=I", index) and of == family  # no IPv6: it gives IPv4 again
                if here and kind == NEWROUTE and table == TABLE_MAIN and type_ == UNICAST and RTA_DST in parts:
                    network = IPv6Network if of == socket.AF_INET6 else IPv4Network
                    found.append(str(network((parts[RTA_DST], length))))
        return found

    def _route(self, destination: str, kind: int, scope: int, metric: int) -> bytes:
        network = ip_network(destination)
        if network.version == 6:
            scope = SCOPE_UNIVERSE  # there are no others
        family = FAMILIES[network.version]
        head = ROUTE.pack(family, network.prefixlen, 0, 0, TABLE_MAIN, PROTOCOL_STATIC, scope, kind, 0)
        body = attribute(RTA_DST, network.network_address.packed) if network.prefixlen else b""
        return head + body + (attribute(RTA_PRIORITY, struct.pack("=I", metric)) if metric else b"")

    def _required(self, name: str) -> int:
        if index := self.index(name):
            return index
        raise OSError(errno.ENODEV, f"there is no network link {name}")

    def _add(self, kind: int, body: bytes) -> None:
        with contextlib.suppress(FileExistsError):
            self.ask(kind, CREATE | EXCL, body)

    def _remove(self, kind: int, body: bytes) -> None:
        try:
            self.ask(kind, 0, body)
        except OSError as error:
            if error.errno not in (errno.ENODEV, errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENOENT):
                raise


def _string(value: bytes) -> str:
    return value.rstrip(b"\0").decode()
