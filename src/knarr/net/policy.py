"""NetworkPolicy: keeps the rules of every node at what policies, namespaces and pods say.

It runs beside the API server, which is on the same machine as all nodes, and has one table in each node's network
namespace. A change of pods is a change of sets; only policies change chains. Each load is one transaction. A node's
table outlives this process, so nothing opens while the server is away; it goes with the last policy, or the node.
Which rules: `policy_rules`. Who is in the sets: `policy_members`.
"""

import asyncio
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from knarr.client.informer import Informers
from knarr.kinds.types.core_v1 import Namespace, Node, Pod
from knarr.kinds.types.networking_v1 import NetworkPolicy
from knarr.net import namespace, podnetwork
from knarr.net.families import FOUR, SIX
from knarr.net.nft import FAMILIES, apply, has_rules, load
from knarr.net.plan import NetworkPlan
from knarr.net.policy_ledgers import Ledgers
from knarr.net.policy_members import EVERYWHERE, Facts, Members, facts, in_family
from knarr.net.policy_rules import Alias, Frame, frame
from knarr.net.policy_table import Chain, Table, difference, emptied, suspects, whole
from knarr.net.refusals import Refusals, fitting

AGAIN = 5.0  #: seconds until a failed load is tried again, and until new nodes are looked for
TOGETHER = 8  #: nodes that are loaded at the same time
DNS_LABELS = {"k8s-app": "kube-dns"}
DNS_PORTS = frozenset({("udp", "dns", 53), ("tcp", "dns-tcp", 53)})

log = logging.getLogger("knarr.net")


