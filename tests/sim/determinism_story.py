"""A story that a seed tells: workloads of every controller, changed at random, and a node that fails.

python -m tests.sim.determinism_story 7          # every write of seed 7
python -m tests.sim.determinism_story 0 50 -q    # digests of seeds 0 to 49
"""

import argparse
import copy
import gc
import random

from knarr.testing.cluster import Cluster
from knarr.testing.history import History, RecordedStore
from knarr.testing.virtual_time import run

POD = {
    "metadata": {"labels": {"app": "x"}},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": "app:1", "resources": {"requests": {"cpu": "10m"}}}],
        "tolerations": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "tolerationSeconds": 30}],
    },
}
FIXED = """
apiVersion: v1
kind: Namespace
metadata: {name: fleeting}
---
apiVersion: v1
kind: Service
metadata: {name: all}
spec: {selector: {app: x}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: most}
spec: {hard: {pods: "50", count/deployments.apps: "9", requests.cpu: "9"}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: own}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: fleeting}
data: {a: b}
"""


def workload(kind: str, api_version: str, name: str, **spec):
    selector = {"app": name}
    pod = copy.deepcopy(POD)  # a story changes it
    template = {**pod, "metadata": {"labels": {**selector, "part": "x"}}}
    if kind != "Job":
        spec["selector"] = selector if kind == "ReplicationController" else {"matchLabels": selector}
    else:
        ended = {"knarr.dev/simulated-exit-after": "5"}
        template = {"metadata": {"annotations": ended}, "spec": {**pod["spec"], "restartPolicy": "Never"}}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name},
        "spec": {**spec, "template": template},
    }


def claims():
    request = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return [{"metadata": {"name": "data"}, "spec": request}]


def workloads(chance: random.Random):
    some = chance.randrange
    yield workload("Deployment", "apps/v1", "web", replicas=some(1, 5))
    yield workload(
        "StatefulSet", "apps/v1", "db", replicas=some(1, 4), serviceName="all", volumeClaimTemplates=claims()
    )
    yield workload("DaemonSet", "apps/v1", "agent")
    yield workload("ReplicaSet", "apps/v1", "set", replicas=some(3))
    yield workload("ReplicationController", "v1", "old", replicas=some(3))
    yield workload("Job", "batch/v1", "sum", completions=some(1, 4), parallelism=some(1, 3))
    yield {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "often"},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": workload("Job", "batch/v1", "often")["spec"]}},
    }


async def story(cluster: Cluster, chance: random.Random) -> None:
    """Workloads, changes to them, a dead node until its pods are evicted, and its return."""
    made = list(workloads(chance))
    await cluster.apply(FIXED)
    await cluster.advance(seconds=5)
    await cluster.apply(*made)
    await cluster.advance(seconds=chance.uniform(0, 20))
    failed = chance.choice(sorted(cluster.machines))
    await cluster.stop_node(failed)
    for _ in range(3):
        changed = chance.choice(made[:2])
        changed["spec"]["replicas"] = chance.randrange(4)
        changed["spec"]["template"]["spec"]["containers"][0]["image"] = f"app:{chance.randrange(3)}"
        await cluster.apply(changed)
        await cluster.advance(seconds=chance.uniform(0, 10))
    await cluster.api.raw("DELETE", "/api/v1/namespaces/fleeting")
    await cluster.api.raw(
        "DELETE", f"/apis/apps/v1/namespaces/default/{chance.choice(['deployments/web', 'statefulsets/db'])}"
    )
    await cluster.advance(seconds=100)
    await cluster.start_node(failed)
    await cluster.advance(seconds=20)


def told(seed: int, *, lines: bool = False) -> History:
    """What a seed writes."""
    history = History(lines=lines)

    async def main():
        store = RecordedStore()
        store.listeners.append(history)
        async with Cluster(nodes=3, store=store) as cluster:
            await story(cluster, random.Random(seed))

    run(main(), seed=seed)
    return history


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seed", type=int)
    parser.add_argument("end", type=int, nargs="?", help="tell the seeds up to before this one")
    parser.add_argument("-q", action="store_true", help="digests alone")
    given = parser.parse_args()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # a quarter of the time went into looking for garbage
    for seed in range(given.seed, given.end or given.seed + 1):
        history = told(seed, lines=not given.q)
        print(*history.lines, f"seed {seed}: {history.writes} writes, {history.digest}", sep="\n", flush=True)


if __name__ == "__main__":
    main()
