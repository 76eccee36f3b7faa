"""One node's agent as a process: `knarr.app.agent` calls `main` with the runtimes it knows.

SIGTERM and SIGINT end the agent and leave its pods running: the next agent finds them again.
"""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from knarr.node import config
from knarr.node.agent import Agent
from knarr.node.config import NodeConfig
from knarr.node.runtimes.runtime import Runtime

MakeRuntime = Callable[[NodeConfig], Runtime]


def main(arguments: list[str] | None = None, make_runtime: MakeRuntime | None = None) -> int:
    """Run until told to stop; the exit code."""
    parser = argparse.ArgumentParser(prog="knarr.app.agent", description="The agent of one knarr node.")
    parser.add_argument("--config", type=Path, required=True, help="JSON file that describes the node")
    settings = config.read(parser.parse_args(arguments).config)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # the standard event loop: uvloop never wakes for a runtime's socket whose number a child's pipe had before
    asyncio.run(serve(settings, (make_runtime or simulated)(settings)))
    return 0


async def serve(settings: NodeConfig, runtime: Runtime) -> None:
    """Run the agent until a signal comes."""
    from knarr.client.api import Api
    from knarr.client.http import Http
    from knarr.client.informer import Informers

    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    assert settings.ca and settings.cert and settings.key, "the configuration names no certificates"
    api = Api(Http(settings.api_url, ca=settings.ca, cert=settings.cert, key=settings.key), user_agent="kubelet")
    try:
        async with Informers(api) as informers:
            agent = Agent(settings, api, informers, runtime)
            await until(stopped, agent)
    finally:
        await api.close()


async def until(stopped: asyncio.Event, agent: Agent) -> None:
    """Run the agent; end it when `stopped` is set, or with what ended it."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(agent.run(), name="agent")
        await stopped.wait()
        working.cancel()


def simulated(settings: NodeConfig) -> Runtime:
    """The runtime the configuration names, as far as this room knows them: the others come from `knarr.app.agent`."""
    if settings.runtime == "simulated":
        from knarr.node.runtimes.simulated import SimulatedRuntime

        return SimulatedRuntime(*settings.pod_cidrs)
    raise ValueError(f"runtime {settings.runtime!r} is not known here")


if __name__ == "__main__":
    sys.exit(main())
