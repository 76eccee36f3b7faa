"""What may change of an object once it is there."""

import pytest

CONTAINER = {"name": "c", "image": "a:1"}
POD_CHANGES = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
)
CLAIM_CHANGES = (
    "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for "
    "bound claims\n"
)


def pod(metadata=None, **spec):
    head = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", **(metadata or {})}}
    return {**head, "spec": {"containers": [CONTAINER], **spec}}


def claim(size="1Gi", status=None, **spec):
    given = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    head = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "x"}}
    return {**head, "spec": given, "status": status or {}}


def bound(size="1Gi", **spec):
    return claim(size, {"phase": "Bound", "capacity": {"storage": "1Gi"}}, volumeName="v", **spec)


def volume(path="/x", **spec):
    given = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": path}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "x"}, "spec": given}


def service(address, **spec):
    given = {"ports": [{"port": 80}], "clusterIP": address, "clusterIPs": [address], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": given}


def bare(kind, **fields):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, **fields}


EXISTS = {"key": "a", "operator": "Exists"}
CASES = {
    "a pod's image may change": (pod(), pod(containers=[{**CONTAINER, "image": "b:1"}]), []),
    "a pod may tolerate more": (pod(), pod(tolerations=[EXISTS]), []),
    "a pod may not tolerate less": (
        pod(tolerations=[EXISTS]),
        pod(),
        ["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"],
    ),
    "a pod's deadline may be set": (pod(), pod(activeDeadlineSeconds=5), []),
    "a pod's deadline may not move away": (
        pod(activeDeadlineSeconds=5),
        pod(activeDeadlineSeconds=6),
        ["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"],
    ),
    "a pod's deadline may not go": (
        pod(activeDeadlineSeconds=5),
        pod(),
        ["spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"],
    ),
    "a pod keeps its number of containers": (
        pod(),
        pod(containers=[CONTAINER, {"name": "d", "image": "a:1"}]),
        ["spec.containers: Forbidden: pod updates may not add or remove containers"],
    ),
    "a pod's node does not change, and the message shows where": (
        pod(),
        pod(nodeName="n"),
        [
            POD_CHANGES + "@@ -42,7 +42,7 @@\n"
            '  "NodeSelector": null,\n'
            '  "ServiceAccountName": "",\n'
            '  "AutomountServiceAccountToken": null,\n'
            '- "NodeName": "",\n'
            '+ "NodeName": "n",\n'
            '  "SecurityContext": {\n'
            '   "HostNetwork": false,\n'
            '   "HostPID": false,\n'
        ],
    ),
    "a gate may open": (pod(schedulingGates=[{"name": "g"}]), pod(), []),
    "a gate may not close": (
        pod(schedulingGates=[{"name": "g"}]),
        pod(schedulingGates=[{"name": "h"}]),
        ["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'h'"],
    ),
    "a gated pod may be told more precisely where to go": (
        pod(schedulingGates=[{"name": "g"}]),
        pod(schedulingGates=[{"name": "g"}], nodeSelector={"a": "b"}),
        [],
    ),
    "a deleted pod gets no new finalizers": (
        pod({"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        pod({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a.b/c"]}),
        [
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new "
            'finalizers []string{"a.b/c"}'
        ],
    ),
    "an unbound claim does not grow, and the message shows where": (
        claim(),
        claim("2Gi"),
        [
            CLAIM_CHANGES + "@@ -6,7 +6,7 @@\n"
            '  "Resources": {\n'
            '   "Limits": null,\n'
            '   "Requests": {\n'
            '-   "storage": "1Gi"\n'
            '+   "storage": "2Gi"\n'
            "   }\n"
            "  },\n"
            '  "VolumeName": "",\n'
        ],
    ),
    "a bound claim may grow": (bound(), bound("2Gi"), []),
    "a bound claim does not shrink below what it has": (
        bound("2Gi"),
        bound("1Gi"),
        ["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"],
    ),
    "a claim is given its volume once": (claim(), claim(volumeName="v"), []),
    "a claim without a class may be given one": (claim(), claim(storageClassName="z"), []),
    "a volume's policy may change": (volume(), volume(persistentVolumeReclaimPolicy="Delete"), []),
    "a volume's source stays": (
        volume(),
        volume("/y"),
        [
            "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n"
            "@@ -2,7 +2,7 @@\n"
            '  "GCEPersistentDisk": null,\n'
            '  "AWSElasticBlockStore": null,\n'
            '  "HostPath": {\n'
            '-  "Path": "/x",\n'
            '+  "Path": "/y",\n'
            '   "Type": ""\n'
            "  },\n"
            '  "Glusterfs": null,\n'
        ],
    ),
    "a service keeps its address": (
        service("None"),
        service("10.96.0.99"),
        ['spec.clusterIPs[0]: Invalid value: ["10.96.0.99"]: may not change once set'],
    ),
    "a secret keeps its type": (
        bare("Secret"),
        bare("Secret", type="x/y"),
        ['type: Invalid value: "x/y": field is immutable'],
    ),
    "an immutable config stays as it is": (
        bare("ConfigMap", data={"a": "1"}, immutable=True),
        bare("ConfigMap", data={"a": "2"}),
        [
            "immutable: Forbidden: field is immutable when `immutable` is set",
            "data: Forbidden: field is immutable when `immutable` is set",
        ],
    ),
    "a node keeps its pod range": (
        bare("Node", spec={"podCIDR": "10.1.0.0/24"}),
        bare("Node", spec={"podCIDR": "10.2.0.0/24"}),
        ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'],
    ),
    "a quota keeps its scopes": (
        bare("ResourceQuota", spec={"hard": {"pods": "1"}}),
        bare("ResourceQuota", spec={"hard": {"pods": "1"}, "scopes": ["BestEffort"]}),
        ['spec.scopes: Invalid value: ["BestEffort"]: field is immutable'],
    ),
}


@pytest.mark.parametrize("before, after, complaints", CASES.values(), ids=CASES)
def test_update(before, after, complaints, updated):
    assert updated(before, after)[1] == complaints


def test_an_update_leaves_the_status_alone(updated):
    after = {**pod(), "status": {"phase": "Running"}}
    assert updated(pod(), after)[0]["status"] == {}
