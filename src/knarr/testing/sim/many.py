"""Many lives in worker processes: which seeds broke something, as they end."""

import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass

from knarr.testing.sim.life import Life, live
from knarr.testing.sim.schedule import FAULTS, Act
from knarr.testing.sim.shrink import shrunk
from knarr.testing.workloads.draw import draw


@dataclass(frozen=True)
class Choice:
    """What lives are made of."""

    workloads: tuple[str, ...] = ()
    faults: tuple[str, ...] = tuple(FAULTS)


def one(seed: int, choice: Choice) -> Life:
    """Draw and live one seed."""
    logging.getLogger("knarr").propagate = False  # what fails is the point, and what must not is a breach
    return live(seed, draw(seed, choice.workloads, choice.faults))


def many(seeds: Sequence[int], choice: Choice, jobs: int) -> Iterator[Life]:
    """The lives of seeds, as they end; a few ahead are begun."""
    if jobs <= 1:
        yield from (one(seed, choice) for seed in seeds)
        return
    left = iter(seeds)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running: set[Future[Life]] = set()
        try:
            for seed in left:
                running.add(pool.submit(one, seed, choice))
                if len(running) >= 2 * jobs:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in running:
                future.cancel()


def shortest(life: Life) -> Life:
    """The life of the shortest history that was found to break the same rule."""
    if life.breach is None:
        return life
    rule = life.breach.rule

    def breaks(acts: Sequence[Act]) -> bool:
        breach = live(life.seed, acts).breach
        return breach is not None and breach.rule == rule

    return live(life.seed, shrunk(life.acts, breaks))
