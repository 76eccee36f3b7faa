"""The heartbeat of many nodes: one wheel of slots that turns once a lease's renewal period.

Every node has a slot, so that renewals spread over the period; those of a slot go out together and share a commit.
Each pass also looks whether a node's status has to be reported: it was changed by somebody else, or it is time.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator

from knarr.client.transport import TransportError
from knarr.meta import clock
from knarr.meta.errors import ApiError
from knarr.node.simulation.machine import Machine, SimulatedNode

SLOTS = 20

log = logging.getLogger(__name__)


def slots(machines: Iterable[Machine]) -> list[list[Machine]]:
    """The machines, dealt out: the sizes of two slots differ by one at most."""
    wheel: list[list[Machine]] = [[] for _ in range(SLOTS)]
    for number, machine in enumerate(machines):
        wheel[number % SLOTS].append(machine)
    return wheel


class Heartbeat:
    """Keeps leases and statuses fresh, of whatever machines there are at each turn, which lasts `period` seconds.

    Until all have `begun`, a lease is renewed when half of it is over: those that are there let the others in.
    """

    def __init__(self, machines: Callable[[], Iterable[Machine]], begun: asyncio.Event, period: float) -> None:
        self._machines, self._begun = machines, begun
        self.period = period
        self._beating: set[SimulatedNode] = set()  # whose beat has not ended: no other begins, and none waits for it

    async def run(self) -> None:
        """Beat until cancelled."""
        loop = asyncio.get_running_loop()
        turn = loop.time()
        async with asyncio.TaskGroup() as group:
            while True:
                period = self.period
                for number, slot in enumerate(slots(self._machines())):
                    if not slot:  # nobody has to wake for it
                        break
                    await asyncio.sleep(max(0.0, turn + number * period / SLOTS - loop.time()))
                    for agent in alive(slot):
                        if agent not in self._beating:
                            self._beating.add(agent)
                            group.create_task(self._beat(agent), name="heartbeat")
                turn = max(turn + period, loop.time())
                await asyncio.sleep(turn - loop.time())

    async def _beat(self, agent: SimulatedNode) -> None:
        try:
            await self._refresh(agent)
        finally:
            self._beating.discard(agent)

    async def _refresh(self, agent: SimulatedNode) -> None:
        try:
            fresh = (agent.config.heartbeat if self._begun.is_set() else agent.config.lease_seconds) / 2
            if clock.unix() - agent.registration.renewed >= fresh:
                await agent.registration.renew()
            if agent.stale or agent.registration.due:
                agent.stale = False
                await agent.registration.check()
        except (ApiError, TransportError) as error:
            agent.stale = True
            log.debug("node %s not refreshed: %s", agent.config.name, error)


def alive(machines: Iterable[Machine]) -> Iterator[SimulatedNode]:
    """The agents that run and are registered."""
    for machine in machines:
        if machine.agent is not None and machine.agent.caught_up.is_set():
            yield machine.agent


def scatter(agent: SimulatedNode) -> None:
    """Have a node that registers along with many others report its status at a moment of its own."""
    agent.registration.postpone(agent.config.report * clock.rng().random())
