"""What a StatefulSet may opt in to, seen on simulated nodes, beside what it does without."""

import asyncio
import json

import pytest

from knarr.kinds.statefulset_options import BACK_OFF, DEADLINE, EXPAND, RECOVER
from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import Event, PersistentVolumeClaim, Pod
from knarr.meta.errors import ApiError
from knarr.node.simulation.defaults import UNREADY
from knarr.scheduler import scheduler
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster
from tests.sim.stateful import CLASS, CONTROLLERS, SPACE, manifest

EXPANDABLE = CLASS + "allowVolumeExpansion: true\n"
WAITED = 120.0  #: seconds


def a_set(replicas=3, options=None, **spec):
    tree = json.loads(manifest(replicas, **spec))
    tree["metadata"]["annotations"] = options or {}
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 5}
    tree["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = probe
    return tree


def refused(tree):
    """The set whose pods every node refuses: each fails as soon as it is bound."""
    tree["spec"]["template"]["spec"]["securityContext"] = {"sysctls": [{"name": "kernel.core_pattern", "value": "|x"}]}
    return tree


async def roll(cluster, image, *, broken=False):
    """Give the template another image; a broken one's pods never become ready."""
    template = {"metadata": {"annotations": {UNREADY: "true" if broken else "false"}}}
    template["spec"] = {"containers": [{"name": "c", "image": image}]}
    await cluster.api.patch(StatefulSet, "db", SPACE, {"spec": {"template": template}}, kind="strategic")
    await asyncio.sleep(WAITED)


async def images(cluster):
    return [pod.spec.containers[0].image for pod in (await cluster.api.list(Pod, SPACE)).items]


async def condition(cluster, type_):
    found = (await cluster.api.get(StatefulSet, "db", SPACE)).status.conditions
    return next(((c.status, c.reason) for c in found if c.type == type_), None)


async def told(cluster, reason):
    return [e for e in (await cluster.api.list(Event, SPACE)).items if e.reason == reason]


async def a_broken_rollout_stays_broken_by_default(cluster):
    await cluster.apply(a_set())
    await cluster.settled()
    await roll(cluster, "img:2", broken=True)
    await roll(cluster, "img:3")
    assert await images(cluster) == ["img:1", "img:1", "img:2"]


async def a_broken_rollout_goes_on_once_its_template_is_mended(cluster):
    await cluster.apply(a_set(options={RECOVER: "true"}))
    await cluster.settled()
    await roll(cluster, "img:2", broken=True)
    assert await images(cluster) == ["img:1", "img:1", "img:2"]
    await roll(cluster, "img:3")
    assert await images(cluster) == ["img:3", "img:3", "img:3"]
    assert (await cluster.api.get(StatefulSet, "db", SPACE)).status.readyReplicas == 3


async def a_set_that_never_came_up_recovers_too(cluster):
    tree = a_set(options={RECOVER: "true"})
    tree["spec"]["template"]["metadata"]["annotations"] = {UNREADY: "true"}
    await cluster.apply(tree)
    await asyncio.sleep(WAITED)
    assert await images(cluster) == ["img:1"]
    await roll(cluster, "img:2")
    assert await images(cluster) == ["img:2", "img:2", "img:2"]


async def finished_surplus_pods_do_not_stall_a_set_that_shrinks(cluster):
    await cluster.apply(a_set(4))
    await cluster.settled()
    await cluster.api.patch(StatefulSet, "db", SPACE, {"spec": {"replicas": 1}})
    for name in ("db-2", "db-3", "db-1"):
        await cluster.api.patch(Pod, name, SPACE, {"status": {"phase": "Failed"}}, subresource="status")
    await cluster.settled(quiet=30)
    assert [pod.metadata.name for pod in (await cluster.api.list(Pod, SPACE)).items] == ["db-0"]


def uids_of_pods(cluster, enough=1000):
    """The uids of all pods that come from now on, and an event for when they are enough."""
    uids, many = set(), asyncio.Event()

    def changed(old, new):
        uids.update([new.metadata.uid] if new is not None else [])
        if len(uids) >= enough:
            many.set()

    cluster.context.informers.of(Pod).on_change(changed)
    return uids, many


async def pods_that_fail_at_once_are_made_anew_without_a_pause_by_default(cluster):
    _, many = uids_of_pods(cluster, enough=30)
    began = asyncio.get_running_loop().time()
    await cluster.apply(refused(a_set(1)))
    await many.wait()  # time stands still meanwhile: there is always something to do
    assert asyncio.get_running_loop().time() - began < 1
    await cluster.api.delete(StatefulSet, "db", SPACE)


async def pods_that_fail_at_once_are_made_anew_ever_more_seldom(cluster):
    uids, _ = uids_of_pods(cluster)
    await cluster.apply(refused(a_set(1, {BACK_OFF: "true"})))
    await asyncio.sleep(600)
    assert 10 <= len(uids) <= 12  # at once, after 1, 2, 4 ... 256 s
    events = await told(cluster, "BackOff")
    assert all((e.type, e.involvedObject.kind) == ("Warning", "StatefulSet") for e in events)
    assert "replacing Pod db-0 in StatefulSet db: it ended as Failed" in events[0].message
    assert events[0].message.startswith("Back-off ")


async def a_set_has_no_conditions_by_default(cluster):
    await cluster.apply(a_set(1))
    await cluster.settled()
    assert (await cluster.api.get(StatefulSet, "db", SPACE)).status.conditions == []


async def conditions_tell_how_a_rollout_goes(cluster):
    await cluster.apply(a_set(2, {DEADLINE: "120", RECOVER: "true"}))
    await asyncio.sleep(0)
    await cluster.settled()
    assert await condition(cluster, "Available") == ("True", "MinimumReplicasAvailable")
    assert await condition(cluster, "Progressing") == ("True", "RolloutComplete")
    template = {"metadata": {"annotations": {UNREADY: "true"}}}
    await cluster.api.patch(StatefulSet, "db", SPACE, {"spec": {"template": template}}, kind="strategic")
    await asyncio.sleep(100)
    assert await condition(cluster, "Progressing") == ("True", "RolloutProgressing")
    await asyncio.sleep(60)
    assert await condition(cluster, "Progressing") == ("False", "ProgressDeadlineExceeded")
    assert await condition(cluster, "Available") == ("True", "MinimumReplicasAvailable")
    await roll(cluster, "img:2")
    assert await condition(cluster, "Progressing") == ("True", "RolloutComplete")
    await cluster.api.patch(StatefulSet, "db", SPACE, {"metadata": {"annotations": {DEADLINE: None}}})
    await cluster.settled()
    assert (await cluster.api.get(StatefulSet, "db", SPACE)).status.conditions == []


async def sizes(cluster):
    claims = (await cluster.api.list(PersistentVolumeClaim, SPACE)).items
    return [claim.spec.resources.requests["storage"] for claim in claims]


def bigger(size):
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return {"spec": {"volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": claim}]}}


