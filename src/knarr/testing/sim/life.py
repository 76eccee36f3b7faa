"""One life: a cluster, a schedule, and what became of it. The same seed and schedule give the same life."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from knarr.kinds.types.core_v1 import Pod, ResourceQuota
from knarr.testing import virtual_time
from knarr.testing.invariants.final import unsettled
from knarr.testing.invariants.table import RULES
from knarr.testing.invariants.world import Rule, controller_uid
from knarr.testing.sim.arena import Arena, Breach
from knarr.testing.sim.component import PARTS
from knarr.testing.sim.schedule import FAULTS, Act
from knarr.testing.workloads.draw import ALWAYS, NODES, PARTS_OF, asked
from knarr.testing.workloads.objects import TYPES

QUIET = 600.0  #: seconds without a write after which the cluster has settled
LONGEST_BACKOFF = 1100.0  #: seconds, and some more, that a controller's queue holds a key back
RARELY = 40.0  #: seconds between heartbeats that nobody hinders: before a node counts as silent
PATIENCE = 4 * 3600.0  #: seconds within which it must


@dataclass(frozen=True)
class Life:
    """What a life came to; `breach` None is well."""

    seed: int
    acts: Sequence[Act]
    breach: Breach | None
    revisions: int
    virtual: float  #: seconds
    writes: Sequence[str] = field(default=())  #: the last ones before the breach


def live(seed: int, acts: Sequence[Act], rules: Mapping[str, Rule] = RULES, nodes: int = NODES) -> Life:
    """Live through a schedule, on virtual time."""
    return virtual_time.run(_live(seed, acts, rules, nodes), seed=seed)


async def _live(seed: int, acts: Sequence[Act], rules: Mapping[str, Rule], nodes: int) -> Life:
    loop = asyncio.get_running_loop()
    async with Arena(seed, nodes, parts_for(acts), rules) as arena:
        for act in acts:
            await _until(arena, act.when)
            if arena.failed.is_set():
                break
            await arena.do(act)
        else:
            await _until(arena, max((ends(act) for act in acts), default=0.0))
            await _finish(arena)
        return Life(seed, acts, arena.breach, arena.world.revision, loop.time(), tuple(arena.writes))


async def _until(arena: Arena, when: float) -> None:
    """Wait until a moment, or until something is broken."""
    left = when - asyncio.get_running_loop().time()
    if left > 0 and not arena.failed.is_set():
        try:
            async with asyncio.timeout(left):
                await arena.failed.wait()
        except TimeoutError:
            return


async def _finish(arena: Arena) -> None:
    """Let all faults end: then everything must come to rest as it is wanted, and stay there."""
    await arena.heal()
    arena.beat_every(RARELY)
    for name in sorted(arena.machines):
        await arena.do(Act(0, "uncordon", name))
    for key in sorted(arena.world.objects):
        if key.startswith("/registry/batch/cronjobs/"):
            await arena.do(Act(0, "pause", "cronjob/" + key.rpartition("/")[2]))
    for limit in arena.world.all(ResourceQuota):
        await arena.do(Act(0, "lift", "quota/" + limit.metadata.name))
    for pod in [pod for pod in arena.world.all(Pod) if not controller_uid(pod)]:
        await arena.do(Act(0, "remove-pod", pod.metadata.name))
    if not await arena.quiet(QUIET, PATIENCE):
        arena.fail("the cluster comes to rest", f"it still writes after {PATIENCE:.0f} s without faults")
    if any(unsettled(arena.world, arena.machines_run())):
        await arena.quiet(LONGEST_BACKOFF, PATIENCE)  # what failed often is tried again that late
    for said in unsettled(arena.world, arena.machines_run()):
        arena.fail("the cluster ends as it is wanted", said)


def ends(act: Act) -> float:
    """When what an act does is over by itself."""
    return act.when + (act.number("for") + act.number("down") if act.verb in FAULTS else 0.0)


def parts_for(acts: Sequence[Act]) -> list[str]:
    """The components that a schedule needs, in their order."""
    kinds = {act.subject.partition("/")[0] for act in acts} & TYPES.keys()
    needed = {part for kind in kinds for part in PARTS_OF[kind]} | asked(acts) | set(ALWAYS)
    return [part for part in PARTS if part in needed]
