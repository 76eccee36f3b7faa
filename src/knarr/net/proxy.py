"""The service proxy: keeps the rules of the host and of every node at what services and endpoints say.

It runs beside the API server, which is on the same machine as all nodes: one table is made, and loaded into each
network namespace. Where `nft` is missing, services have no addresses that work, which is said once.
"""

import asyncio
import logging
import shutil

from knarr.client.informer import Informers
from knarr.kinds.types.core_v1 import Service
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.net import namespace, podnetwork
from knarr.net.plan import NetworkPlan
from knarr.net.ruleset import ruleset

CALM = 0.02  #: seconds to wait for further changes of a burst
AGAIN = 5.0  #: seconds until a failed load is tried again, and until new nodes are looked for

log = logging.getLogger("knarr.net")


class ServiceProxy:
    """`run` until cancelled. The table has the name of the cluster's bridge."""

    def __init__(self, informers: Informers, plan: NetworkPlan) -> None:
        self._plan = plan
        self._services, self._slices = informers.of(Service), informers.of(EndpointSlice)
        self._changed = asyncio.Event()
        self._loaded: dict[str, str] = {}
        self._services.on_change(lambda old, new: self._changed.set())
        self._slices.on_change(lambda old, new: self._changed.set())

    async def run(self) -> None:
        if shutil.which("nft") is None:
            log.warning("nft is not installed: addresses of services do not work, names of pods do")
            return
        await self._services.wait_synced()
        await self._slices.wait_synced()
        while True:
            self._changed.clear()
            await self.load()
            try:
                async with asyncio.timeout(AGAIN):
                    await self._changed.wait()
                await asyncio.sleep(CALM)
            except TimeoutError:
                continue  # nodes may have come

    async def load(self) -> None:
        """Bring every namespace that differs up to date."""
        local = (self._plan.api, self._plan.dns)
        objects = self._services.cache.list(), self._slices.cache.list()
        inner = ruleset(*objects, table=self._plan.bridge, local=local)
        outer = ruleset(*objects, table=self._plan.bridge, local=local, node_ports=False)
        if not await asyncio.to_thread(podnetwork.is_created, self._plan):
            return  # no rule before the routes that keep packets here
        numbers = await asyncio.to_thread(podnetwork.node_numbers, self._plan)
        places = ["", *(self._plan.node(number).namespace for number in numbers)]
        self._loaded = {place: loaded for place, loaded in self._loaded.items() if place in places}
        for place in places:
            text = inner if place else outer
            if self._loaded.get(place) != text and await apply(text, place):
                self._loaded[place] = text


async def apply(text: str, place: str = "") -> bool:
    """Load rules in one transaction, in a named network namespace or here; whether that worked."""
    prefix = ["nsenter", f"--net={namespace.path(place)}"] if place else []
    process = await asyncio.create_subprocess_exec(
        *prefix,
        "nft",
        "-f",
        "-",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate(text.encode())
    if process.returncode:
        log.warning("nft refused the rules of %s: %s", place or "the host", said.decode(errors="replace").strip()[:500])
    return process.returncode == 0
