"""Whatever a client sends of a core kind is accepted or refused with a reason; nothing falls over."""

import copy
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knarr.kinds import metadata, schema
from knarr.kinds.table import BUILTIN
from knarr.meta import clock
from knarr.meta.errors import ApiError

POD_SPEC = {
    "containers": [
        {
            "name": "c",
            "image": "a",
            "ports": [{"containerPort": 1, "hostPort": 1}],
            "env": [
                {"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1"}}},
                {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "a"}}],
            "resources": {"limits": {"cpu": "1", "example.com/gpu": "1", "hugepages-2Mi": "4Mi"}},
            "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
            "livenessProbe": {"grpc": {"port": 3}},
            "readinessProbe": {"httpGet": {"port": "web", "httpHeaders": [{"name": "a", "value": "b"}]}},
            "securityContext": {"runAsUser": 1, "seccompProfile": {"type": "Localhost", "localhostProfile": "a"}},
            "volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "a", "mountPropagation": "None"}],
            "volumeDevices": [{"name": "p", "devicePath": "/d"}],
        }
    ],
    "initContainers": [{"name": "i", "image": "a", "restartPolicy": "Always"}],
    "volumes": [
        {"name": "v", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "p", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}},
        {"name": "i", "iscsi": {"targetPortal": "a", "iqn": "iqn.2001-04.com.example:storage", "lun": 1}},
        {"name": "f", "flexVolume": {"driver": "d", "options": {"kubernetes.io/x": "y"}}},
        {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "x"}}]}},
    ],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}]
            }
        },
        "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "z", "labelSelector": {"matchLabels": {"a": "b"}}, "matchLabelKeys": ["a"]}
            ]
        },
    },
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}],
    "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}],
    "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["a.b"], "options": [{"name": "x"}]},
    "hostAliases": [{"ip": "1.1.1.1", "hostnames": ["a"]}],
    "securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]},
    "schedulingGates": [{"name": "a"}],
}
CONTAINER_STATUS = {
    "name": "c",
    "restartCount": 1,
    "state": {"running": {}},
    "lastState": {"terminated": {"exitCode": 1}},
}
MANIFESTS = {
    "Pod": {
        "spec": POD_SPEC,
        "status": {"containerStatuses": [CONTAINER_STATUS], "conditions": [{"type": "Ready", "status": "True"}]},
    },
    "PodTemplate": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": POD_SPEC}},
    "ReplicationController": {"spec": {"replicas": 1, "selector": {"a": "b"}, "template": {"spec": POD_SPEC}}},
    "Service": {
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.96.0.9",
            "clusterIPs": ["10.96.0.9"],
            "ports": [{"port": 80, "nodePort": 30000, "targetPort": "web"}, {"port": 81, "name": "b"}],
            "externalIPs": ["1.2.3.4"],
            "loadBalancerSourceRanges": ["10.0.0.0/8"],
            "sessionAffinity": "ClientIP",
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}},
    },
    "Node": {
        "spec": {"podCIDR": "10.1.0.0/24", "taints": [{"key": "a", "effect": "NoSchedule"}]},
        "status": {"capacity": {"cpu": "1"}, "addresses": [{"type": "InternalIP", "address": "1.1.1.1"}]},
    },
    "PersistentVolumeClaim": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "dataSource": {"kind": "PersistentVolumeClaim", "name": "a"},
            "selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
        }
    },
    "PersistentVolume": {
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "csi": {"driver": "d", "volumeHandle": "h", "nodePublishSecretRef": {"name": "a", "namespace": "b"}},
            "claimRef": {"namespace": "d", "name": "c"},
        }
    },
    "Namespace": {"spec": {"finalizers": ["kubernetes"]}},
    "ConfigMap": {"data": {"a": "1"}, "binaryData": {"b": "AAAA"}},
    "Secret": {"type": "kubernetes.io/tls", "data": {"tls.crt": "AAAA"}, "stringData": {"tls.key": "a"}},
    "Endpoints": {"subsets": [{"addresses": [{"ip": "10.1.1.1", "hostname": "a"}], "ports": [{"port": 80}]}]},
    "Event": {
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "d"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
    },
    "LimitRange": {
        "spec": {
            "limits": [
                {"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1"}, "maxLimitRequestRatio": {"cpu": "2"}}
            ]
        }
    },
    "ResourceQuota": {
        "spec": {
            "hard": {"pods": "1"},
            "scopes": ["BestEffort"],
            "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["a"]}]},
        }
    },
}
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 1.5, [], {}, [None], [{}], {"a": None}, {"": ""}),
    *("", "x", "A B", "..", "a/b/c", "1Gi", "-1", "1e999", "::1", "10.0.0.1", "a" * 300, "é\x00", "None", "Always"),
]


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """A manifest with one to three values put out of place."""
    kind = draw(st.sampled_from(sorted(MANIFESTS)))
    head = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "labels": {"a": "b"}}}
    tree: Any = copy.deepcopy(head | MANIFESTS[kind])
    for _ in range(draw(st.integers(1, 3))):
        here = tree
        while True:
            keys = [*here] if isinstance(here, dict) else [*range(len(here))]
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(here[key], dict | list) and here[key] and draw(st.integers(0, 5)):
                here = here[key]
                continue
            odd = [value for value in ODD if type(value) is type(here[key])] if draw(st.booleans()) else ODD
            if draw(st.booleans()) or not odd:
                del here[key]
            else:
                here[key] = copy.deepcopy(draw(st.sampled_from(odd)))
            break
    return kind, head | MANIFESTS[kind], tree


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changed())
def test_odd_manifests(case: Any) -> None:
    name, good, odd = case
    kind = BUILTIN.by_kind("", "v1", name)
    assert kind is not None
    odd["apiVersion"], odd["kind"] = "v1", name
    before = copy.deepcopy(good)
    for tree in (before, odd):
        try:
            schema.normalise(tree, schema.type_name(kind.type))
        except ApiError as refused:
            assert refused.message
            return
        tree.setdefault("metadata", {}).setdefault("namespace", "d")
        kind.defaults(tree)
    old: Any = msgspec.convert(before, kind.type)
    status, new = copy.deepcopy(odd), copy.deepcopy(odd)
    kind.prepare_create(odd)
    kind.prepare_update(new, before)
    kind.prepare_status(status, before)
    made: Any = msgspec.convert(odd, kind.type)
    moved: Any = msgspec.convert(new, kind.type)
    told: Any = msgspec.convert(status, kind.type)
    errors = [
        *(*metadata.validate(kind, made.metadata), *kind.validate(made)),
        *(*metadata.validate_update(kind, moved.metadata, old.metadata), *kind.validate_update(moved, old)),
        *kind.validate_status(told, old),
    ]
    assert all(error.message and isinstance(error.path, str) for error in errors)
    assert all(isinstance(read(told), str) for read in kind.selectable.values())
    assert all(isinstance(warning, str) for warning in kind.warnings(made))
    assert kind.row is not None
    assert len(kind.row(told, clock.now())) == len(kind.columns)
