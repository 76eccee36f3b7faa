"""StatefulSet stories that upstream's controllers were seen to go through, gone through here on simulated nodes.

`statefulset_stories.json` has what was recorded of Kubernetes 1.36.2: for each command the transitions of the pods and
the status it led to, at the end the events and the revisions.
"""

import json
from pathlib import Path

import pytest
from msgspec import to_builtins

from knarr.kinds.types.apps_v1 import ControllerRevision, StatefulSet
from knarr.kinds.types.core_v1 import Event
from knarr.meta.errors import NotFound
from knarr.scheduler import scheduler
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster
from tests.sim.stateful import CONTROLLERS
from tests.sim.stories import SPACE, Observer, manifest, obey

STORIES = json.loads((Path(__file__).parent / "statefulset_stories.json").read_text())
NODES = 10
TOLD = ("StatefulSet", "PersistentVolumeClaim")


def steps_of(lines, ordered):
    """What the two runs have to have in common: all in order, or of each pod if pods may overtake each other."""
    return lines if ordered else sorted(lines, key=lambda line: line.split()[0])


def created(step):
    extra = {"nodeSelector": step["nodeSelector"]} if "nodeSelector" in step else {}
    return manifest("StatefulSet", "db", {"serviceName": "db", **step["spec"]}, **extra)


async def status_of_set(cluster):
    try:
        found = await cluster.api.get(StatefulSet, "db", SPACE)
    except NotFound:
        return "db gone"
    return {key: value for key, value in to_builtins(found.status).items() if value not in ("", None, [])}


async def live(story):
    """Go through a story; give what there is to compare."""
    together = story["steps"][0]["spec"].get("podManagementPolicy") == "Parallel"
    ordered = not together and story["steps"][-1].get("kubectl") != "delete sts db"
    seen, recorded = [], []
    controllers = [module.controller() for module in CONTROLLERS]
    async with Cluster(controllers, NODES, services=[scheduler.run]) as cluster:
        await cluster.settled()
        observer = Observer(cluster)
        status = None
        for step in story["steps"]:
            said = (
                await obey(cluster, step["kubectl"])
                if "kubectl" in step
                else await cluster.apply(json.dumps(created(step)))
            )
            await cluster.settled()
            status = await status_of_set(cluster)
            seen.append((steps_of(observer.take(), ordered), status, said))
            wanted = step["status"] or status
            recorded.append((steps_of(step["pods"], ordered), wanted, step.get("said")))
        await cluster.context.recorder.flush()
        events = (await cluster.api.list(Event, SPACE)).items
        revisions = {r.metadata.name for r in (await cluster.api.list(ControllerRevision, SPACE)).items}
    told = {
        (e.involvedObject.kind, e.involvedObject.name, e.type, e.reason, e.message)
        for e in events
        if e.involvedObject.kind in TOLD or e.reason == "FailedScheduling"
    }
    return seen, recorded, told, revisions


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_story(story):
    seen, recorded, told, revisions = virtual_time.run(live(story))
    assert seen == recorded
    assert told == {tuple(event) for event in story["events"]}
    assert revisions == set(story["revisions"])
