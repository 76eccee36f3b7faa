"""What `kubectl get` shows of the core kinds, normal and wide cells in one row."""

from datetime import UTC, datetime

import pytest

from knarr.kinds import cells
from knarr.kinds.table import BUILTIN

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BORN = "2026-01-01T23:55:58Z"  # 4m2s ago
RESTARTED = "2026-01-01T23:55:00Z"  # 5m ago

DURATIONS = {
    "nothing": (0, "0s"),
    "clocks that differ a little": (-1, "0s"),
    "the future": (-5, "<invalid>"),
    "two minutes less a second": (119, "119s"),
    "two minutes": (120, "2m"),
    "minutes with seconds": (242, "4m2s"),
    "more than ten minutes": (601, "10m"),
    "hours with minutes": (3 * 3600 + 61, "3h1m"),
    "more than eight hours": (8 * 3600 + 61, "8h"),
    "two days and hours": (2 * 86400 + 3600, "2d1h"),
    "weeks": (22 * 86400, "22d"),
    "years with days": (2 * 365 * 86400 + 86400, "2y1d"),
    "many years": (9 * 365 * 86400, "9y"),
}


@pytest.mark.parametrize("seconds, text", DURATIONS.values(), ids=DURATIONS)
def test_duration(seconds, text):
    assert cells.duration(seconds) == text


def bare(kind, metadata=None, **fields):
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": "x", "creationTimestamp": BORN, **(metadata or {})},
        **fields,
    }


def pod(status=None, metadata=None, **spec):
    spec = {"containers": [{"name": "c", "image": "a"}], **spec}
    return bare("Pod", metadata, spec=spec, status={"phase": "Running", **(status or {})})


def status(state=None, name="c", restarts=0, ready=False, **fields):
    given = {"name": name, "image": "", "imageID": "", "ready": ready, "restartCount": restarts, "state": state or {}}
    return {**given, **fields}


def waiting(reason):
    return {"waiting": {"reason": reason}}


def ended(code=0, reason="", **fields):
    return {"terminated": {"exitCode": code, "reason": reason, **fields}}


UP = {"running": {}}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
INIT = [{"name": "i", "image": "a"}, {"name": "j", "image": "a"}]
SIDECAR = [{"name": "i", "image": "a", "restartPolicy": "Always"}]
GATED = "SchedulingGated"
GONE = {"deletionTimestamp": BORN}

PODS = {  # ready, status, restarts
    "a pod that nobody placed is pending": (pod({"phase": "Pending"}), ("0/1", "Pending", "0")),
    "a pod that starts": (
        pod({"phase": "Pending", "containerStatuses": [status(waiting("ContainerCreating"))]}),
        ("0/1", "ContainerCreating", "0"),
    ),
    "a pod that runs": (pod({"containerStatuses": [status(UP, ready=True)]}), ("1/1", "Running", "0")),
    "a pod that keeps failing": (
        pod(
            {
                "containerStatuses": [
                    status(waiting("CrashLoopBackOff"), restarts=2, lastState=ended(1, finishedAt=RESTARTED))
                ]
            }
        ),
        ("0/1", "CrashLoopBackOff", "2 (5m ago)"),
    ),
    "a pod whose container was killed": (
        pod({"containerStatuses": [status(ended(137, signal=9))]}),
        ("0/1", "Signal:9", "0"),
    ),
    "a pod whose container failed": (pod({"containerStatuses": [status(ended(3))]}), ("0/1", "ExitCode:3", "0")),
    "a pod that is done": (
        pod({"phase": "Succeeded", "containerStatuses": [status(ended(0, "Completed"))]}),
        ("0/1", "Completed", "0"),
    ),
    "a pod that is half done runs": (
        pod(
            {
                **READY,
                "containerStatuses": [status(ended(0, "Completed"), "b"), status(UP, ready=True)],
            },
            containers=[{"name": "b", "image": "a"}, {"name": "c", "image": "a"}],
        ),
        ("1/2", "Running", "0"),
    ),
    "a half-done pod that isn't ready": (
        pod({"containerStatuses": [status(ended(0, "Completed"), "b"), status(UP, ready=True)]}),
        ("1/1", "NotReady", "0"),
    ),
    "a pod before its second init container": (
        pod(
            {
                "phase": "Pending",
                "initContainerStatuses": [status(ended(), "i"), status(waiting("PodInitializing"), "j")],
                "containerStatuses": [status(waiting("PodInitializing"))],
            },
            initContainers=INIT,
        ),
        ("0/1", "Init:1/2", "0"),
    ),
    "a pod whose init container fails": (
        pod(
            {"phase": "Pending", "initContainerStatuses": [status(waiting("CrashLoopBackOff"), "i", restarts=3)]},
            initContainers=INIT,
        ),
        ("0/1", "Init:CrashLoopBackOff", "3"),
    ),
    "a pod whose init container exited badly": (
        pod({"phase": "Failed", "initContainerStatuses": [status(ended(2), "i")]}, initContainers=INIT),
        ("0/1", "Init:ExitCode:2", "0"),
    ),
    "a sidecar counts": (
        pod(
            {
                "initContainerStatuses": [status(UP, "i", ready=True, started=True)],
                "containerStatuses": [status(UP, ready=True)],
            },
            initContainers=SIDECAR,
        ),
        ("2/2", "Running", "0"),
    ),
    "a pod that goes": (
        pod({"containerStatuses": [status(UP, ready=True)]}, GONE),
        ("1/1", "Terminating", "0"),
    ),
    "a pod that goes and is done": (
        pod({"phase": "Succeeded", "containerStatuses": [status(ended(0, "Completed"))]}, GONE),
        ("0/1", "Completed", "0"),
    ),
    "a pod that goes on a lost node": (pod({"reason": "NodeLost"}, GONE), ("0/1", "Unknown", "0")),
    "a pod with a reason of its own": (pod({"phase": "Failed", "reason": "Evicted"}), ("0/1", "Evicted", "0")),
    "a pod before its gate": (
        pod(
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
            }
        ),
        ("0/1", GATED, "0"),
    ),
}