class NetworkPolicies:
    """`run` until cancelled. `ledger`: where a node, given by its number, writes down which pod has which address."""

    def __init__(self, informers: Informers, plan: NetworkPlan, port: int, ledger: Callable[[int], Path]) -> None:
        self._plan = plan
        self._alias = Alias(plan.api, 443, plan.host6 if plan.six_first else plan.host, port)
        self._policies, self._spaces = informers.of(NetworkPolicy), informers.of(Namespace)
        self._pods, self._nodes = informers.of(Pod), informers.of(Node)
        self._ledgers = Ledgers(plan, ledger, self._ledger_changed)
        self._changed = asyncio.Event()
        self._reframe = True  # policies or namespaces are others than the members know
        self._recount = True  # addresses are
        self._addresses: dict[str, str] = {}
        #: in a cluster of IPv6 alone those of IPv4 say which pods there are, and nothing else
        self._members = {family: Members(Frame(family), {}) for family in dict.fromkeys((FOUR, *plan.families))}
        #: by node and family: which network namespace, and what is in it
        self._loaded: dict[tuple[int, str], tuple[int, Table]] = {}
        self._refusals: dict[int, Refusals[str, Chain]] = {}  #: of each node, by chain
        self._guarding = True  # as long as the kernel has rules for bridges

        self._policies.on_change(self._policy_changed)
        self._spaces.on_change(self._space_changed)
        self._pods.on_change(self._pod_changed)
        self._nodes.on_change(self._node_changed)

    @property
    def table(self) -> str:
        """The name of the table in every node."""
        return f"{self._plan.bridge}-policy"

    async def run(self) -> None:
        if shutil.which("nft") is None:
            log.warning("nft is not installed: network policies are not enforced")
            return
        for informer in (self._policies, self._spaces, self._pods, self._nodes):
            await informer.wait_synced()
        with self._ledgers:
            while True:
                self._changed.clear()
                await self.load()
                try:
                    async with asyncio.timeout(AGAIN):
                        await self._changed.wait()
                except TimeoutError:  # nodes may have come, and rules may have gone
                    await asyncio.to_thread(self._forget_flushed)

    def _policy_changed(self, old: NetworkPolicy | None, new: NetworkPolicy | None) -> None:
        if old is None or new is None or old.spec != new.spec:
            self._reframe = True
            self._changed.set()

    def _space_changed(self, old: Namespace | None, new: Namespace | None) -> None:
        if old is None or new is None or old.metadata.labels != new.metadata.labels:
            self._reframe = True
            self._changed.set()

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        if pod is not None and self._used and self._take(pod, gone=new is None):
            self._changed.set()

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if old is None or new is None:
            self._ledger_changed()  # there is another ledger to follow

    def _ledger_changed(self) -> None:
        self._recount = True
        self._changed.set()

    # ------------------------------------------------------------------- loading

    async def load(self) -> None:
        """Bring every node that differs up to date."""
        places = await asyncio.to_thread(self._places)
        for key in [key for key in self._loaded if key[0] not in places]:
            del self._loaded[key]
            self._refusals.pop(key[0], None)
        first = self._plan.families[0].nft
        if self._recount or any((number, first) not in self._loaded for number in places):
            self._recount = False
            self._count(await self._ledgers.read(places))
        if self._reframe:
            self._reframe = False
            self._begin()
        gate = asyncio.Semaphore(TOGETHER)

        async def one(number: int, identity: int) -> None:
            async with gate:
                await self._load_node(number, identity)

        async with asyncio.TaskGroup() as tasks:
            for number, identity in places.items():
                tasks.create_task(one(number, identity))

    def _places(self) -> dict[int, int]:
        """Which nodes have a network namespace, and which one that is."""
        found: dict[int, int] = {}
        for number in podnetwork.node_numbers(self._plan):
            try:
                found[number] = namespace.path(self._plan.node(number).namespace).stat().st_ino
            except FileNotFoundError:
                continue  # it went meanwhile
        return found

    def _count(self, addresses: Mapping[str, str]) -> None:
        """Take the addresses of the ledgers; who has another than before is looked at."""
        if addresses != self._addresses:
            before, self._addresses = self._addresses, dict(addresses)
            changed = {uid for uid, _ in before.items() ^ self._addresses.items()}
            if self._used:
                self._take_all(pod for pod in self._pods.cache.list() if pod.metadata.uid in changed)

    def _begin(self) -> None:
        """Begin with the sets anew: other policies, or namespaces with other labels."""
        spaces = {each.metadata.name: each.metadata.labels for each in self._spaces.cache.list()}
        for family in self._members:
            alias = self._alias if family.has(self._alias.address) else None
            self._members[family] = Members(frame(self._policies.cache.list(), alias, family), spaces)
            for address in filter(family.has, self._plan.dns_addresses):
                dns = Facts("kube-system", DNS_LABELS, address, EVERYWHERE, DNS_PORTS)
                self._members[family].put("dns", dns)
        if self._used:
            self._take_all(self._pods.cache.list())

    def _take_all(self, pods: Iterable[Pod]) -> None:
        for pod in pods:
            self._take(pod)

    def _take(self, pod: Pod, *, gone: bool = False) -> bool:
        """Take a pod into the sets as it is now; whether that changes any."""
        told = next((each.ip for each in pod.status.podIPs if FOUR.has(each.ip)), pod.status.podIP)
        address = self._addresses.get(pod.metadata.uid, told)
        known = None if gone else facts(pod, address, self._plan)
        key = f"{pod.metadata.namespace}/{pod.metadata.name}"
        changes = [
            members.put(key, in_family(known, family, self._plan) if known is not None else None)
            for family, members in self._members.items()
        ]
        return any(changes)

    @property
    def _used(self) -> bool:
        """Whether there is any policy."""
        return self._members[FOUR].used

    def _forget_flushed(self) -> None:
        """Load anew what somebody has flushed. Blocking."""
        for key, (_, table) in [*self._loaded.items()]:
            hooked = [(table.name, name, FAMILIES[table.family]) for name, chain in table.chains.items() if chain.hook]
            try:
                if has_rules(hooked, self._plan.node(key[0]).namespace):
                    continue
            except OSError:
                pass  # the node is going, or comes anew
            self._loaded.pop(key, None)

    async def _load_node(self, number: int, identity: int) -> None:
        """Load what differs of a node's tables; the last is a further lock, without which the others still hold."""
        node = self._plan.node(number)
        for family in self._plan.families:
            pods = node.pods6 if family is SIX else node.pods
            await self._load_table(number, identity, self._members[family].table(self.table, number, pods))
        guard = self._members[FOUR].guard(self.table, number, self._members.get(SIX))
        if self._guarding and not await self._load_table(number, identity, guard):
            self._guarding = False
            log.warning("this kernel has no rules for bridges: pods may send under one another's addresses")

    async def _load_table(self, number: int, identity: int, wanted: Table) -> bool:
        """Load the difference; everything when it is not known what is there, or the difference is refused."""
        key, place = (number, wanted.family), self._plan.node(number).namespace
        refusals = self._refusals.setdefault(number, Refusals())
        wanted = emptied(wanted, {name for name in suspects(wanted) if refusals.holds(name, wanted.chains[name])})
        known, loaded = self._loaded.pop(key, (0, None))
        text = difference(loaded, wanted) if known == identity and loaded is not None else None
        done = text == "" or (text is not None and await apply(text, place)) or await apply(whole(wanted), place)
        if not done and suspects(wanted):
            wanted = await without_refused(place, wanted, refusals)
            done = await apply(whole(wanted), place)
        if done:
            self._loaded[key] = identity, wanted
        return done


async def without_refused(place: str, wanted: Table, refusals: Refusals[str, Chain]) -> Table:
    """The table in which policies allow nothing whose rules nft refuses: their pods stay isolated."""
    names = suspects(wanted)

    async def accepts(kept: Sequence[str]) -> str:
        return await load(whole(emptied(wanted, names - set(kept))), place, check=True)

    if await accepts(()):
        return wanted  # no policy is to blame
    _, refused = await fitting(sorted(names), accepts)
    for name, why in refused.items():
        log.warning("the network policy of chain %s allows nothing on %s, nft refuses it: %s", name, place, why)
        refusals.note(name, wanted.chains[name], why)
    return emptied(wanted, set(refused))