async def claims_grow_with_their_template(cluster):
    await cluster.apply(a_set(2, {EXPAND: "true"}))
    await cluster.settled()
    await cluster.api.patch(StatefulSet, "db", SPACE, bigger("5Mi"))
    await cluster.settled(quiet=30)
    assert await sizes(cluster) == ["5Mi", "5Mi"]
    assert len(await told(cluster, "SuccessfulExpand")) == 2
    await cluster.api.patch(StatefulSet, "db", SPACE, {"spec": {"replicas": 3}})
    await cluster.settled(quiet=30)
    assert await sizes(cluster) == ["5Mi", "5Mi", "5Mi"]


async def claims_of_a_class_that_cannot_grow_stay_and_that_is_said(cluster):
    await cluster.apply(CLASS)
    await cluster.apply(a_set(1, {EXPAND: "true"}))
    await cluster.settled()
    await cluster.api.patch(StatefulSet, "db", SPACE, bigger("5Mi"))
    await asyncio.sleep(60)
    assert await sizes(cluster) == ["1Mi"]
    assert "must support resize" in (await told(cluster, "FailedExpand"))[0].message
    await cluster.api.patch(StatefulSet, "db", SPACE, {"spec": {"replicas": 2}})
    await asyncio.sleep(WAITED)
    assert (await cluster.api.get(StatefulSet, "db", SPACE)).status.readyReplicas == 2


async def claim_templates_are_fixed_by_default(cluster):
    await cluster.apply(a_set(1))
    await cluster.settled()
    with pytest.raises(ApiError, match="updates to statefulset spec for fields other than"):
        await cluster.api.patch(StatefulSet, "db", SPACE, bigger("5Mi"))


TALES = {
    CLASS: [
        a_broken_rollout_stays_broken_by_default,
        a_broken_rollout_goes_on_once_its_template_is_mended,
        a_set_that_never_came_up_recovers_too,
        finished_surplus_pods_do_not_stall_a_set_that_shrinks,
        pods_that_fail_at_once_are_made_anew_without_a_pause_by_default,
        pods_that_fail_at_once_are_made_anew_ever_more_seldom,
        a_set_has_no_conditions_by_default,
        conditions_tell_how_a_rollout_goes,
        claims_of_a_class_that_cannot_grow_stay_and_that_is_said,
        claim_templates_are_fixed_by_default,
    ],
    EXPANDABLE: [claims_grow_with_their_template],
}
CASES = {tale.__name__.replace("_", " "): (class_, tale) for class_, tales in TALES.items() for tale in tales}


@pytest.mark.parametrize(("class_", "tale"), CASES.values(), ids=CASES)
def test_option(class_, tale):
    async def main():
        controllers = [module.controller() for module in CONTROLLERS]
        async with Cluster(controllers, 3, services=[scheduler.run]) as cluster:
            await cluster.apply(class_)
            await cluster.settled()
            await tale(cluster)

    virtual_time.run(main())