@pytest.mark.parametrize("body, expected", PODS.values(), ids=PODS)
def test_pod_status(body, expected, row):
    assert tuple(row(body, NOW)[1:4]) == expected


CLAIM = {"namespace": "d", "name": "c", "kind": "PersistentVolumeClaim"}
TEMPLATE = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {"containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "j"}]},
}
ROWS = {
    "a pod, wide": (
        pod(
            {"podIP": "10.1.1.1", "podIPs": [{"ip": "10.1.1.1"}], **READY},
            nodeName="n",
            readinessGates=[{"conditionType": "Ready"}, {"conditionType": "other"}],
        ),
        ["x", "0/1", "Running", "0", "4m2s", "10.1.1.1", "n", "<none>", "1/2"],
    ),
    "a headless service": (
        bare(
            "Service",
            spec={
                "clusterIP": "None",
                "clusterIPs": ["None"],
                "ports": [{"port": 80}],
                "selector": {"b": "2", "a": "1"},
            },
        ),
        ["x", "ClusterIP", "None", "<none>", "80/TCP", "4m2s", "a=1,b=2"],
    ),
    "a service with a node port": (
        bare(
            "Service",
            spec={
                "type": "NodePort",
                "clusterIP": "10.96.0.9",
                "clusterIPs": ["10.96.0.9"],
                "externalIPs": ["1.2.3.4"],
                "ports": [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}],
            },
        ),
        ["x", "NodePort", "10.96.0.9", "1.2.3.4", "80:30080/TCP,53/UDP", "4m2s", "<none>"],
    ),
    "a load balancer that waits": (
        bare("Service", spec={"type": "LoadBalancer", "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"]}),
        ["x", "LoadBalancer", "10.96.0.9", "<pending>", "<none>", "4m2s", "<none>"],
    ),
    "a load balancer": (
        bare(
            "Service",
            spec={"type": "LoadBalancer", "clusterIPs": ["10.96.0.9"]},
            status={"loadBalancer": {"ingress": [{"hostname": "b.example.com"}, {"ip": "1.2.3.4"}]}},
        ),
        ["x", "LoadBalancer", "10.96.0.9", "1.2.3.4,b.example.com", "<none>", "4m2s", "<none>"],
    ),
    "an alias": (
        bare("Service", spec={"type": "ExternalName", "externalName": "a.example.com"}),
        ["x", "ExternalName", "<none>", "a.example.com", "<none>", "4m2s", "<none>"],
    ),
    "a node": (
        bare(
            "Node",
            {"labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "extra"}},
            spec={"unschedulable": True},
            status={
                "conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": "172.30.0.2"}],
                "nodeInfo": {"kubeletVersion": "v1.37.0", "osImage": "Debian", "kernelVersion": "6.1"},
            },
        ),
        [
            *("x", "Ready,SchedulingDisabled", "extra,worker", "4m2s", "v1.37.0"),
            *("172.30.0.2", "<none>", "Debian", "6.1", "<unknown>"),
        ],
    ),
    "a node that never spoke": (
        bare("Node"),
        ["x", "Unknown", "<none>", "4m2s", "", "<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"],
    ),
    "an unbound claim": (
        bare("PersistentVolumeClaim", spec={"accessModes": ["ReadWriteOnce"], "storageClassName": "local-path"}),
        ["x", "Pending", "", "", "", "local-path", "<unset>", "4m2s", "Filesystem"],
    ),
    "a bound claim": (
        bare(
            "PersistentVolumeClaim",
            spec={"volumeName": "v"},
            status={
                "phase": "Bound",
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteMany", "ReadOnlyMany", "ReadWriteOnce"],
            },
        ),
        ["x", "Bound", "v", "1Gi", "RWO,ROX,RWX", "", "<unset>", "4m2s", "Filesystem"],
    ),
    "a volume": (
        bare(
            "PersistentVolume",
            spec={"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "claimRef": CLAIM},
            status={"phase": "Bound"},
        ),
        ["x", "1Gi", "RWO", "Retain", "Bound", "d/c", "", "<unset>", "", "4m2s", "Filesystem"],
    ),
    "a namespace": (bare("Namespace"), ["x", "Active", "4m2s"]),
    "a config map": (bare("ConfigMap", data={"a": "1"}, binaryData={"b": "AA=="}), ["x", 2, "4m2s"]),
    "a secret": (bare("Secret", stringData={"a": "1"}), ["x", "Opaque", 1, "4m2s"]),
    "a service account": (bare("ServiceAccount"), ["x", "4m2s"]),
    "endpoints": (
        bare(
            "Endpoints", subsets=[{"addresses": [{"ip": f"10.1.1.{n}"} for n in range(1, 6)], "ports": [{"port": 80}]}]
        ),
        ["x", "10.1.1.1:80,10.1.1.2:80,10.1.1.3:80 + 2 more...", "4m2s"],
    ),
    "endpoints without any": (bare("Endpoints"), ["x", "<none>", "4m2s"]),
    "a replication controller": (
        bare("ReplicationController", spec={"replicas": 2, "template": TEMPLATE}),
        ["x", 2, 0, 0, "4m2s", "c,d", "i,j", "a=b"],
    ),
    "a pod template": (bare("PodTemplate", template=TEMPLATE), ["x", "c,d", "i,j", "a=b"]),
    "a limit range": (bare("LimitRange"), ["x", BORN]),
    "a quota": (
        bare("ResourceQuota", status={"hard": {"pods": "2", "limits.cpu": "4", "cpu": "1"}, "used": {"pods": "1"}}),
        ["x", "cpu: 0/1, pods: 1/2", "limits.cpu: 0/4", "4m2s"],
    ),
    "an event that happened often": (
        bare(
            "Event",
            involvedObject={"kind": "Pod", "name": "p", "namespace": "d", "fieldPath": "spec.containers{c}"},
            type="Warning",
            reason="BackOff",
            message=" again \n",
            count=3,
            source={"component": "kubelet", "host": "n"},
            firstTimestamp=BORN,
            lastTimestamp="2026-01-01T23:59:50Z",
        ),
        [
            *("10s", "Warning", "BackOff", "pod/p", "spec.containers{c}", "kubelet, n", "again", "4m2s", 3, "x"),
        ],
    ),
    "an event of the new sort": (
        bare("Event", eventTime="2026-01-01T23:55:58.000000Z", reportingComponent="c", involvedObject={"kind": "Node"}),
        ["4m2s", "", "", "node", "", "c", "", "4m2s", 1, "x"],
    ),
}


