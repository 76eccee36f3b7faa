"""Bugs that are planted in the controllers are found: within few seeds, by the rule that they break."""

from dataclasses import replace

import pytest

from knarr.controllers import deployment_plan, statefulset_plan, taint_eviction
from knarr.loop.expectations import Expectations
from knarr.loop.steps import Delete
from knarr.scheduler import scheduler
from knarr.testing.sim.life import live
from knarr.testing.sim.schedule import FAULTS
from knarr.testing.workloads.draw import draw

SEEDS = 200


def creates_too_early(patch):
    """An ordered StatefulSet does not wait for the pod before."""
    patch.setattr(statefulset_plan, "until_disturbed", lambda steps: steps)


def spares_all_old_pods(patch):
    """A rollout takes the old pods away at once."""
    patch.setattr(deployment_plan, "least", lambda deployment: 0)


def forgets_what_it_did(patch):
    """A controller believes its cache whatever it has just done."""
    patch.setattr(Expectations, "satisfied", lambda self, key: True)


def takes_evicted_pods_for_dead(patch):
    """What is evicted from a silent node goes at once, though it may still run there."""
    decide = taint_eviction.plan

    def at_once(*known):
        return [replace(step, grace=0) if isinstance(step, Delete) else step for step in decide(*known)]

    patch.setattr(taint_eviction, "plan", at_once)


def rolls_below_the_partition(patch):
    """An update of a StatefulSet goes down to the first pod."""
    patch.setattr(statefulset_plan, "partition", lambda set_: 0)


def nominates_nobody(patch):
    """The scheduler has pods go without having written for whom."""
    tell = scheduler.report

    async def forgetful(api, recorder, pod, reason, message, nominated):
        return await tell(api, recorder, pod, reason, message)

    patch.setattr(scheduler, "report", forgetful)


PLANTED = {  # the first seed of all that finds it, where the search begins; then what to look among
    "a StatefulSet makes pod n+1 too early": (
        0, creates_too_early, "statefulset", FAULTS, "a StatefulSet keeps its order, bounds and partition",
    ),
    "a Deployment ignores maxUnavailable": (
        0, spares_all_old_pods, "deployment", FAULTS, "a Deployment keeps its bounds",
    ),
    "a StatefulSet rolls below its partition": (
        0, rolls_below_the_partition, "statefulset", (), "a StatefulSet keeps its order, bounds and partition",
    ),
    "pods go for nobody": (
        6, nominates_nobody, "deployment", (), "a pod goes for a more important one",
    ),
    "evicted pods are taken for dead": (
        9, takes_evicted_pods_for_dead, "statefulset", ("partition",), "at most one",
    ),
    "stale caches are believed by a Job": (
        2, forgets_what_it_did, "job", ("stale",), "a Job keeps its parallelism and completions",
    ),
    "stale caches are believed by a DaemonSet": (
        7, forgets_what_it_did, "daemonset", ("stale",), "a DaemonSet has one pod a node",
    ),
    "stale caches are believed by a ReplicaSet": (
        5, forgets_what_it_did, "replicaset", ("stale",), "a ReplicaSet keeps its number",
    ),
}  # fmt: skip


def first_breach(first, kind, faults):
    for seed in range(first, SEEDS):
        if (breach := live(seed, draw(seed, [kind], tuple(faults))).breach) is not None:
            return breach
    return None


@pytest.mark.parametrize("first, plant, kind, faults, rule", PLANTED.values(), ids=PLANTED)
def test_a_planted_bug_is_found(monkeypatch, first, plant, kind, faults, rule):
    plant(monkeypatch)
    breach = first_breach(first, kind, faults)
    assert breach is not None
    assert breach.rule == rule
