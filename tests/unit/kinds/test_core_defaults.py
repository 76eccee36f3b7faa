"""What the server fills in for the user, compared path by path with what upstream fills in."""

import pytest

CONTAINER = {"name": "c", "image": "nginx:1.25"}


def pod(**spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [CONTAINER], **spec}}


def having(**fields):
    return pod(containers=[{**CONTAINER, **fields}])


def service(**spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"ports": [{"port": 80}], **spec}}


def bare(kind, **fields):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, **fields}


def at(tree, path):
    for key in path.split("."):
        tree = tree[int(key)] if isinstance(tree, list) else tree.get(key)
    return tree


C0 = "spec.containers.0"
LABELLED = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}

CASES = {
    "a pod restarts, asks the cluster's DNS and waits for the default scheduler": (
        pod(),
        {
            "spec.restartPolicy": "Always",
            "spec.dnsPolicy": "ClusterFirst",
            "spec.schedulerName": "default-scheduler",
            "spec.terminationGracePeriodSeconds": 30,
            "spec.securityContext": {},
            "spec.enableServiceLinks": True,
        },
    ),
    "a new pod is pending": (pod(), {"status": {"phase": "Pending", "qosClass": "BestEffort"}}),
    "a negative grace period is one second": (
        pod(terminationGracePeriodSeconds=-1),
        {"spec.terminationGracePeriodSeconds": 1},
    ),
    "a gated pod says so": (
        pod(schedulingGates=[{"name": "g"}]),
        {"status.conditions.0.reason": "SchedulingGated", "status.conditions.0.status": "False"},
    ),
    "a container logs its end and keeps its image": (
        having(),
        {
            f"{C0}.terminationMessagePath": "/dev/termination-log",
            f"{C0}.terminationMessagePolicy": "File",
            f"{C0}.imagePullPolicy": "IfNotPresent",
            f"{C0}.resources": {},
        },
    ),
    "an image without a tag is pulled always": (having(image="nginx"), {f"{C0}.imagePullPolicy": "Always"}),
    "the tag latest is pulled always": (having(image="h:5000/a/b:latest"), {f"{C0}.imagePullPolicy": "Always"}),
    "a digest is pulled once": (having(image="nginx@sha256:" + "a" * 64), {f"{C0}.imagePullPolicy": "IfNotPresent"}),
    "what is no reference is pulled once": (having(image="A B"), {f"{C0}.imagePullPolicy": "IfNotPresent"}),
    "requests follow limits": (
        having(resources={"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}),
        {f"{C0}.resources.requests": {"cpu": "500m", "memory": "1Gi"}, "status.qosClass": "Burstable"},
    ),
    "requests equal to limits are guaranteed": (
        having(resources={"limits": {"cpu": "1", "memory": "1Gi"}}),
        {"status.qosClass": "Guaranteed"},
    ),
    "a pod that limits itself requests what its containers do": (
        pod(
            containers=[{**CONTAINER, "resources": {"requests": {"cpu": "500m"}}}],
            resources={"limits": {"cpu": "2", "memory": "1Gi"}},
        ),
        {"spec.resources.requests": {"cpu": "500m", "memory": "1Gi"}, "status.qosClass": "Burstable"},
    ),
    "a probe asks every ten seconds, three times": (
        having(livenessProbe={"httpGet": {"port": 80}}),
        {
            f"{C0}.livenessProbe": {
                "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                "timeoutSeconds": 1,
                "periodSeconds": 10,
                "successThreshold": 1,
                "failureThreshold": 3,
            }
        },
    ),
    "a port is TCP": (having(ports=[{"containerPort": 80}]), {f"{C0}.ports.0.protocol": "TCP"}),
    "on the host's network a port is the host's": (
        pod(hostNetwork=True, containers=[{**CONTAINER, "ports": [{"containerPort": 80}]}]),
        {f"{C0}.ports.0.hostPort": 80},
    ),
    "a field of the pod is of version v1": (
        having(env=[{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        {f"{C0}.env.0.valueFrom.fieldRef.apiVersion": "v1"},
    ),
    "a volume without a source is an empty directory": (
        pod(volumes=[{"name": "v"}]),
        {"spec.volumes": [{"name": "v", "emptyDir": {}}]},
    ),
    "files of volumes are readable": (
        pod(volumes=[{"name": "s", "secret": {"secretName": "s"}}, {"name": "c", "configMap": {"name": "c"}}]),
        {"spec.volumes.0.secret.defaultMode": 0o644, "spec.volumes.1.configMap.defaultMode": 0o644},
    ),
    "a projected token lives an hour": (
        pod(volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]),
        {
            "spec.volumes.0.projected.sources.0.serviceAccountToken.expirationSeconds": 3600,
            "spec.volumes.0.projected.defaultMode": 0o644,
        },
    ),
    "label keys are written into the selector": (
        {
            **pod(
                topologySpreadConstraints=[
                    {
                        "maxSkew": 1,
                        "topologyKey": "zone",
                        "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": {},
                        "matchLabelKeys": ["hash"],
                    }
                ]
            ),
            "metadata": {"name": "x", "labels": {"hash": "1"}},
        },
        {
            "spec.topologySpreadConstraints.0.labelSelector.matchExpressions": [
                {"key": "hash", "operator": "In", "values": ["1"]}
            ]
        },
    ),
    "a service is inside the cluster": (
        service(clusterIP="None", clusterIPs=["None"]),
        {
            "spec.type": "ClusterIP",
            "spec.sessionAffinity": "None",
            "spec.internalTrafficPolicy": "Cluster",
            "spec.ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
            "status": {"loadBalancer": {}},
        },
    ),
    "a service's clients stay for three hours": (
        service(clusterIP="None", clusterIPs=["None"], sessionAffinity="ClientIP"),
        {"spec.sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}},
    ),
    "a claim is for a file system, pending and protected": (
        bare("PersistentVolumeClaim", spec=CLAIM),
        {
            "spec.volumeMode": "Filesystem",
            "status": {"phase": "Pending"},
            "metadata.finalizers": ["kubernetes.io/pvc-protection"],
        },
    ),
    "a volume is kept and protected": (
        bare(
            "PersistentVolume",
            spec={"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}},
        ),
        {
            "spec.persistentVolumeReclaimPolicy": "Retain",
            "spec.volumeMode": "Filesystem",
            "spec.hostPath": {"path": "/x", "type": ""},
            "status.phase": "Pending",
            "metadata.finalizers": ["kubernetes.io/pv-protection"],
        },
    ),
    "a namespace is labelled with its name and empties itself": (
        bare("Namespace"),
        {
            "metadata.labels": {"kubernetes.io/metadata.name": "x"},
            "spec.finalizers": ["kubernetes"],
            "status": {"phase": "Active"},
        },
    ),
    "a secret is opaque and in base64": (
        bare("Secret", stringData={"p": "w"}, data={"b": "AAEC"}),
        {"type": "Opaque", "data": {"b": "AAEC", "p": "dw=="}, "stringData": None},
    ),
    "a node has an agent's port and tells of itself": (
        bare("Node"),
        {"status.daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "status.nodeInfo.kubeletVersion": ""},
    ),
    "a replication controller takes its template's labels": (
        bare("ReplicationController", spec={"template": LABELLED}),
        {"spec.selector": {"a": "b"}, "metadata.labels": {"a": "b"}, "spec.replicas": 1, "status": {"replicas": 0}},
    ),
    "a limit range's defaults follow its bounds": (
        bare("LimitRange", spec={"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "1Mi"}}]}),
        {
            "spec.limits.0.default": {"cpu": "1"},
            "spec.limits.0.defaultRequest": {"cpu": "1", "memory": "1Mi"},
        },
    ),
    "an endpoint's port is TCP": (
        bare("Endpoints", subsets=[{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80}]}]),
        {"subsets.0.ports.0.protocol": "TCP"},
    ),
}


@pytest.mark.parametrize("body, expected", CASES.values(), ids=CASES)
def test_defaults(body, expected, created):
    tree, complaints = created(body)
    found = {path: at(tree, path) for path in expected}
    assert found == expected
    assert [c for c in complaints if c.partition(":")[0] not in UNRELATED] == []


UNRELATED = {  # rules that a case's own subject breaks
    "spec.containers[0].image",
    "spec.volumes[0].projected.sources[0].serviceAccountToken",
}


def test_templates_get_less_than_pods(created):
    tree, _ = created(bare("PodTemplate", template=LABELLED))
    spec = tree["template"]["spec"]
    assert spec["schedulerName"] == "default-scheduler"
    assert "enableServiceLinks" not in spec
