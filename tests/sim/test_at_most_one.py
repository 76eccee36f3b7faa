"""At most one: whatever fails, no two machines run pods of one name, unless a user took one of them for dead.

A few dozen lives here; `knarr sim --workloads statefulset --seeds 5000` lives through as many as one likes.
"""

import pytest

from knarr.node import execution, status
from knarr.node.worker import Worker
from knarr.testing.sim.life import live
from knarr.testing.workloads.draw import draw

SEEDS = range(5000, 5024)
OUTAGES = ("partition", "kill", "crash")


@pytest.mark.parametrize("seed", SEEDS)
def test_no_name_runs_twice(seed):
    assert live(seed, draw(seed, ["statefulset"], OUTAGES)).breach is None


def first_breach(seeds):
    lives = (live(seed, draw(seed, ["statefulset"], OUTAGES)) for seed in seeds)
    return next(life.breach for life in lives if life.breach is not None)


def test_a_status_that_says_too_early_that_a_pod_ended_is_found(monkeypatch):
    monkeypatch.setattr(status, "could_run", lambda sandbox, memory: False)
    monkeypatch.setattr(status, "phase", lambda pod, containers, initial, terminal: "Failed" if terminal else "Running")
    assert first_breach(range(20)).rule == "a pod has ended when its node says so"


def test_an_agent_that_lets_go_of_a_pod_before_it_ended_is_found(monkeypatch):
    original = Worker.turn

    async def hasty(self):
        if self.pod.metadata.deletionTimestamp and not self.memory.deleted and not self.memory.removed:
            await execution.delete_object(self)
        return await original(self)

    monkeypatch.setattr(Worker, "turn", hasty)
    assert first_breach(range(20)).rule in ("at most one", "a pod has ended when its node says so")
