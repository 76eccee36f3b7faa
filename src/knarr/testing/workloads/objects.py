"""The objects that simulated users create, from the few values that an act carries. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from knarr.kinds.types.apps_v1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from knarr.kinds.types.base import Type
from knarr.kinds.types.batch_v1 import CronJob, Job
from knarr.kinds.types.core_v1 import ReplicationController
from knarr.testing.sim.schedule import Act
from knarr.testing.workloads.options import annotations

SPACE = "default"
LOAD = "knarr.dev/simulated-load"  #: cores that all pods of a workload use together
EXIT_AFTER, EXIT_CODE = "knarr.dev/simulated-exit-after", "knarr.dev/simulated-exit-code"  #: of simulated containers
Tree = dict[str, Any]

TYPES: Mapping[str, type[Type]] = {
    "statefulset": StatefulSet,
    "deployment": Deployment,
    "daemonset": DaemonSet,
    "replicaset": ReplicaSet,
    "replicationcontroller": ReplicationController,
    "job": Job,
    "cronjob": CronJob,
}


GROUPS = {"job": "batch/v1", "cronjob": "batch/v1", "replicationcontroller": "v1"}  #: of those not in apps/v1


def tree(act: Act) -> Tree:
    """The object that a `create KIND/NAME` makes."""
    kind, _, name = act.subject.partition("/")
    type_ = TYPES[kind]
    meta: Tree = {"name": name, "namespace": SPACE, "annotations": annotations(act.get("options"))}
    if act.get("load"):
        meta["annotations"][LOAD] = act.get("load")
    return {
        "apiVersion": GROUPS.get(kind, "apps/v1"),
        "kind": type_.__name__,
        "metadata": meta,
        "spec": SPECS[kind](act, name),
    }


def template(act: Act, name: str, *, restart: str = "Always") -> Tree:
    annotations = {}
    if act.get("lasts"):
        annotations = {EXIT_AFTER: act.get("lasts"), EXIT_CODE: act.get("code", "0")}
    container: Tree = {"name": "c", "image": f"img:{act.get('image', '1')}"}
    if act.get("cpu"):
        container["resources"] = {"requests": {"cpu": act.get("cpu")}}
    if act.get("claim"):
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return {
        "metadata": {"labels": {"app": name}, "annotations": annotations},
        "spec": {
            "terminationGracePeriodSeconds": int(act.number("grace", 2)),
            "restartPolicy": restart,
            "containers": [container],
        },
    }


def replicated(act: Act, name: str) -> Tree:
    return {
        "replicas": int(act.number("replicas", 3)),
        "minReadySeconds": int(act.number("settle")),
        "selector": {"matchLabels": {"app": name}},
        "template": template(act, name),
    }


def statefulset(act: Act, name: str) -> Tree:
    spec = replicated(act, name) | {"serviceName": name, "podManagementPolicy": act.get("policy", "OrderedReady")}
    spec["updateStrategy"] = {"type": act.get("update", "RollingUpdate")}
    rolling: Tree = {"partition": int(act.number("partition"))} if act.get("partition") else {}
    if act.get("down"):
        rolling["maxUnavailable"] = amount(act.get("down"))
    if rolling:
        spec["updateStrategy"]["rollingUpdate"] = rolling
    if act.get("start"):
        spec["ordinals"] = {"start": int(act.number("start"))}
    if act.get("claim"):
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim}]
        policy = act.get("claim")
        spec["persistentVolumeClaimRetentionPolicy"] = {"whenScaled": policy, "whenDeleted": policy}
    return spec


def amount(text: str) -> int | str:
    return text if text.endswith("%") else int(text)


def deployment(act: Act, name: str) -> Tree:
    spec = replicated(act, name)
    spec["strategy"] = {"type": "Recreate"}
    if act.get("update", "RollingUpdate") == "RollingUpdate":
        rolling = {"maxSurge": amount(act.get("surge", "25%")), "maxUnavailable": amount(act.get("down", "25%"))}
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": rolling}
    return spec


def daemonset(act: Act, name: str) -> Tree:
    spec = replicated(act, name)
    del spec["replicas"]
    rolling = {"maxSurge": amount(act.get("surge", "0")), "maxUnavailable": amount(act.get("down", "1"))}
    spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": rolling}
    if act.get("update") == "OnDelete":
        spec["updateStrategy"] = {"type": "OnDelete"}
    return spec


def budget(act: Act) -> Tree:
    """The disruption budget of a `protect KIND/NAME`."""
    name = act.subject.partition("/")[2]
    least, most = act.get("least"), act.get("down")
    spec: Tree = {"selector": {"matchLabels": {"app": name}}}
    spec |= {"minAvailable": amount(least)} if least else {"maxUnavailable": amount(most or "1")}
    meta = {"name": name, "namespace": SPACE}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec}


def autoscaler(act: Act) -> Tree:
    """The autoscaler of an `autoscale KIND/NAME`, by the CPU that its pods use of what they request."""
    kind, _, name = act.subject.partition("/")
    target = {"apiVersion": GROUPS.get(kind, "apps/v1"), "kind": TYPES[kind].__name__, "name": name}
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": int(act.number("percent", 50))}}
    spec: Tree = {
        "scaleTargetRef": target,
        "minReplicas": int(act.number("least", 1)),
        "maxReplicas": int(act.number("most", 5)),
        "metrics": [{"type": "Resource", "resource": metric}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 30}},
    }
    meta = {"name": name, "namespace": SPACE}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": spec}


def service(act: Act) -> Tree:
    """The service of an `expose KIND/NAME`."""
    name = act.subject.partition("/")[2]
    spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": SPACE}, "spec": spec}


def quota(act: Act) -> Tree:
    """The quota of a `limit quota/NAME`."""
    meta = {"name": act.subject.partition("/")[2], "namespace": SPACE}
    spec = {"hard": {"pods": str(int(act.number("pods")))}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": spec}


def replicationcontroller(act: Act, name: str) -> Tree:
    return replicated(act, name) | {"selector": {"app": name}}


def job(act: Act, name: str) -> Tree:
    spec: Tree = {
        "parallelism": int(act.number("parallelism", 2)),
        "completions": int(act.number("completions", 3)),
        "completionMode": act.get("mode", "NonIndexed"),
        "backoffLimit": int(act.number("limit", 3)),
        "suspend": act.get("suspend") == "true",
        "template": template(act, name, restart="Never"),
    }
    if act.get("ttl"):
        spec["ttlSecondsAfterFinished"] = int(act.number("ttl"))
    if act.get("replacement"):
        spec["podReplacementPolicy"] = act.get("replacement")
    return spec


def cronjob(act: Act, name: str) -> Tree:
    return {
        "schedule": "* * * * *",
        "concurrencyPolicy": act.get("concurrency", "Allow"),
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 1,
        "jobTemplate": {"spec": job(act, name)},
    }


SPECS: Mapping[str, Callable[[Act, str], Tree]] = {
    "statefulset": statefulset,
    "deployment": deployment,
    "daemonset": daemonset,
    "replicaset": replicated,
    "replicationcontroller": replicationcontroller,
    "job": job,
    "cronjob": cronjob,
}
