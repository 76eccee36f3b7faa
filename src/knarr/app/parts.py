"""The parts of the server process, each opened in turn; `server.py` puts them together and ends them in reverse."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from knarr.app import agents, bootstrap_roles, control, roster
from knarr.app.config import Cluster
from knarr.app.pki import Pki
from knarr.app.simulation import SimulatedNodes
from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.client.transport import InProcess, User
from knarr.kinds.table import BUILTIN
from knarr.loop.events import Recorder
from knarr.loop.runner import Context, run_all
from knarr.registry.registry import Registry
from knarr.scheduler import scheduler
from knarr.server import http, server
from knarr.server.handler import Handler
from knarr.store.memory import open_memory
from knarr.store.sqlite import open_sqlite
from knarr.store.store import Store

SERVICE_PORT, DNS_PORT = 443, 53


async def open_registry(cluster: Cluster, stack: AsyncExitStack) -> Registry:
    """The store of the cluster, and the registry over it with its cache filled."""
    store: Store = await (open_memory() if cluster.store == "memory" else open_sqlite(cluster.data_dir / "store.db"))
    stack.push_async_callback(store.close)
    registry = Registry(store, BUILTIN, service_range=cluster.network.services)
    await registry.start()
    stack.push_async_callback(registry.stop)
    return registry


def open_handler(cluster: Cluster, pki: Pki, registry: Registry) -> Handler:
    """What answers requests, from a socket or from this process."""
    client = pki.kubelet_client
    settings = server.Settings(
        address=f"127.0.0.1:{cluster.port}",
        token_file=cluster.token_auth_file,
        signing_key=pki.service_accounts.key,
        verifying_key=pki.service_accounts.certificate,
        agents=server.agents_context(pki.ca, client.certificate, client.key),
    )
    return server.build(registry, settings)


def local_api(handler: Handler, user: str = "system:apiserver") -> Api:
    """A client of this very server, without the socket."""
    return Api(InProcess(handler.handle, User(name=user)), user_agent=f"knarr/{user.removeprefix('system:')}")


async def listen(cluster: Cluster, pki: Pki, handler: Handler, stack: AsyncExitStack) -> None:
    """Serve on loopback; with real nodes also on the bridge and on the `kubernetes` service's own address."""
    context = http.tls(pki.server.certificate, pki.server.key, pki.ca)
    places = [("127.0.0.1", cluster.port)]
    if cluster.runtime != "simulated":
        places += [(cluster.network.host, cluster.port), (cluster.network.api, SERVICE_PORT)]
    for host, port in places:
        listening = await http.serve(handler.handle, hosts=[host], port=port, context=context)
        stack.push_async_callback(listening.close)


async def run(cluster: Cluster, pki: Pki, api: Api, handler: Handler) -> None:
    """Run what works on the cluster's state, until cancelled: controllers, scheduler, DNS, simulated nodes."""
    async with Informers(api) as informers, asyncio.TaskGroup() as tasks:
        context = Context(api, informers, Recorder(api, "knarr"))
        tasks.create_task(run_all(roster.controllers(pki), context), name="controllers")
        tasks.create_task(scheduler.run(context), name="scheduler")
        if cluster.runtime == "simulated":
            nodes = SimulatedNodes(cluster, pki, {name: node_api(handler, name) for name in cluster.node_names})
            tasks.create_task(nodes.run(), name="nodes")
            actions = {"start": nodes.start, "stop": nodes.stop}
            server_ = await control.listen(Path(agents.control_socket(cluster)), actions)
            tasks.create_task(server_.serve_forever(), name="control")
        else:
            from knarr.net.proxy import ServiceProxy

            tasks.create_task(answer_names(cluster, informers), name="dns")
            tasks.create_task(ServiceProxy(informers, cluster.network).run(), name="proxy")
        tasks.create_task(bootstrap_roles.ensure(api), name="roles")


async def answer_names(cluster: Cluster, informers: Informers) -> None:
    """Be the cluster's DNS until cancelled."""
    from knarr.net.dns import ClusterDns

    upstream = cluster.upstream_dns or await asyncio.to_thread(host_resolvers)
    dns = ClusterDns(informers, upstream=upstream)
    await dns.start([(cluster.network.dns, DNS_PORT)])
    try:
        await asyncio.Event().wait()
    finally:
        await dns.stop()


def host_resolvers(file: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """The name servers of the host."""
    lines = file.read_text().splitlines() if file.is_file() else []
    words = [line.split() for line in lines]
    return tuple(word[1] for word in words if len(word) > 1 and word[0] == "nameserver")


def node_api(handler: Handler, name: str) -> Api:
    """A client with no more rights than a node's agent has."""
    user = User(name=f"system:node:{name}", groups=("system:nodes", "system:authenticated"))
    return Api(InProcess(handler.handle, user), user_agent="kubelet")
