"""`knarr controllers`: all controllers as a process of their own, against any Kubernetes API server."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import uvloop

from knarr.app.config import ConfigError
from knarr.client import kubeconfig
from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.controllers import roster
from knarr.loop.election import Election
from knarr.loop.events import Recorder
from knarr.loop.runner import Context, Controller, run_all
from knarr.meta import clock

LOG_FORMAT = "%(asctime)s %(levelname).1s %(name)s %(message)s"
EVERY = "*"
log = logging.getLogger("knarr.app")


@click.command("controllers")
@click.option("--kubeconfig", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Whose API.")
@click.option("--context", default="", help="The kubeconfig's context. Default: its current one.")
@click.option("--controllers", "wanted", default=EVERY, show_default=True, help="By commas: *, NAME or -NAME.")
@click.option("--leader-elect/--no-leader-elect", default=True, show_default=True, help="Work only as the one leader.")
@click.option("--lease-name", default="kube-controller-manager", show_default=True, help="The leader's Lease.")
@click.option("--lease-namespace", default="kube-system", show_default=True, help="Where the Lease is.")
@click.option("--workers", type=click.IntRange(1), default=5, show_default=True, help="Of each controller.")
def command(
    file: Path | None,
    context: str,
    wanted: str,
    leader_elect: bool,
    lease_name: str,
    lease_namespace: str,
    workers: int,
) -> None:
    """Run the controllers against the API server of a kubeconfig, until TERM or INT.

    Of several such processes one works: the holder of a Lease, by default the one that kube-controller-manager takes,
    so that both never work on one cluster. Start knarr's own cluster with --no-controllers for it.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=LOG_FORMAT)
    try:
        entry = kubeconfig.load(file, context)
    except kubeconfig.KubeconfigError as error:
        raise ConfigError(str(error)) from error
    chosen(wanted, roster.controllers(""))  # a wrong name ends it before anything is asked
    lease = (lease_name, lease_namespace) if leader_elect else None
    uvloop.run(until_told(entry, wanted, lease, workers))


def chosen(wanted: str, controllers: Sequence[Controller]) -> list[Controller]:
    """The controllers that a list such as "*,-job" or "deployment,replicaset" names; ConfigError for an unknown one.

    As kube-controller-manager reads it: what is said first of a controller counts, and of those that nothing is said
    of, `*` means all and its absence none. A list that leaves none is an error: a process without work is a mistake.
    """
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    names = {controller.name for controller in controllers}
    unknown = [word for word in words if word != EVERY and word.removeprefix("-") not in names]
    if unknown or not words:
        raise ConfigError(
            f"--controllers {wanted!r}: no controller {', '.join(unknown)}; there are {', '.join(sorted(names))}"
        )
    found = [controller for controller in controllers if enabled(controller.name, words)]
    if not found:
        raise ConfigError(
            f"--controllers {wanted!r} leaves no controller: without {EVERY!r} only those run that are named; "
            f"{','.join([EVERY, *(word for word in words if word.startswith('-'))])!r} runs all others"
        )
    return found


def enabled(name: str, words: Sequence[str]) -> bool:
    said = next((word for word in words if word in (name, f"-{name}")), EVERY if EVERY in words else "")
    return said in (name, EVERY)


async def until_told(entry: kubeconfig.Entry, wanted: str, lease: tuple[str, str] | None, workers: int) -> None:
    """Work, as the leader of the lease if one is given, until TERM or INT; then give the lease back."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    api = Api(entry.transport(), user_agent="knarr/controllers")
    try:
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(lead(api, entry, wanted, lease, workers), name="controllers")
            await stopping.wait()
            working.cancel()
    finally:
        await api.close()


async def lead(api: Api, entry: kubeconfig.Entry, wanted: str, lease: tuple[str, str] | None, workers: int) -> None:
    """Work whenever this process is the leader; until cancelled."""

    async def work() -> None:
        async with Informers(api) as informers:
            context = Context(api, informers, Recorder(api, "knarr"))
            await run_all(chosen(wanted, roster.controllers(entry.ca.decode())), context, workers)

    if lease is None:
        await work()
        return
    identity = f"{socket.gethostname()}_{clock.uid()}"
    while True:  # one that lost the lease is a candidate again
        await Election(api, lease[0], identity, lease[1]).lead(work)