@pytest.mark.parametrize("body, expected", ROWS.values(), ids=ROWS)
def test_row(body, expected, row):
    assert row(body, NOW) == expected


COLUMNS = {
    "Pod": "Name, Ready, Status, Restarts, Age, IP+, Node+, Nominated Node+, Readiness Gates+",
    "Service": "Name, Type, Cluster-IP, External-IP, Port(s), Age, Selector+",
    "Node": (
        "Name, Status, Roles, Age, Version, Internal-IP+, External-IP+, OS-Image+, Kernel-Version+, Container-Runtime+"
    ),
    "PersistentVolumeClaim": (
        "Name, Status, Volume, Capacity, Access Modes, StorageClass, VolumeAttributesClass, Age, VolumeMode+"
    ),
    "PersistentVolume": (
        "Name, Capacity, Access Modes, Reclaim Policy, Status, Claim, StorageClass, VolumeAttributesClass, Reason, "
        "Age, VolumeMode+"
    ),
    "Namespace": "Name, Status, Age",
    "ConfigMap": "Name, Data, Age",
    "Secret": "Name, Type, Data, Age",
    "ServiceAccount": "Name, Age",
    "Endpoints": "Name, Endpoints, Age",
    "ReplicationController": "Name, Desired, Current, Ready, Age, Containers+, Images+, Selector+",
    "PodTemplate": "Name, Containers, Images, Pod Labels",
    "LimitRange": "Name, Created At",
    "ResourceQuota": "Name, Request, Limit, Age",
    "Event": "Last Seen, Type, Reason, Object, Subobject+, Source+, Message, First Seen+, Count+, Name+",
}


@pytest.mark.parametrize("name, shown", COLUMNS.items(), ids=COLUMNS)
def test_columns(name, shown):
    kind = BUILTIN.by_kind("", "v1", name)
    assert kind is not None
    assert ", ".join(column.name + "+" * column.priority for column in kind.columns) == shown
