"""The workloads that are rolled out, as trees, and when they are what they are meant to be."""

from typing import Any

from knarr.kinds.types.apps_v1 import Deployment, StatefulSet

Tree = dict[str, Any]
LABELS = {"app": "bench"}
NEW_TEMPLATE = {"spec": {"template": {"metadata": {"annotations": {"bench": "2"}}}}}
EXIT_AFTER = "knarr.dev/simulated-exit-after"
WHERE = {"Deployment": "deployments", "StatefulSet": "statefulsets", "Job": "jobs", "CronJob": "cronjobs"}


def path(tree: Tree, space: str) -> str:
    """The collection that an object is created in."""
    return f"/apis/{tree['apiVersion']}/namespaces/{space}/{WHERE[tree['kind']]}"


def template(image: str, *, job: bool = False) -> Tree:
    """A pod that ends at once when it is told to; a job's ends by itself."""
    container: Tree = {"name": "c", "image": image}
    spec: Tree = {"containers": [container], "terminationGracePeriodSeconds": 0}
    meta: Tree = {"labels": LABELS}
    if job:
        spec["restartPolicy"] = "Never"
        meta["annotations"] = {EXIT_AFTER: "0"}
        container["command"] = ["true"]
    return {"metadata": meta, "spec": spec}


def deployment(count: int, image: str) -> Tree:
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
    spec = {
        "replicas": count,
        "selector": {"matchLabels": LABELS},
        "template": template(image),
        "strategy": {"rollingUpdate": rolling},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def statefulset(count: int, image: str) -> Tree:
    spec = {
        "replicas": count,
        "serviceName": "db",
        "selector": {"matchLabels": LABELS},
        "template": template(image),
    }
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": spec}


def job(count: int, together: int, image: str) -> Tree:
    spec = {
        "completions": count,
        "parallelism": min(together, count),
        "completionMode": "Indexed",
        "template": template(image, job=True),
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "work"}, "spec": spec}


def cronjob(number: int, image: str) -> Tree:
    spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template(image, job=True)}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": f"tick-{number}"}, "spec": spec}


def is_complete(found: Deployment, count: int) -> bool:
    """Whether it has so many pods, all of its newest template and available, and no other."""
    status = found.status
    numbers = [status.replicas, status.updatedReplicas, status.availableReplicas, status.readyReplicas]
    return (status.observedGeneration or 0) >= (found.metadata.generation or 0) and numbers == [count] * 4


def is_rolled(found: StatefulSet, count: int) -> bool:
    """Whether it has so many pods, all ready and of its newest template."""
    status = found.status
    numbers = [status.replicas, status.updatedReplicas, status.readyReplicas]
    observed = (status.observedGeneration or 0) >= (found.metadata.generation or 0)
    return observed and numbers == [count] * 3 and status.currentRevision == status.updateRevision
