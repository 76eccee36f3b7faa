"""The pods of one node on the network: who has which addresses, and the wire of each.

Lives in the node's agent, which is in the node's network namespace. What is around it is `podnetwork`'s.
"""

import asyncio
import errno
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path

from knarr.net import namespace
from knarr.net.families import SIX, family_of
from knarr.net.joining import until_joined
from knarr.net.netlink import Netlink
from knarr.net.plan import NetworkPlan, NodePlan
from knarr.net.podnetwork import POD_BRIDGE, opened, set_ipv6


class PodNetwork:
    """One node's pods.

    `ledger` is the file that remembers who has which address. Addresses go round: one that was just given back
    is the last to be given out, so that a new pod under an old name is seen to be new.
    """

    def __init__(self, plan: NetworkPlan, number: int, ledger: Path) -> None:
        self.plan, self.node = plan, plan.node(number)
        self._ledger = ledger
        self._lock = asyncio.Lock()

    @property
    def address(self) -> str:
        """The node's own first address: that of pods on the host's network."""
        return self.node.addresses[0]

    async def add_pod(self, uid: str, network: Path) -> tuple[str, ...]:
        """Wire the namespace at `network` (/proc/<pid>/ns/net) to the node; return its addresses, the first family's
        first."""
        async with self._lock:
            address = await asyncio.to_thread(self._take, uid)
        addresses = addresses_of(self.node, address)
        await asyncio.to_thread(self._wire, uid, network, addresses)
        await until_joined(pod_link(uid), POD_BRIDGE)
        return addresses[::-1] if self.node.six_first else addresses

    async def remove_pod(self, uid: str) -> None:
        await asyncio.to_thread(_unwire, uid)
        async with self._lock:
            await asyncio.to_thread(self._give_back, uid)

    async def pods(self) -> dict[str, str]:
        """Who has which address of the node's numbers; its own follow from it."""
        return (await asyncio.to_thread(_read, self._ledger)).taken

    def _wire(self, uid: str, network: Path, addresses: Sequence[str]) -> None:
        link = pod_link(uid)
        with Netlink() as kernel:
            if not kernel.index(link):
                with opened(network) as there:
                    kernel.add_veth(link, "eth0", there)
            set_ipv6(link, on=False)
            kernel.set_link(link, up=True, master=POD_BRIDGE)
        with namespace.inside(network), Netlink() as kernel:
            kernel.set_link("lo", up=True)
            set_ipv6("eth0", on=bool(self.node.pods6))
            kernel.set_link("eth0", up=True)
            for address in addresses:
                family = family_of(address)
                gateway = self.node.gateway6 if family is SIX else self.node.gateway
                kernel.add_address("eth0", family.alone(address))
                kernel.set_route(family.alone(gateway), link="eth0", source=address)
                kernel.set_route(family.everything, link="eth0", via=gateway, source=address)

    def _take(self, uid: str) -> str:
        ledger = _read(self._ledger)
        if uid not in ledger.taken:
            ledger.last = next_address(self.node, set(ledger.taken.values()), ledger.last)
            ledger.taken[uid] = ledger.last
            _save(self._ledger, ledger)
        return ledger.taken[uid]

    def _give_back(self, uid: str) -> None:
        ledger = _read(self._ledger)
        if ledger.taken.pop(uid, None):
            _save(self._ledger, ledger)


@dataclass(slots=True)
class Ledger:
    """Addresses by pod UID, and the one given out last."""

    last: str = ""
    taken: dict[str, str] = field(default_factory=dict)


def addresses_of(node: NodePlan, address: str) -> tuple[str, ...]:
    """A pod's addresses, IPv4's first, by that of the ledger: in each range of its node it has the same number."""
    four = (address,) if node.pods else ()
    if not node.pods6:
        return four
    number = int(IPv4Address(address)) - int(IPv4Network(node.numbers).network_address)
    return *four, str(IPv6Network(node.pods6)[number])


def next_address(node: NodePlan, taken: set[str], last: str) -> str:
    """The first free address after `last`, going round. OSError when there is none."""
    _, *hosts = map(str, IPv4Network(node.numbers).hosts())  # the first is the node's own
    start = hosts.index(last) + 1 if last in hosts else 0
    for address in hosts[start:] + hosts[:start]:
        if address not in taken:
            return address
    raise OSError(errno.EADDRNOTAVAIL, f"no free address in {node.pods or node.pods6}: {len(taken)} pods have one")


def _read(path: Path) -> Ledger:
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):  # half of it, after a power cut, which nobody who had an address outlived
        return Ledger()
    return Ledger(found["last"], found["taken"])


def _save(path: Path, ledger: Ledger) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"last": ledger.last, "taken": ledger.taken}))
    draft.replace(path)


def _unwire(uid: str) -> None:
    with Netlink() as kernel:
        kernel.delete_link(pod_link(uid))


def pod_link(uid: str) -> str:
    """The node's end of a pod's wire."""
    return "pod" + hashlib.sha256(uid.encode()).hexdigest()[:11]
