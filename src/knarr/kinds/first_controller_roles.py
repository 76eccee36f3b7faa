"""What the roles of controllers allow that have an account of their own each: kube-controller-manager's, when it runs
with `--use-service-account-credentials`. The role `system:controller:<name>` is the account's <name> in kube-system.

knarr's own controllers are in the server and need none of them.
"""

from knarr.kinds.first_role_table import CSR, EVENTS, GROUP, READ, Grant

PREFIX = "system:controller:"
LOOK = "list watch"
OLD_APPS = "apps extensions"
CSI = "storage.k8s.io"
KEEP = "create delete get list patch update watch"
PODS_OF_SETS: Grant = ("create delete list patch watch", "core", "pods")

GRANTS: dict[str, tuple[Grant, ...]] = {
    "attachdetach-controller": (
        (LOOK, "core", "persistentvolumeclaims persistentvolumes"),
        (READ, "core", "nodes"),
        ("patch update", "core", "nodes/status"),
        (LOOK, "core", "pods"),
        EVENTS,
        ("create delete get list watch", CSI, "volumeattachments"),
        (READ, CSI, "csidrivers"),
        (READ, CSI, "csinodes"),
    ),
    "certificate-controller": (
        ("delete get list watch", "certificates.k8s.io", CSR),
        ("update", "certificates.k8s.io", f"{CSR}/approval {CSR}/status"),
        ("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
        (
            "sign",
            "certificates.k8s.io",
            "signers",
            "kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet "
            "kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown",
        ),
        ("create", "authorization.k8s.io", "subjectaccessreviews"),
        EVENTS,
    ),
    "clusterrole-aggregation-controller": (("escalate get list patch update watch", GROUP, "clusterroles"),),
    "cronjob-controller": (
        ("get list update watch", "batch", "cronjobs"),
        (KEEP, "batch", "jobs"),
        ("update", "batch", "cronjobs/status"),
        ("update", "batch", "cronjobs/finalizers"),
        ("delete list watch", "core", "pods"),
        EVENTS,
    ),
    "daemon-set-controller": (
        (READ, OLD_APPS, "daemonsets"),
        ("update", OLD_APPS, "daemonsets/status"),
        ("update", OLD_APPS, "daemonsets/finalizers"),
        (LOOK, "core", "nodes"),
        PODS_OF_SETS,
        ("create", "core", "pods/binding"),
        (KEEP, "apps", "controllerrevisions"),
        EVENTS,
    ),
    "deployment-controller": (
        ("get list update watch", OLD_APPS, "deployments"),
        ("update", OLD_APPS, "deployments/status"),
        ("update", OLD_APPS, "deployments/finalizers"),
        (KEEP, OLD_APPS, "replicasets"),
        ("get list update watch", "core", "pods"),
        EVENTS,
    ),
    "disruption-controller": (
        (READ, OLD_APPS, "deployments"),
        (READ, OLD_APPS, "replicasets"),
        (READ, "core", "replicationcontrollers"),
        (READ, "policy", "poddisruptionbudgets"),
        (READ, "apps", "statefulsets"),
        ("update", "policy", "poddisruptionbudgets/status"),
        ("patch update", "core", "pods/status"),
        ("get", "*", "*/scale"),
        EVENTS,
    ),
    "endpoint-controller": (
        (READ, "core", "pods services"),
        ("create delete get list update watch", "core", "endpoints"),
        ("create", "core", "endpoints/restricted"),
        EVENTS,
    ),
    "endpointslice-controller": (
        (READ, "core", "nodes pods services"),
        ("update", "core", "services/finalizers"),
        ("create delete get list update watch", "discovery.k8s.io", "endpointslices"),
        EVENTS,
    ),
    "endpointslicemirroring-controller": (
        (READ, "core", "endpoints services"),
        ("update", "core", "services/finalizers"),
        ("update", "core", "endpoints/finalizers"),
        ("create delete get list update watch", "discovery.k8s.io", "endpointslices"),
        EVENTS,
    ),
    "ephemeral-volume-controller": (
        (READ, "core", "pods"),
        ("update", "core", "pods/finalizers"),
        ("create get list watch", "core", "persistentvolumeclaims"),
        EVENTS,
    ),
    "expand-controller": (
        ("get list patch update watch", "core", "persistentvolumes"),
        ("patch update", "core", "persistentvolumeclaims/status"),
        (READ, "core", "persistentvolumeclaims"),
        EVENTS,
        ("get", "core", "services"),
    ),
    "generic-garbage-collector": (("delete get list patch update watch", "*", "*"), EVENTS),
    "horizontal-pod-autoscaler": (
        (READ, "autoscaling", "horizontalpodautoscalers"),
        ("update", "autoscaling", "horizontalpodautoscalers/status"),
        ("get update", "*", "*/scale"),
        (LOOK, "core", "pods"),
        (LOOK, "metrics.k8s.io", "pods"),
        (READ, "custom.metrics.k8s.io", "*"),
        (READ, "external.metrics.k8s.io", "*"),
        EVENTS,
    ),
    "job-controller": (
        ("get list patch update watch", "batch", "jobs"),
        ("update", "batch", "jobs/status"),
        ("update", "batch", "jobs/finalizers"),
        PODS_OF_SETS,
        EVENTS,
    ),
    "legacy-service-account-token-cleaner": (
        ("get", "core", "configmaps", "kube-apiserver-legacy-service-account-token-tracking"),
        ("delete patch", "core", "secrets"),
    ),
    "namespace-controller": (
        ("delete get list watch", "core", "namespaces"),
        ("update", "core", "namespaces/finalize namespaces/status"),
        ("delete deletecollection get list watch", "*", "*"),
    ),
    "node-controller": (
        ("delete get list patch update watch", "core", "nodes"),
        ("patch update", "core", "nodes/status"),
        ("patch update", "core", "pods/status"),
        ("delete get list watch", "core", "pods"),
        EVENTS,
    ),
    "persistent-volume-binder": (
        ("create delete get list update watch", "core", "persistentvolumes"),
        ("update", "core", "persistentvolumes/status"),
        ("get list update watch", "core", "persistentvolumeclaims"),
        ("update", "core", "persistentvolumeclaims/status"),
        ("create delete get list watch", "core", "pods"),
        (READ, CSI, "storageclasses"),
        (LOOK, "core", "nodes"),
        EVENTS,
        ("watch", "core", "events"),
        ("get", "core", "services"),
    ),
    "pod-garbage-collector": (
        ("delete list watch", "core", "pods"),
        (READ, "core", "nodes"),
        ("patch", "core", "pods/status"),
    ),
    "pv-protection-controller": (("get list update watch", "core", "persistentvolumes"), EVENTS),
    "pvc-protection-controller": (
        ("get list update watch", "core", "persistentvolumeclaims"),
        (READ, "core", "pods"),
        EVENTS,
    ),
    "replicaset-controller": (
        ("get list update watch", OLD_APPS, "replicasets"),
        ("update", OLD_APPS, "replicasets/status"),
        ("update", OLD_APPS, "replicasets/finalizers"),
        PODS_OF_SETS,
        EVENTS,
    ),
    "replication-controller": (
        ("get list update watch", "core", "replicationcontrollers"),
        ("update", "core", "replicationcontrollers/status"),
        ("update", "core", "replicationcontrollers/finalizers"),
        PODS_OF_SETS,
        EVENTS,
    ),
    "resource-claim-controller": (
        (READ, "core", "pods"),
        ("update", "core", "pods/finalizers"),
        ("create delete get list watch", "resource.k8s.io", "resourceclaims"),
        ("patch update", "resource.k8s.io", "resourceclaims resourceclaims/status"),
        ("patch update", "core", "pods/status"),
        EVENTS,
    ),
    "resourcequota-controller": ((LOOK, "*", "*"), ("update", "core", "resourcequotas/status"), EVENTS),
    "root-ca-cert-publisher": (("create update", "core", "configmaps"), EVENTS),
    "route-controller": ((LOOK, "core", "nodes"), ("patch", "core", "nodes/status"), EVENTS),
    "selinux-warning-controller": (
        EVENTS,
        (READ, "core", "persistentvolumes"),
        (READ, "core", "persistentvolumeclaims"),
        (READ, "core", "pods"),
        (READ, CSI, "csidrivers"),
    ),
    "service-account-controller": (("create", "core", "serviceaccounts"), EVENTS),
    "service-cidrs-controller": (
        ("get list patch update watch", "networking.k8s.io", "servicecidrs"),
        ("patch update", "networking.k8s.io", "servicecidrs/finalizers"),
        ("patch update", "networking.k8s.io", "servicecidrs/status"),
        (READ, "networking.k8s.io", "ipaddresses"),
        EVENTS,
    ),
    "service-controller": (
        (READ, "core", "services"),
        ("patch update", "core", "services/status"),
        (LOOK, "core", "nodes"),
        EVENTS,
    ),
    "statefulset-controller": (
        (LOOK, "core", "pods"),
        (READ, "apps", "statefulsets"),
        ("update", "apps", "statefulsets/status"),
        ("update", "apps", "statefulsets/finalizers"),
        ("create delete get patch update", "core", "pods"),
        (KEEP, "apps", "controllerrevisions"),
        ("create get list watch", "core", "persistentvolumeclaims"),
        ("delete update", "core", "persistentvolumeclaims"),
        ("update", "core", "pods/finalizers"),
        EVENTS,
    ),
    "ttl-after-finished-controller": (("delete get list watch", "batch", "jobs"), EVENTS),
    "ttl-controller": (("list patch update watch", "core", "nodes"), EVENTS),
    "validatingadmissionpolicy-status-controller": (
        (READ, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
        ("get patch update", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"),
        EVENTS,
    ),
    "volumeattributesclass-protection-controller": (
        (READ, "core", "persistentvolumeclaims"),
        (READ, "core", "persistentvolumes"),
        ("get list update watch", CSI, "volumeattributesclasses"),
        EVENTS,
    ),
}
ROLES = {PREFIX + name: grants for name, grants in GRANTS.items()}
BINDINGS = {PREFIX + name: (("ServiceAccount", name),) for name in GRANTS}
