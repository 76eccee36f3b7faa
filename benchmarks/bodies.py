"""The least object of each kind that every API server takes and no controller makes much of: data for `every_kind`."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Tree = dict[str, Any]
LABELS = {"app": "knarr-benchmark-kinds"}
NOBODY = {"app": "none"}  # what workloads select: not the pods above
CONTAINERS = {"containers": [{"name": "main", "image": "none"}], "nodeSelector": {"none": "none"}}
TEMPLATE = {"metadata": {"labels": NOBODY}, "spec": CONTAINERS}
WORKLOAD = {"selector": {"matchLabels": NOBODY}, "template": TEMPLATE}
JOB_TEMPLATE = {"spec": CONTAINERS | {"restartPolicy": "Never"}}
REFERENCE = {"apiVersion": "v1", "kind": "ConfigMap", "name": "none"}


NOTHING = {"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothing"]}
HOOK = {
    "name": "hook.example.com",
    "clientConfig": {"url": "https://127.0.0.1:1/"},
    "rules": [NOTHING],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
SCHEMA = {"openAPIV3Schema": {"type": "object"}}


def request() -> str:
    """A certificate signing request as the API takes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


@dataclass(frozen=True, slots=True)
class Sample:
    """One kind. In `rest`, what an object has beside its metadata, `{name}` stands for the bare name; in `form`, what
    kinds with a rule for names make of it, so does `{name}`, and `{hex}` for one with colons and hexadecimal digits."""

    version: str
    plural: str
    kind: str
    rest: Tree = field(default_factory=dict)
    namespaced: bool = True
    form: str = "{name}"

    def path(self, namespace: str) -> str:
        root = f"/apis/{self.version}" if "/" in self.version else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" if self.namespaced else f"{root}/{self.plural}"

    def name(self, name: str) -> str:
        return self.form.replace("{name}", name).replace("{hex}", name.replace("filled-", "1:").replace("timed-", "2:"))

    def tree(self, name: str) -> Tree:
        rest: Tree = json.loads(json.dumps(self.rest).replace("{name}", name))
        metadata = {"name": self.name(name), "labels": LABELS}
        return {"apiVersion": self.version, "kind": self.kind, "metadata": metadata} | rest


def _all(namespaced: bool, version: str, *kinds: tuple[str, str, Tree], form: str = "{name}") -> tuple[Sample, ...]:
    return tuple(Sample(version, plural, kind, rest, namespaced, form) for plural, kind, rest in kinds)


KINDS: tuple[Sample, ...] = (
    *_all(
        True,
        "v1",
        ("configmaps", "ConfigMap", {}),
        ("endpoints", "Endpoints", {}),
        ("events", "Event", {"involvedObject": {"namespace": "knarr-benchmark-events"}, "reason": "None"}),
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
        ("resourcequotas", "ResourceQuota", {"spec": {"hard": {"count/nothing.example.com": "1"}}}),
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
        ("servicecidrs", "ServiceCIDR", {"spec": {"cidrs": ["fd00:1::/112"]}}),
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
        (
            "volumeattributesclasses",
            "VolumeAttributesClass",
            {"driverName": "example.com", "parameters": {"none": "none"}},
        ),
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
        (
            "validatingadmissionpolicies",
            "ValidatingAdmissionPolicy",
            {"spec": {"matchConstraints": {"resourceRules": [NOTHING]}, "validations": [{"expression": "true"}]}},
        ),
        (
            "validatingadmissionpolicybindings",
            "ValidatingAdmissionPolicyBinding",
            {"spec": {"policyName": "filled-0", "validationActions": ["Deny"]}},
        ),
        (
            "mutatingadmissionpolicies",
            "MutatingAdmissionPolicy",
            {
                "spec": {
                    "matchConstraints": {"resourceRules": [NOTHING]},
                    "mutations": [
                        {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{}"}}
                    ],
                    "reinvocationPolicy": "Never",
                }
            },
        ),
        (
            "mutatingadmissionpolicybindings",
            "MutatingAdmissionPolicyBinding",
            {"spec": {"policyName": "filled-0"}},
        ),
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
    *_all(
        False,
        "networking.k8s.io/v1",
        (
            "ipaddresses",
            "IPAddress",
            {"spec": {"parentRef": {"resource": "services", "namespace": "none", "name": "none"}}},
        ),
        form="fd00::{hex}",
    ),
    *_all(
        False,
        "certificates.k8s.io/v1",
        (
            "certificatesigningrequests",
            "CertificateSigningRequest",
            {"spec": {"request": request(), "signerName": "example.com/none", "usages": ["client auth"]}},
        ),
    ),
    *_all(
        False,
        "apiextensions.k8s.io/v1",
        (
            "customresourcedefinitions",
            "CustomResourceDefinition",
            {
                "spec": {
                    "group": "example.com",
                    "names": {"plural": "{name}", "kind": "{name}"},
                    "scope": "Namespaced",
                    "versions": [{"name": "v1", "served": True, "storage": True, "schema": SCHEMA}],
                }
            },
        ),
        form="{name}.example.com",
    ),
    *_all(
        False,
        "apiregistration.k8s.io/v1",
        (
            "apiservices",
            "APIService",
            {
                "spec": {
                    "group": "{name}.example.org",
                    "version": "v1",
                    "groupPriorityMinimum": 1,
                    "versionPriority": 1,
                    "service": {"namespace": "none", "name": "none"},
                    "insecureSkipTLSVerify": True,
                }
            },
        ),
        form="v1.{name}.example.org",
    ),
    *_all(
        True,
        "resource.k8s.io/v1",
        ("resourceclaims", "ResourceClaim", {"spec": {"devices": {}}}),
        ("resourceclaimtemplates", "ResourceClaimTemplate", {"spec": {"spec": {"devices": {}}}}),
    ),
    *_all(
        False,
        "resource.k8s.io/v1",
        ("deviceclasses", "DeviceClass", {"spec": {}}),
        (
            "resourceslices",
            "ResourceSlice",
            {
                "spec": {
                    "driver": "example.com",
                    "pool": {"name": "none", "generation": 1, "resourceSliceCount": 1},
                    "nodeName": "none",
                    "devices": [],
                }
            },
        ),
    ),
)
