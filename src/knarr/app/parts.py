"""The parts of the server process, opened in turn and ended in reverse: store, registry, handler, sockets, workers.

What this module imports is what the first answer takes; the workers are loaded once the API is there.
"""

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack

from knarr.app import bootstrap
from knarr.app.config import Cluster
from knarr.client.api import Api
from knarr.client.transport import InProcess, User
from knarr.kinds.table import BUILTIN
from knarr.registry.registry import Registry
from knarr.server import http, server
from knarr.server.handler import Handler
from knarr.server.pki import Pki
from knarr.store.memory import open_memory
from knarr.store.sqlite import open_sqlite
from knarr.store.store import Store

SERVICE_PORT = 443
#: new objects after which the collector looks at the young, the middle-aged, all: what a server holds are the cluster's
#: objects, so to look at all of them finds next to nothing, and nobody is answered meanwhile
PATIENT = (50_000, 5, 20)

Work = Callable[[Cluster, Pki, Api, Handler, Store], Coroutine[None, None, None]]


async def serve(cluster: Cluster, ready: Callable[[], None]) -> None:
    """Run the cluster's server until TERM or INT; call `ready` when its API answers."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        pki = Pki(cluster.pki)
        registry = await open_registry(cluster, stack)
        handler = open_handler(cluster, pki, registry)
        api = local_api(handler)
        await bootstrap.ensure(api, cluster)
        await listen(cluster, pki, handler, stack)
        ready()
        work = await asyncio.to_thread(load_workers)  # the loop answers meanwhile
        gc.freeze()  # what is loaded now stays: the collector need not look at it again
        gc.set_threshold(*PATIENT)
        gc.enable()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(work(cluster, pki, api, handler, registry.store))
            await stopping.wait()
            running.cancel()


def load_workers() -> Work:
    from knarr.app import workers

    return workers.run


async def open_registry(cluster: Cluster, stack: AsyncExitStack) -> Registry:
    """The store of the cluster, and the registry over it with its cache filled."""
    store: Store = await (open_memory() if cluster.store == "memory" else open_sqlite(cluster.data_dir / "store.db"))
    stack.push_async_callback(store.close)
    registry = Registry(store, BUILTIN, service_ranges=cluster.network.service_ranges)
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
        front_proxy=pki.front_proxy,
    )
    return server.build(registry, settings)


def local_api(handler: Handler) -> Api:
    """A client of this very server, without the socket."""
    return Api(InProcess(handler.handle, User(name="system:apiserver")), user_agent="knarr/apiserver")


async def listen(cluster: Cluster, pki: Pki, handler: Handler, stack: AsyncExitStack) -> None:
    """Serve on loopback; with real nodes also on the bridge and on the `kubernetes` service's own address."""
    context = http.tls(pki.server.certificate, pki.server.key, pki.ca)
    places = [("127.0.0.1", cluster.port)]
    if cluster.runtime != "simulated":
        places += [*((host, cluster.port) for host in cluster.network.hosts), (cluster.network.api, SERVICE_PORT)]
    for host, port in places:
        listening = await http.serve(handler.handle, hosts=[host], port=port, context=context)
        stack.push_async_callback(listening.close)
