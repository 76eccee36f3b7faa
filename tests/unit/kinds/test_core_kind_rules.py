"""What upstream refuses in the metadata and in the core kinds beside the pod."""

import msgspec
import pytest

from knarr.kinds import namespace, persistentvolumeclaim, pod_rules, replicationcontroller, service_rules
from knarr.kinds.types import core_v1

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def bare(kind, **fields):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, **fields}


def named(**metadata):
    return bare("ConfigMap") | {"metadata": {"name": "x", **metadata}}


def service(**spec):
    given = {"ports": [{"port": 80}], "clusterIP": "None", "clusterIPs": ["None"], **spec}
    return bare("Service", spec={key: value for key, value in given.items() if value is not None})


def claim(**spec):
    return bare(
        "PersistentVolumeClaim",
        spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec},
    )


def volume(**spec):
    return bare(
        "PersistentVolume",
        spec={
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "nfs": {"server": "s", "path": "/v"},
            **spec,
        },
    )


def owner(kind="A", name="p", uid="1", **fields):
    return {"apiVersion": "v1", "kind": kind, "name": name, "uid": uid, **fields}


BANNED = '{"apiVersion":"v1","kind":"Event","name":"p","uid":"1"}'
CONTROLLERS = (
    '[{"apiVersion":"v1","kind":"A","name":"p","uid":"1","controller":true},'
    '{"apiVersion":"v1","kind":"B","name":"p","uid":"1","controller":true}]'
)

