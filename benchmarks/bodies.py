"""The least object of each kind that every API server takes and no controller makes much of: data for `every_kind`."""

from dataclasses import dataclass, field
from typing import Any

Tree = dict[str, Any]
LABELS = {"app": "knarr-benchmark-kinds"}
NOBODY = {"app": "none"}  # what workloads select: not the pods above
CONTAINERS = {"containers": [{"name": "main", "image": "none"}], "nodeSelector": {"none": "none"}}
TEMPLATE = {"metadata": {"labels": NOBODY}, "spec": CONTAINERS}
WORKLOAD = {"selector": {"matchLabels": NOBODY}, "template": TEMPLATE}
JOB_TEMPLATE = {"spec": CONTAINERS | {"restartPolicy": "Never"}}
HOOK = {
    "name": "hook.example.com",
    "clientConfig": {"url": "https://127.0.0.1:1/"},
    "rules": [
        {"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothing"]}
    ],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
REFERENCE = {"apiVersion": "v1", "kind": "ConfigMap", "name": "none"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One kind. `rest` is what an object has beside its metadata; `{name}` in names stands for the object's."""

    version: str
    plural: str
    kind: str
    rest: Tree = field(default_factory=dict)
    namespaced: bool = True
    suffix: str = ""  #: of the names, where a kind has a rule for them

    def path(self, namespace: str) -> str:
        root = f"/apis/{self.version}" if "/" in self.version else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" if self.namespaced else f"{root}/{self.plural}"

    def name(self, name: str) -> str:
        return name + self.suffix

    def tree(self, name: str) -> Tree:
        metadata = {"name": self.name(name), "labels": LABELS}
        return {"apiVersion": self.version, "kind": self.kind, "metadata": metadata} | self.rest


def _all(namespaced: bool, version: str, *kinds: tuple[str, str, Tree]) -> tuple[Sample, ...]:
    return tuple(Sample(version, plural, kind, rest, namespaced) for plural, kind, rest in kinds)


KINDS: tuple[Sample, ...] = (
    *_all(
        True,
        "v1",
        ("configmaps", "ConfigMap", {}),
        ("endpoints", "Endpoints", {}),
        ("events", "Event", {"involvedObject": {"namespace": "knarr-benchmark-kinds"}, "reason": "None"}),
        (
            "limitranges",
            "LimitRange",
            {"spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "9Ti"}}]}},
        ),
        (
            "persistentvolumeclaims",
            "PersistentVolumeClaim",
            {
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "none",
                    "resources": {"requests": {"storage": "1Mi"}},
                }
            },
        ),
        ("pods", "Pod", {"spec": CONTAINERS}),
        ("podtemplates", "PodTemplate", {"template": TEMPLATE}),
        (
            "replicationcontrollers",
            "ReplicationController",
            {"spec": {"replicas": 0, "selector": NOBODY, "template": TEMPLATE}},
        ),
        ("secrets", "Secret", {}),
        ("serviceaccounts", "ServiceAccount", {}),
        ("services", "Service", {"spec": {"ports": [{"port": 80}]}}),
    ),
    *_all(
        False,
        "v1",
        ("namespaces", "Namespace", {}),
        ("nodes", "Node", {}),
        (
            "persistentvolumes",
            "PersistentVolume",
            {
                "spec": {
                    "capacity": {"storage": "1Mi"},
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "none-at-all",
                    "hostPath": {"path": "/nowhere"},
                }
            },
        ),
    ),
    *_all(
        True,
        "apps/v1",
        ("controllerrevisions", "ControllerRevision", {"revision": 1, "data": {}}),
        ("daemonsets", "DaemonSet", {"spec": WORKLOAD}),
        ("deployments", "Deployment", {"spec": WORKLOAD | {"replicas": 0, "paused": True}}),
        ("replicasets", "ReplicaSet", {"spec": WORKLOAD | {"replicas": 0}}),
        ("statefulsets", "StatefulSet", {"spec": WORKLOAD | {"replicas": 0, "serviceName": "none"}}),
    ),
    *_all(
        True,
        "batch/v1",
        ("jobs", "Job", {"spec": {"suspend": True, "template": JOB_TEMPLATE}}),
        (
            "cronjobs",
            "CronJob",
            {"spec": {"suspend": True, "schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": JOB_TEMPLATE}}}},
        ),
    ),
    *_all(
        True,
        "autoscaling/v2",
        (
            "horizontalpodautoscalers",
            "HorizontalPodAutoscaler",
            {
                "spec": {
                    "maxReplicas": 1,
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"},
                }
            },
        ),
    ),
    *_all(True, "coordination.k8s.io/v1", ("leases", "Lease", {})),
    *_all(True, "discovery.k8s.io/v1", ("endpointslices", "EndpointSlice", {"addressType": "IPv4", "endpoints": []})),
    *_all(True, "policy/v1", ("poddisruptionbudgets", "PodDisruptionBudget", {"spec": {"minAvailable": 0}})),
    *_all(
        True,
        "networking.k8s.io/v1",
        (
            "ingresses",
            "Ingress",
            {"spec": {"defaultBackend": {"service": {"name": "none", "port": {"number": 80}}}}},
        ),
        ("networkpolicies", "NetworkPolicy", {"spec": {"podSelector": {}}}),
    ),
    *_all(
        False,
        "networking.k8s.io/v1",
        ("ingressclasses", "IngressClass", {"spec": {"controller": "example.com/none"}}),
    ),
    *_all(
        True,
        "rbac.authorization.k8s.io/v1",
        ("roles", "Role", {"rules": []}),
        (
            "rolebindings",
            "RoleBinding",
            {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "none"}},
        ),
    ),
    *_all(
        False,
        "rbac.authorization.k8s.io/v1",
        ("clusterroles", "ClusterRole", {"rules": []}),
        (
            "clusterrolebindings",
            "ClusterRoleBinding",
            {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "none"}},
        ),
    ),
    *_all(False, "scheduling.k8s.io/v1", ("priorityclasses", "PriorityClass", {"value": 1})),
    *_all(False, "node.k8s.io/v1", ("runtimeclasses", "RuntimeClass", {"handler": "none"})),
    *_all(
        False,
        "storage.k8s.io/v1",
        ("csidrivers", "CSIDriver", {"spec": {}}),
        ("csinodes", "CSINode", {"spec": {"drivers": []}}),
        ("storageclasses", "StorageClass", {"provisioner": "example.com/none"}),
        (
            "volumeattachments",
            "VolumeAttachment",
            {"spec": {"attacher": "example.com", "nodeName": "none", "source": {"persistentVolumeName": "none"}}},
        ),
    ),
    *_all(True, "storage.k8s.io/v1", ("csistoragecapacities", "CSIStorageCapacity", {"storageClassName": "none"})),
    *_all(
        False,
        "admissionregistration.k8s.io/v1",
        ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", {"webhooks": [HOOK]}),
        ("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", {"webhooks": [HOOK]}),
    ),
    *_all(
        False,
        "flowcontrol.apiserver.k8s.io/v1",
        (
            "prioritylevelconfigurations",
            "PriorityLevelConfiguration",
            {
                "spec": {
                    "type": "Limited",
                    "limited": {"nominalConcurrencyShares": 1, "limitResponse": {"type": "Reject"}},
                }
            },
        ),
        (
            "flowschemas",
            "FlowSchema",
            {"spec": {"priorityLevelConfiguration": {"name": "none"}, "matchingPrecedence": 9000}},
        ),
    ),
)
