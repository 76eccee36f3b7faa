"""The two address families, and what each is called where: in the API, in nft's rules, by the kernel."""

import socket
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One of `FOUR` and `SIX`; there are no others."""

    name: str  #: in the API
    nft: str  #: of tables, and how the fields of its headers begin
    type: str  #: nft's, of addresses
    number: int  #: the kernel's
    bits: int
    loopback: str

    def has(self, address: str) -> bool:
        return (":" in address) == (self.bits == 128)

    @property
    def everything(self) -> str:
        """The network that is all addresses."""
        return "::/0" if self.bits == 128 else "0.0.0.0/0"

    def alone(self, address: str) -> str:
        """The network that is one address."""
        return f"{address}/{self.bits}"

    def place(self, address: str, port: int) -> str:
        """An address and a port as nft writes them."""
        return f"[{address}]:{port}" if self.bits == 128 else f"{address}:{port}"


FOUR: Final = Family("IPv4", "ip", "ipv4_addr", socket.AF_INET, 32, "127.0.0.0/8")
SIX: Final = Family("IPv6", "ip6", "ipv6_addr", socket.AF_INET6, 128, "::1/128")


def family_of(address: str) -> Family:
    return SIX if ":" in address else FOUR


def canonical(address: str) -> str:
    """An address of either family in its one form; what is none stays as it is."""
    if ":" not in address:
        return address
    try:
        return str(IPv6Address(address))
    except ValueError:
        return address
