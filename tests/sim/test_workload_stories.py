"""Stories of Deployments, ReplicaSets, DaemonSets and Jobs that upstream's controllers were seen to go through.

`workload_stories.json` has what was recorded of Kubernetes 1.36.2: for each command the lives that pods went through
and how many did, the sizes that each set was given, the most that all were given together (peak), the fewest pods that
were ready (trough), and the status it led to; at the end the events and the objects.
Sets are called by their order of appearance and pods by their set, because their names have hashes and chance in them.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from knarr.kinds.types.apps_v1 import ControllerRevision, DaemonSet, Deployment, ReplicaSet
from knarr.kinds.types.core_v1 import Event
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster
from tests.sim.stories import KINDS, SPACE, Observer, manifest, obey

STORIES = json.loads((Path(__file__).parent / "workload_stories.json").read_text())
NODES = 10
SET = re.compile(r"\bweb-[0-9a-z]{6,10}\b")
POD = re.compile(r"(pod: (?:web-\d|r|ds|j))-\w{5}$")
COMBINED = "(combined from similar events): "
SCALED = re.compile(r"Scaled (up|down) replica set (\S+) from (\d+) to (\d+)")
TIMES = ("startTime",)
GENERATION = "deprecated.daemonset.template.generation"


class Names:
    """Calls sets by their order of appearance."""

    def __init__(self):
        self._names = {}

    def short(self, text):
        return SET.sub(lambda found: self._names.setdefault(found[0], f"web-{len(self._names) + 1}"), text)


class Sets:
    """Notes the sizes that sets are given."""

    def __init__(self, cluster, names):
        self._names, self.sizes, self._last, self.peak = names, {}, {}, 0
        cluster.context.informers.of(ReplicaSet).on_change(self._changed)

    def _changed(self, old, new):
        if new is not None and self._last.get(new.metadata.name) != new.spec.replicas:
            self._last[new.metadata.name] = new.spec.replicas
            self.sizes.setdefault(self._names.short(new.metadata.name), []).append(new.spec.replicas)
            self.peak = max(self.peak, sum(self._last.values()))

    def take(self):
        """The sizes since the last time, and the most that all sets together were allowed."""
        sizes, peak = self.sizes, self.peak
        self.sizes, self.peak = {}, sum(self._last.values())
        return {"sizes": sizes, "peak": peak}


def lives(lines, names):
    """How many pods of each set went through what."""
    each = {}
    for line in lines:
        name, _, rest = names.short(line).partition(" ")
        each.setdefault(name, []).append(rest)
    counted = Counter(f"{name.rpartition('-')[0]}: {', '.join(essence(steps))}" for name, steps in each.items())
    return dict(counted)


def essence(steps):
    """A life without what is chance in it: whether a pod that goes before it is ready had a node already."""
    if not any("Terminating unready" in step for step in steps):
        return steps
    return [
        step.replace("unready bound", "unready").replace("unready unbound", "unready")
        for step in steps
        if " bound" not in step or "Pending" not in step
    ]


def plain(status):
    tree = {key: value for key, value in status.items() if value not in ("", None, [])}
    return {key: "{time}" if key in TIMES else value for key, value in tree.items() if key != "conditions"}


async def trees(cluster, type_):
    """The objects of a type as the server sends them."""
    answer = await cluster.api.raw("GET", cluster.api.resource(type_).path(SPACE))
    return json.loads(answer.body)["items"]


async def status_of(cluster, kind):
    found = await trees(cluster, KINDS[kind])
    return plain(found[0]["status"]) if found else None


async def final(cluster, names):
    """The objects that there are in the end, as far as the recording has them."""
    ends = {}
    for kind in (Deployment, ReplicaSet, DaemonSet):
        for tree in await trees(cluster, kind):
            meta, status = tree["metadata"], tree["status"]
            if kind is ReplicaSet:
                status = {key: value for key, value in status.items() if key != "observedGeneration"}  # counts sizes
            end = {"annotations": meta.get("annotations", {}), "status": plain(status)}
            if "conditions" in status:
                told_of = [(c["type"], c["status"], c["reason"], c["message"]) for c in status["conditions"]]
                end["conditions"] = [[*said, names.short(message)] for *said, message in told_of]
            ends.setdefault(kind.__name__.lower() + "s", {})[names.short(meta["name"])] = end
    for revision in (await cluster.api.list(ControllerRevision, SPACE)).items:
        name = f"revision of generation {revision.metadata.annotations[GENERATION]}"
        ends.setdefault("controllerrevisions", {})[name] = {}
    return ends


def told(events, names):
    lines = set()
    for event in events:
        about = names.short(event.involvedObject.name)
        if event.involvedObject.kind == "Node":
            continue
        if event.involvedObject.kind == "Pod":
            if event.reason != "FailedScheduling" or not event.message.startswith("0/"):
                continue
            about = f"{about.rpartition('-')[0]}-*"
        message = POD.sub(r"\1-*", names.short(event.message))
        if message.startswith(COMBINED):
            message = "combined from similar events"  # with which of them is chance
        lines.add((event.involvedObject.kind, about, event.type, event.reason, message))
    return lines


async def live(story):
    """Go through a story; give what each step led to, what was told, and what there is in the end."""
    names, seen, ready = Names(), [], set()
    kind = story["steps"][0]["apply"]
    async with Cluster(nodes=NODES) as cluster:
        await cluster.settled()
        observer, sets = Observer(cluster), Sets(cluster, names)
        for step in story["steps"]:
            said = None
            if "kubectl" in step:
                said = await obey(cluster, step["kubectl"])
            else:
                extra = {key: step[key] for key in ("nodeSelector", "restartPolicy") if key in step}
                await cluster.apply(json.dumps(manifest(kind, step["name"], step["spec"], **extra)))
            await cluster.settled()
            status = await status_of(cluster, kind)
            lines = observer.take()
            step = {"pods": lives(lines, names), **sets.take(), "trough": fewest(lines, ready)}
            seen.append({**step, "status": status, "said": said})
        await cluster.context.recorder.flush()
        events = (await cluster.api.list(Event, SPACE)).items
        return seen, told(events, names), await final(cluster, names)


def fewest(lines, ready):
    """The fewest pods that were ready at once, those that end apart; `ready` are those before, and then after."""
    trough = len(ready)
    for line in lines:
        name, state, *words = line.split()
        if state not in ("Terminating", "gone") and "ready" in words:
            ready.add(name)
        else:
            ready.discard(name)
        trough = min(trough, len(ready))
    return trough


def single_steps(lines):
    """Changes of size pod by pod: whether two pods that become ready together make one change or two is chance."""
    for *about, message in lines:
        if (scaled := SCALED.match(message)) is None:
            yield (*about, message)
            continue
        low, high = sorted((int(scaled[3]), int(scaled[4])))
        yield from ((*about, scaled[1], scaled[2], size) for size in range(low, high))


def ends_of(sizes):
    return {name: (each[0], each[-1]) for name, each in sizes.items()}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_story(story):
    seen, events, ends = virtual_time.run(live(story))
    for step, mine in zip(story["steps"], seen, strict=True):
        assert mine["pods"] == dict(step.get("pods", []))
        assert ends_of(mine["sizes"]) == ends_of(step.get("sizes", {}))
        assert all(set(each) <= set(step["sizes"][name]) for name, each in mine["sizes"].items())
        assert mine["status"] == step.get("status", mine["status"])
        assert mine["said"] == step.get("said", mine["said"])
        assert mine["peak"] <= step.get("peak", mine["peak"])
        assert mine["trough"] >= step.get("trough", mine["trough"])
    assert set(single_steps(events)) == set(single_steps(story["events"]))
    assert {kind: objects for kind, objects in ends.items() if kind in story["final"]} == story["final"]
