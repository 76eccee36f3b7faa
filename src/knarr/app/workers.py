"""What works on the cluster inside the server process: controllers, scheduler, DNS and proxy or simulated nodes.

`parts.py` runs it as soon as the API answers.
"""

import asyncio
from pathlib import Path

from knarr.app import agents, bootstrap_kept, bootstrap_later, bootstrap_roles, control, keys, snapshots
from knarr.app.config import Cluster
from knarr.app.simulation import Simulation
from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.controllers import roster, service_load_balancer
from knarr.loop.again import again_when_failed
from knarr.loop.events import AT_ONCE, Recorder
from knarr.loop.runner import Context, run_all
from knarr.scheduler import scheduler
from knarr.server import aggregation_availability
from knarr.server.handler import Handler
from knarr.server.pki import Pki
from knarr.store.store import Store

DNS_PORT = 53
LEDGER = "addresses.json"


async def run(cluster: Cluster, pki: Pki, api: Api, handler: Handler, store: Store) -> None:
    """Run what works on the cluster's state, until cancelled: controllers, scheduler, DNS, simulated nodes."""
    async with Informers(api) as informers, asyncio.TaskGroup() as tasks:
        context = Context(api, informers, Recorder(api, "knarr", together=AT_ONCE))
        handed_out = await asyncio.to_thread(keys.of, pki)
        controllers = roster.controllers(pki.ca.read_text(), keys=handed_out) if cluster.controllers else ()
        balancer = service_load_balancer.controller(cluster.load_balancer_addresses, cluster.network.balancer_networks)
        availability = aggregation_availability.controllers(handler.aggregation)
        tasks.create_task(
            run_all((*roster.of_server(), balancer, *availability, *controllers), context), name="controllers"
        )
        tasks.create_task(scheduler.run(context), name="scheduler")
        nodes = Simulation(cluster, pki, informers, handler)
        tasks.create_task(nodes.run(), name="simulated nodes")
        actions: dict[str, control.Action] = {
            "start": nodes.start,
            "stop": nodes.stop,
            "partition": nodes.partition,
            "heal": nodes.heal,
            "scale": nodes.scale,
            "nodes": nodes.states,
            "snapshot": lambda name: snapshots.save_running(cluster, store, name),
        }
        listening = await control.listen(Path(agents.control_socket(cluster)), actions)
        tasks.create_task(listening.serve_forever(), name="control")
        if cluster.runtime != "simulated":
            from knarr.net.policy import NetworkPolicies
            from knarr.net.proxy import ServiceProxy

            proxy = ServiceProxy(informers, cluster.network, context.recorder)
            policies = NetworkPolicies(informers, cluster.network, cluster.port, lambda number: ledger(cluster, number))
            tasks.create_task(again_when_failed("network policies", policies.run), name="network policies")
            tasks.create_task(again_when_failed("dns", lambda: answer_names(cluster, informers)), name="dns")
            tasks.create_task(again_when_failed("service proxy", proxy.run), name="proxy")
        tasks.create_task(again_when_failed("roles", lambda: bootstrap_roles.ensure(api)), name="roles")
        tasks.create_task(again_when_failed("own services", lambda: bootstrap_kept.keep(api, cluster)), name="kept")
        authorities, services = (pki.ca.read_text(), pki.front_proxy_ca.read_text()), cluster.network.service_ranges
        tasks.create_task(
            again_when_failed("first objects", lambda: bootstrap_later.ensure(api, *authorities, services)),
            name="objects",
        )


def ledger(cluster: Cluster, number: int) -> Path:
    """Where a node's agent writes down which pod has which address."""
    return cluster.node_folder(cluster.network.node(number).name) / LEDGER


async def answer_names(cluster: Cluster, informers: Informers) -> None:
    """Be the cluster's DNS until cancelled."""
    from knarr.net.dns import ClusterDns
    from knarr.net.dns_metrics import PORT

    upstream = cluster.upstream_dns or await asyncio.to_thread(host_resolvers)
    dns = ClusterDns(informers, upstream=upstream)
    addresses = cluster.network.dns_addresses
    await dns.start([(each, DNS_PORT) for each in addresses], counts=[(each, PORT) for each in addresses])
    try:
        await asyncio.Event().wait()
    finally:
        await dns.stop()


def host_resolvers(file: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """The name servers of the host."""
    lines = file.read_text().splitlines() if file.is_file() else []
    words = [line.split() for line in lines]
    return tuple(word[1] for word in words if len(word) > 1 and word[0] == "nameserver")
