"""Goes through recorded stories of upstream's controllers: does what kubectl did, notes what pods go through."""

import json
import re
from typing import Any

from msgspec.structs import replace

from knarr.kinds.types.apps_v1 import ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet
from knarr.kinds.types.batch_v1 import Job
from knarr.kinds.types.core_v1 import Node, Pod, ReplicationController
from knarr.testing.cluster import Cluster

SPACE = "default"
KINDS: dict[str, Any] = {
    "StatefulSet": StatefulSet, "Deployment": Deployment, "DaemonSet": DaemonSet, "ReplicaSet": ReplicaSet,
    "ReplicationController": ReplicationController, "Job": Job,
}  # fmt: skip
SHORT = {
    "sts": StatefulSet, "deploy": Deployment, "ds": DaemonSet, "rs": ReplicaSet, "job": Job, "pod": Pod, "node": Node,
}  # fmt: skip
REVISION = "deployment.kubernetes.io/revision"


class Observer:
    """Notes every transition of a pod as the recording does, "db-0 Pending unready bound img:1"."""

    def __init__(self, cluster):
        self.lines = []
        self._last = {}
        cluster.context.informers.of(Pod).on_change(self._changed)

    def _changed(self, old, new):
        name = (new or old).metadata.name
        line = f"{name} gone" if new is None else shown(new)
        if line != self._last.get(name):
            self._last[name] = line
            self.lines.append(line)

    def take(self):
        lines, self.lines = self.lines, []
        return lines


def shown(pod):
    ready = any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)
    phase = "Terminating" if pod.metadata.deletionTimestamp else pod.status.phase
    words = (phase, "ready" if ready else "unready", "bound" if pod.spec.nodeName else "unbound")
    return " ".join((pod.metadata.name, *words, pod.spec.containers[0].image))


def manifest(kind, name, spec, **pod):
    """A workload of pods that end at once; `spec` and `pod` are what a story has beyond that."""
    labels = {"app": "x"}
    containers = [{"name": "c", "image": "img:1"}]
    template = {"terminationGracePeriodSeconds": 0, "containers": containers, **pod}
    core, batch = kind == "ReplicationController", kind == "Job"
    selector = {} if batch else {"selector": labels if core else {"matchLabels": labels}}
    return {
        "apiVersion": "v1" if core else "batch/v1" if batch else "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {**selector, "template": {"metadata": {"labels": labels}, "spec": template}, **spec},
    }


async def obey(cluster: Cluster, command: str) -> str | None:
    """Do what kubectl does; give what it says, where a story has that."""
    match command.replace("/", " ", 1 if command.startswith(("scale", "set", "rollout")) else 0).split(" "):
        case ["scale", kind, name, option]:
            await patch(cluster, kind, name, {"spec": {"replicas": int(option.split("=")[1])}})
        case ["set", "image", kind, name, pair]:
            container, image = pair.split("=")
            template = {"spec": {"containers": [{"name": container, "image": image}]}}
            await patch(cluster, kind, name, {"spec": {"template": template}})
        case ["delete", kind, name, *options]:
            cascade = "Orphan" if "--cascade=orphan" in options else "" if kind == "pod" else "Background"
            await cluster.api.delete(SHORT[kind], name, SPACE, propagation=cascade)
        case ["patch", kind, name, "-p", text]:
            await patch(cluster, kind, name, json.loads(text))
        case ["label", "node", *names, label]:
            key, _, value = label.removesuffix("-").partition("=")
            for name in names:
                there = re.sub(r"^hollow", "node", name)
                await cluster.api.patch(Node, there, "", {"metadata": {"labels": {key: value or None}}})
        case ["rollout", "pause" | "resume" as verb, kind, name]:
            await patch(cluster, kind, name, {"spec": {"paused": True if verb == "pause" else None}})
        case ["rollout", "undo", kind, name, *options]:
            number = int(options[0].split("=")[1]) if options else 0
            await undo(cluster, kind, name, number)
        case ["rollout", "history", kind, name]:
            numbers = sorted([number for number, _ in await history(cluster, kind)])
            lines = [f"{number:<10}<none>" for number in numbers]
            title = {"deploy": "deployment", "sts": "statefulset"}[kind]
            return "\n".join((f"{title}.apps/{name} ", "REVISION  CHANGE-CAUSE", *lines))
        case ["rollout", "status", _, _]:
            return None
        case _:
            raise AssertionError(command)
    return None


async def patch(cluster, kind, name, change):
    await cluster.api.patch(SHORT[kind], name, SPACE, change, kind="strategic")


async def history(cluster, kind):
    """The revisions of the only workload of a kind: each number, and the patch that goes back to it."""
    if kind == "deploy":
        sets = (await cluster.api.list(ReplicaSet, SPACE)).items
        return [(int(set_.metadata.annotations[REVISION]), set_.spec.template) for set_ in sets]
    return [
        (revision.revision, revision.data) for revision in (await cluster.api.list(ControllerRevision, SPACE)).items
    ]


async def undo(cluster, kind, name, number):
    """What `kubectl rollout undo` does: of a Deployment it replaces the template, less the hash of its set."""
    revisions = dict(await history(cluster, kind))
    chosen = revisions[number or sorted(revisions)[-2]]
    if kind != "deploy":
        await patch(cluster, kind, name, chosen)
        return
    labels = {key: value for key, value in chosen.metadata.labels.items() if key != "pod-template-hash"}
    template = replace(chosen, metadata=replace(chosen.metadata, labels=labels))
    change = [{"op": "replace", "path": "/spec/template", "value": template}]
    await cluster.api.patch(Deployment, name, SPACE, change, kind="json")
