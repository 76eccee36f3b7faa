"""The server process: `python -m knarr.app.server --data-dir DIR --ready-fd N`.

It wires store, registry, handler, controllers, scheduler and DNS together, says `ready` on the pipe that `knarr up`
reads, and runs until TERM. Everything it starts is owned by one task group and ended in reverse order.
"""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from knarr.app import bootstrap, certificates, config, parts
from knarr.app.config import Cluster, ConfigError
from knarr.meta.errors import ApiError
from knarr.store.store import StoreError

LOG_FORMAT = "%(asctime)s %(levelname).1s %(name)s %(message)s"
log = logging.getLogger("knarr.app")


async def serve(cluster: Cluster, ready_fd: int) -> None:
    """Run the cluster's server until TERM or INT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        pki = certificates.ensure(cluster.pki, hosts=server_names(cluster), nodes=node_addresses(cluster))
        registry = await parts.open_registry(cluster, stack)
        handler = parts.open_handler(cluster, pki, registry)
        api = parts.local_api(handler)
        await bootstrap.ensure(api, cluster)
        await parts.listen(cluster, pki, handler, stack)
        say(ready_fd, "ready")
        gc.freeze()  # what is loaded now stays: the collector need not look at it again
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(parts.run(cluster, pki, api, handler))
            await stopping.wait()
            running.cancel()


def server_names(cluster: Cluster) -> list[str]:
    """Under which names and addresses clients may reach the API server."""
    service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    return ["localhost", "127.0.0.1", *service, cluster.network.api, cluster.network.host]


def node_addresses(cluster: Cluster) -> list[tuple[str, str]]:
    real = cluster.runtime != "simulated"
    return [(name, cluster.network.node(n).address if real else "") for n, name in enumerate(cluster.node_names)]


def say(descriptor: int, word: str) -> None:
    """Tell `knarr up`; it may be gone already."""
    try:
        os.write(descriptor, f"{word}\n".encode())
        os.close(descriptor)
    except BrokenPipeError:
        log.info("nobody waits for this start any more")


def main() -> None:
    parser = argparse.ArgumentParser(description="The server process of a cluster; knarr up starts it.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    given = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname).1s %(name)s %(message)s"
    )
    try:
        cluster = config.load(given.data_dir)
        if cluster is None:
            raise ConfigError(f"{given.data_dir} holds no cluster")
        uvloop.run(serve(cluster, given.ready_fd))
    except (ConfigError, OSError, ApiError, StoreError) as error:
        log.exception("cannot start")
        say(given.ready_fd, f"error: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