CASES = {
    "a name is needed": (named(name=""), ["metadata.name: Required value: name or generateName is required"]),
    "a name is a subdomain": (named(name="-a"), [f'metadata.name: Invalid value: "-a": {SUBDOMAIN}']),
    "a generated name's beginning may end in a hyphen": (named(generateName="a-"), []),
    "a label's key is a qualified name": (
        named(labels={"a b": "c"}),
        [f'metadata.labels: Invalid value: "a b": {NAME_PART}'],
    ),
    "annotations may not be too big": (
        named(annotations={"a": "x" * 262144}),
        ["metadata.annotations: Too long: may not be more than 262144 bytes"],
    ),
    "an annotation's key may have capitals": (named(annotations={"Example.com/A": ""}), []),
    "a finalizer is qualified": (
        named(finalizers=["me"]),
        [
            'metadata.finalizers[0]: Invalid value: "me": name is neither a standard finalizer name nor is it fully '
            "qualified"
        ],
    ),
    "dependents are orphaned or deleted": (
        named(finalizers=["orphan", "foregroundDeletion"]),
        [
            'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and '
            "foregroundDeletion cannot be both set"
        ],
    ),
    "an owner has a uid": (
        named(ownerReferences=[owner(uid="")]),
        ['metadata.ownerReferences.uid: Invalid value: "": must not be empty'],
    ),
    "an event owns nothing": (
        named(ownerReferences=[owner("Event")]),
        [f"metadata.ownerReferences: Invalid value: {BANNED}: /v1, Kind=Event is disallowed from being an owner"],
    ),
    "an object has one controller": (
        named(ownerReferences=[owner(controller=True), owner("B", controller=True)]),
        [
            f"metadata.ownerReferences: Invalid value: {CONTROLLERS}: Only one reference can have Controller set to "
            'true. Found "true" in references for A/p and B/p'
        ],
    ),
    "a service's name has no dots": (
        service() | {"metadata": {"name": "a.b"}},
        ['metadata.name: Invalid value: "a.b": must not contain dots'],
    ),
    "a headless service needs no ports": (service(ports=[]), []),
    "any other service needs a port": (
        service(ports=[], clusterIP="10.96.0.9", clusterIPs=["10.96.0.9"]),
        ["spec.ports: Required value"],
    ),
    "two ports need names": (
        service(ports=[{"port": 80, "name": "a"}, {"port": 81}]),
        ["spec.ports[1].name: Required value"],
    ),
    "a node port is for services with node ports": (
        service(ports=[{"port": 80, "nodePort": 30080}]),
        ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ),
    "a service's type is one of four": (
        service(type="X", internalTrafficPolicy=None),
        [
            'spec.type: Unsupported value: "X": supported values: "ClusterIP", "ExternalName", "LoadBalancer", '
            '"NodePort"'
        ],
    ),
    "a service's address is one": (
        service(clusterIP="1.2.3", clusterIPs=["1.2.3"]),
        ['spec.clusterIPs[0]: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ),
    "an alias needs a name": (
        bare("Service", spec={"type": "ExternalName"}),
        ["spec.externalName: Required value"],
    ),
    "a policy for outside needs an outside": (
        service(externalTrafficPolicy="Local"),
        ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
    ),
    "an external address is no loopback": (
        service(externalIPs=["127.0.0.1"], externalTrafficPolicy="Cluster"),
        ['spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
    ),
    "a config's key is a file name": (
        bare("ConfigMap", data={"..": "x"}),
        ["data[..]: Invalid value: \"..\": must not be '..'"],
    ),
    "a config's key is text or binary": (
        bare("ConfigMap", data={"a": "1"}, binaryData={"a": "AAAA"}),
        ['data[a]: Invalid value: "a": duplicate of key present in binaryData'],
    ),
    "a registry's secret has its key": (
        bare("Secret", type="kubernetes.io/dockerconfigjson"),
        ["data[.dockerconfigjson]: Required value"],
    ),
    "a registry's secret is JSON": (
        bare("Secret", type="kubernetes.io/dockerconfigjson", stringData={".dockerconfigjson": "{"}),
        [
            'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character in JSON',
        ],
    ),
    "basic authentication is a user or a password": (
        bare("Secret", type="kubernetes.io/basic-auth"),
        ["data[username]: Required value", "data[password]: Required value"],
    ),
    "a token's secret names its account": (
        bare("Secret", type="kubernetes.io/service-account-token"),
        ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
    ),
    "a claim asks for a known access": (
        claim(accessModes=["X"]),
        [
            'spec.accessModes: Unsupported value: "X": supported values: "ReadOnlyMany", "ReadWriteMany", '
            '"ReadWriteOnce", "ReadWriteOncePod"'
        ],
    ),
    "a claim asks for a size": (claim(resources={}), ["spec.resources[storage]: Required value"]),
    "a size is positive": (
        claim(resources={"requests": {"storage": "-1Gi"}}),
        ['spec.resources[storage]: Invalid value: "-1Gi": must be greater than zero'],
    ),
    "a volume has access modes": (volume(accessModes=[]), ["spec.accessModes: Required value"]),
    "an NFS path is absolute": (
        volume(nfs={"server": "s", "path": "rel"}),
        ['spec.nfs.path: Invalid value: "rel": must be an absolute path'],
    ),
    "a volume has one source": (
        volume(hostPath={"path": "/x"}),
        ["spec.nfs: Forbidden: may not specify more than 1 volume type"],
    ),
    "a local volume is on some node": (
        volume(nfs=None, local={"path": "/x"}),
        ["spec.nodeAffinity: Required value: Local volume requires node affinity"],
    ),
    "a replication controller needs a template": (
        bare("ReplicationController", spec={}),
        ["spec.selector: Required value", "spec.template: Required value"],
    ),
    "a limit is of a known type": (
        bare("LimitRange", spec={"limits": [{"type": "X Y"}]}),
        [f'spec.limits[0].type: Invalid value: "X Y": {NAME_PART}'],
    ),
    "a minimum is below its maximum": (
        bare("LimitRange", spec={"limits": [{"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]}),
        ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
    ),
    "a ratio lies within its bounds, however large": (
        bare(
            "LimitRange",
            spec={
                "limits": [
                    {"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "1e900"}}
                ]
            },
        ),
        [
            'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "1e900": ratio 1e900 is greater than max/min = '
            "2.000000"
        ],
    ),
    "a quota is not negative": (
        bare("ResourceQuota", spec={"hard": {"pods": "-1"}}),
        ['spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0'],
    ),
    "a quota's scope is a known one": (
        bare("ResourceQuota", spec={"hard": {"pods": "2"}, "scopes": ["X"]}),
        ['spec.scopes: Invalid value: ["X"]: unsupported scope'],
    ),
    "an endpoint has an address": (
        bare("Endpoints", subsets=[{"addresses": [{"ip": "x"}]}]),
        [
            'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or '
            "2001:db8::ffff)",
            'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address',
        ],
    ),
    "a node's pods have a range": (
        bare("Node", spec={"podCIDR": "x"}),
        ['spec.podCIDRs[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'],
    ),
    "a taint has an effect": (
        bare("Node", spec={"taints": [{"key": "a"}]}),
        ["metadata.taints[0].effect: Required value"],
    ),
    "an event stays in its object's namespace": (
        bare("Event", involvedObject={"kind": "Pod", "namespace": "other"}),
        ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ),
}


@pytest.mark.parametrize("body, complaints", CASES.values(), ids=CASES)
def test_create(body, complaints, created):
    assert created(body)[1] == complaints


def a(type_, **fields):
    return msgspec.convert(fields, type_)


def ended(code):
    return {"state": {"terminated": {"exitCode": code}}, "name": "c"}


RUNNING = {"state": {"running": {}}, "name": "c"}
ONCE = {"restartPolicy": "Never"}
BEHIND = "cannot be greater than"
STATUSES = {
    "a pod's class stays": (
        pod_rules.validate_status,
        a(core_v1.Pod, status={"qosClass": "Guaranteed"}),
        a(core_v1.Pod, status={"qosClass": "BestEffort"}),
        ['status.qosClass: Invalid value: "Guaranteed": field is immutable'],
    ),
    "a container that ended for good does not run again": (
        pod_rules.validate_status,
        a(core_v1.Pod, spec=ONCE, status={"containerStatuses": [RUNNING]}),
        a(core_v1.Pod, spec=ONCE, status={"containerStatuses": [ended(1)]}),
        ["status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"],
    ),
    "a container that may restart does": (
        pod_rules.validate_status,
        a(core_v1.Pod, status={"containerStatuses": [RUNNING]}),
        a(core_v1.Pod, spec={"restartPolicy": "OnFailure"}, status={"containerStatuses": [ended(1)]}),
        [],
    ),
    "a pod has one address of a family": (
        pod_rules.validate_status,
        a(core_v1.Pod, status={"podIPs": [{"ip": "10.1.1.1"}, {"ip": "10.1.1.2"}]}),
        a(core_v1.Pod),
        [
            'status.podIPs: Invalid value: [{"IP":"10.1.1.1"},{"IP":"10.1.1.2"}]: may specify no more than one IP for '
            "each IP family"
        ],
    ),
    "counts are not negative": (
        replicationcontroller.validate_status,
        a(core_v1.ReplicationController, status={"replicas": -1}),
        a(core_v1.ReplicationController),
        [
            "status.replicas: Invalid value: -1: must be greater than or equal to 0",
            *(
                f"status.{name}: Invalid value: 0: {BEHIND} status.replicas"
                for name in ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
            ),
        ],
    ),
    "a namespace terminates when it is deleted": (
        namespace.validate_status,
        a(core_v1.Namespace, status={"phase": "Terminating"}),
        a(core_v1.Namespace),
        ["status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"],
    ),
    "only a load balancer balances": (
        service_rules.validate_status,
        a(core_v1.Service, status={"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}),
        a(core_v1.Service),
        ["status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"],
    ),
    "a claim's capacity is storage": (
        persistentvolumeclaim.validate_status,
        a(core_v1.PersistentVolumeClaim, spec={"accessModes": ["x"]}, status={"allocatedResources": {"cpu": "1"}}),
        a(core_v1.PersistentVolumeClaim),
        ['status.allocatedResources[cpu]: Unsupported value: "cpu": supported values: "storage"'],
    ),
}


@pytest.mark.parametrize("rule, new, old, complaints", STATUSES.values(), ids=STATUSES)
def test_status(rule, new, old, complaints):
    assert [str(error) for error in rule(new, old)] == complaints
