"""The service proxy: keeps the rules of the host and of every node at what services and endpoints say.

It runs beside the API server, which is on the same machine as all nodes: each network namespace has a table of its own.
A table is loaded whole once; after that only what changed of the services that changed. Where `nft` is missing,
services have no addresses that work, which is said once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from knarr.client.informer import Informers
from knarr.kinds.types.core_v1 import Node, Pod, Service
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.loop.events import Recorder
from knarr.net import host_ports, nft, podnetwork
from knarr.net.families import family_of
from knarr.net.ground import ground
from knarr.net.health import HealthPorts
from knarr.net.place import Place, Wanted
from knarr.net.plan import NetworkPlan
from knarr.net.records import Key, service_of
from knarr.net.ruleset import AGENT_PORT, is_programmed, outer_addresses

CALM = 0.005  #: seconds to wait for further changes of a burst
AGAIN = 5.0  #: seconds until a failed load is tried again, and until new nodes are looked for
SOON = 1.1  #: seconds until chains that were emptied are deleted
BREATH = 50  #: services after which others get a turn
BY_SERVICE = "endpoints of a service"
ZONE = "topology.kubernetes.io/zone"

log = logging.getLogger("knarr.net")


def by_service(each: EndpointSlice) -> Iterable[str]:
    yield "/".join(service_of(each))


class ServiceProxy:
    """`run` until cancelled. The tables have the name of the cluster's bridge."""

    def __init__(self, informers: Informers, plan: NetworkPlan, recorder: Recorder | None = None) -> None:
        self._plan = plan
        self._recorder = recorder.named("kube-proxy") if recorder is not None else None
        self._nodes_ground = {family: ground(plan, host=False, family=family) for family in plan.families}
        self._services, self._slices = informers.of(Service), informers.of(EndpointSlice)
        self._nodes, self._pods = informers.of(Node), informers.of(Pod)
        self._slices.cache.add_index(BY_SERVICE, by_service)
        self._pods.cache.add_index(host_ports.BY_HOST_PORTS, host_ports.by_host_ports)
        self._changed = asyncio.Event()
        self._dirty: dict[Key, None] = {}
        self._outer: dict[Key, list[str]] = {}  #: addresses from outside
        self._checked: dict[Key, int] = {}  #: health check ports
        self._places: dict[tuple[str, str], Place] = {}  #: by network namespace and family
        self._health = HealthPorts()
        self._services.on_change(partial(self._note, lambda service: _key(service)))
        self._slices.on_change(partial(self._note, service_of))
        self._pods.on_change(self._note_pod)
        self._nodes.on_change(self._note_node)

    def _note(self, key: Any, old: Any, new: Any) -> None:
        self._dirty.update(dict.fromkeys(key(each) for each in (old, new) if each is not None))
        self._changed.set()

    def _note_pod(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        if pod is None or not host_ports.changed(old, new, self._plan.families):
            return
        self._dirty[host_ports.key_of(pod)] = None
        self._changed.set()

    def _note_node(self, old: Node | None, new: Node | None) -> None:
        if old is None or new is None or _zone(old) != _zone(new):
            self._changed.set()

    async def run(self) -> None:
        if not nft.is_installed():
            log.warning("nft is not installed: addresses of services do not work, names of pods do")
            return
        for informer in (self._services, self._slices, self._nodes, self._pods):
            await informer.wait_synced()
        try:
            while True:
                self._changed.clear()
                await self.load()
                await self._rest()
        finally:
            await self._health.close()

    async def _rest(self) -> None:
        """Return when something changed, and the burst it came with is over; or when it is time to look again."""
        pending = any(place.table.stale for place in self._places.values())
        try:
            async with asyncio.timeout(SOON if pending else AGAIN):
                await self._changed.wait()
            await asyncio.sleep(CALM)
        except TimeoutError:
            pass  # nodes may have come

    async def load(self) -> None:
        """Bring every place up to date: new ones from nothing, the others with what changed since."""
        if not await asyncio.to_thread(podnetwork.is_created, self._plan):
            return  # no rule before the routes that keep packets here
        await self._find_places()
        if not self._dirty:
            await self._each({place: place.check() for place in self._places.values()})
        self._health.forget(place.namespace for place in self._places.values() if not place.is_loaded)
        dirty, self._dirty = self._dirty, {}
        try:
            await self._bring(dirty)
        except BaseException:
            for place in self._places.values():
                place.is_loaded = False  # what had changed is not known any more: all is worked out anew
            raise
        await self._health.serve(self._health_ports())

    async def _bring(self, dirty: Collection[Key]) -> None:
        """Load the services that changed, and all of them where nothing is loaded yet."""
        fresh = [place.begin() for place in self._places.values() if not place.is_loaded]
        begun = asyncio.gather(*fresh, return_exceptions=True)  # `bring` meets what kept one from it, and tells
        try:
            wanted = await self._wanted(dirty)
        finally:
            await begun
        now = asyncio.get_running_loop().time()
        outer = {ip for found in self._outer.values() for ip in found}
        await self._each({place: place.bring(each, outer, now) for place, each in wanted.items()})
        self._tell_refused()

    async def _wanted(self, dirty: Collection[Key]) -> dict[Place, Wanted]:
        """What each place is to have of the services that changed, and of all of them where nothing is loaded yet."""
        await asyncio.sleep(0)  # those that begin do so now
        for key in dirty:
            self._look(key)
        keys = dict.fromkeys(dirty)
        if not all(place.is_loaded for place in self._places.values()):
            keys |= {_key(service): None for service in self._services.cache.list()}
            opened = self._pods.cache.by_index(host_ports.BY_HOST_PORTS, host_ports.ANY)
            keys |= {host_ports.key_of(pod): None for pod in opened}
        wanted = {place: Wanted() for place in self._places.values()}
        for count, key in enumerate(keys, 1):
            self._want(key, wanted, key in dirty)
            if count % BREATH == 0:
                await asyncio.sleep(0)
        return wanted

    def _look(self, key: Key) -> None:
        """Keep what all places need to know of a service: its addresses from outside and its health check port."""
        if name := host_ports.pod_name(key):
            self._look_at_pod(self._pods.cache.get(name, key[0]))
            return
        service = self._services.cache.get(key[1], key[0])
        before = self._outer.pop(key, None)
        self._checked.pop(key, None)
        if service is None:
            return
        self._outer[key] = [ip for family in self._plan.families for ip in outer_addresses(service, family)]
        if self._outer[key] != before:
            self._warn(service, self._outer[key])
        if service.spec.healthCheckNodePort and is_programmed(service):
            self._checked[key] = service.spec.healthCheckNodePort

    def _look_at_pod(self, pod: Pod | None) -> None:
        if pod is not None and self._recorder is not None and host_ports.kept_from(pod, self._plan.families):
            message = f"host port {AGENT_PORT}/TCP is that of the node's agent and does not lead to this pod"
            self._recorder.note(pod, "Warning", "HostPortNotProgrammed", message)

    async def _each(self, works: Mapping[Place, Awaitable[None]]) -> None:
        """Work on all places at once; one that fails begins anew the next time."""
        for place, result in zip(works, await asyncio.gather(*works.values(), return_exceptions=True), strict=True):
            if isinstance(result, BaseException):
                _say(place, result)

    def _tell_refused(self) -> None:
        """Tell the services and pods whose rules nft has just refused."""
        found = {key: why for place in self._places.values() for key, why in place.refused.items()}
        for (space, name), why in found.items():
            pod = host_ports.pod_name((space, name))
            about = self._pods.cache.get(pod, space) if pod else self._services.cache.get(name, space)
            if self._recorder is not None and about is not None:
                lacks = (
                    "pod are refused, its host ports do not work"
                    if pod
                    else "service are refused, it has no addresses that work"
                )
                self._recorder.note(about, "Warning", "RulesRefused", f"the rules of this {lacks}: {why}")

    def _warn(self, service: Service, outer: Iterable[str]) -> None:
        """Say which of a service's external addresses are something else's, and lead nowhere."""
        for ip in outer:
            leads = all(self._nodes_ground[family_of(ip)].answers(ip, port) for port in service.spec.ports)
            if self._recorder is not None and not leads:
                message = f"external IP {ip} is an address of the cluster itself and does not lead to this service"
                self._recorder.note(service, "Warning", "ExternalIPNotProgrammed", message)

    def _want(self, key: Key, wanted: Mapping[Place, Wanted], changed: bool) -> None:
        """Work out what a service is in the places that need to know; once, where it is the same in all."""
        if name := host_ports.pod_name(key):
            pod = self._pods.cache.get(name, key[0])
            for place, parts in wanted.items():
                if changed or not place.is_loaded:
                    parts.add_pod(key, pod, place)
            return
        service = self._services.cache.get(key[1], key[0])
        slices = self._slices.cache.by_index(BY_SERVICE, "/".join(key))
        shared = {family: Wanted() for family in self._plan.families}
        for place, parts in wanted.items():
            if changed or not place.is_loaded:
                same = shared[place.view.family]
                try:
                    parts.add(key, service, slices, place, same)
                except ValueError as error:  # in a store that was loaded from elsewhere; no other service waits for it
                    log.warning("service %s has no rules: %s", "/".join(key), error)
                    parts.add(key, None, (), place, same)

    def _health_ports(self) -> dict[tuple[str, int], tuple[Key, int]]:
        """For each node and health check port: whose it is, and how many of its endpoints are ready there."""
        found: dict[tuple[str, int], tuple[Key, int]] = {}
        for key, port in self._checked.items():
            slices = self._slices.cache.by_index(BY_SERVICE, "/".join(key))
            for place in self._places.values():
                if place.view.node:  # of two families, what more are ready of: a pod may have both
                    _, count = found.get((place.namespace, port), (key, 0))
                    found[place.namespace, port] = key, max(count, place.ready_here(slices))
        return found

    async def _find_places(self) -> None:
        """The host and the nodes that are there now; one whose zone is another begins anew."""
        numbers = await asyncio.to_thread(podnetwork.node_numbers, self._plan)
        places = [Place.host(self._plan, family) for family in self._plan.families]
        for number in numbers:
            node = self._nodes.cache.get(self._plan.node(number).name)
            places += [Place.node(self._plan, number, _zone(node), family) for family in self._plan.families]
        known = self._places
        self._places = {}
        for place in places:
            before = known.get(place.key)
            self._places[place.key] = before if before is not None and before.view == place.view else place


def _key(service: Service) -> Key:
    return service.metadata.namespace, service.metadata.name


def _zone(node: Node | None) -> str:
    return node.metadata.labels.get(ZONE, "") if node is not None else ""


def _say(place: Place, error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError):
        raise error
    place.is_loaded = False
    where = place.namespace or "the host"
    log.warning("the rules of %s for %s cannot be loaded now: %s", where, place.view.family.name, error)
