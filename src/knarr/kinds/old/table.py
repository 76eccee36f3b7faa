"""Every old version that is served: what it shows, and the releases that deprecated and removed it upstream.

Releases: `k8s.io/api/*/zz_generated.prerelease-lifecycle.go`. A version whose form is `ALIKE` needs a row alone.
"""

from collections.abc import Mapping
from functools import cache

from knarr.kinds import (
    apiservice,
    clusterrole,
    clusterrolebinding,
    controllerrevision,
    cronjob,
    csidriver,
    csinode,
    csistoragecapacity,
    daemonset,
    deployment,
    endpointslice,
    event_view,
    horizontalpodautoscaler,
    ingress,
    ingressclass,
    lease,
    networkpolicy,
    poddisruptionbudget,
    priorityclass,
    replicaset,
    role,
    rolebinding,
    runtimeclass,
    statefulset,
    storageclass,
    validatingadmissionpolicy,
    validatingadmissionpolicybinding,
    volumeattachment,
)
from knarr.kinds.kind import Kind
from knarr.kinds.old import workloads
from knarr.kinds.old.autoscaler import AUTOSCALER
from knarr.kinds.old.endpointslice import SLICE
from knarr.kinds.old.form import Old
from knarr.kinds.old.ingress import INGRESS
from knarr.kinds.old.poddisruptionbudget import BUDGET

ADMISSION = "admissionregistration.k8s.io"
RBAC, NETWORKING, STORAGE = "rbac.authorization.k8s.io", "networking.k8s.io", "storage.k8s.io"

OLD = (
    Old(validatingadmissionpolicy.KIND, ADMISSION, "v1beta1", 31, 34),
    Old(validatingadmissionpolicybinding.KIND, ADMISSION, "v1beta1", 31, 34),
    Old(apiservice.KIND, "apiregistration.k8s.io", "v1beta1", 19, 22),
    Old(controllerrevision.KIND, "apps", "v1beta2", 9, 16),
    Old(daemonset.KIND, "apps", "v1beta2", 9, 16, workloads.ORPHANING),
    Old(deployment.KIND, "apps", "v1beta2", 9, 16, workloads.ORPHANING),
    Old(replicaset.KIND, "apps", "v1beta2", 9, 16, workloads.ORPHANING),
    Old(statefulset.KIND, "apps", "v1beta2", 9, 16, workloads.ORPHANING),
    Old(controllerrevision.KIND, "apps", "v1beta1", 8, 16),
    Old(deployment.KIND, "apps", "v1beta1", 8, 16, workloads.FIRST_DEPLOYMENT),
    Old(statefulset.KIND, "apps", "v1beta1", 8, 16, workloads.FIRST_STATEFULSET),
    Old(daemonset.KIND, "extensions", "v1beta1", 8, 16, workloads.EXTENSIONS_DAEMONSET),
    Old(deployment.KIND, "extensions", "v1beta1", 8, 16, workloads.EXTENSIONS_DEPLOYMENT),
    Old(ingress.KIND, "extensions", "v1beta1", 14, 22, INGRESS),
    Old(networkpolicy.KIND, "extensions", "v1beta1", 9, 16),
    Old(replicaset.KIND, "extensions", "v1beta1", 8, 16, workloads.EXTENSIONS_REPLICASET),
    Old(horizontalpodautoscaler.KIND, "autoscaling", "v2beta2", 23, 26),
    Old(horizontalpodautoscaler.KIND, "autoscaling", "v2beta1", 22, 25, AUTOSCALER),
    Old(cronjob.KIND, "batch", "v1beta1", 21, 25, workloads.ORPHANING),
    Old(lease.KIND, "coordination.k8s.io", "v1beta1", 19, 22),
    Old(endpointslice.KIND, "discovery.k8s.io", "v1beta1", 21, 25, SLICE),
    Old(event_view.KIND, "events.k8s.io", "v1beta1", 22, 25),
    Old(ingress.KIND, NETWORKING, "v1beta1", 19, 22, INGRESS),
    Old(ingressclass.KIND, NETWORKING, "v1beta1", 19, 22, instead="IngressClassList"),  # upstream names the list
    Old(runtimeclass.KIND, "node.k8s.io", "v1beta1", 22, 25),
    Old(poddisruptionbudget.KIND, "policy", "v1beta1", 21, 25, BUDGET),
    Old(clusterrole.KIND, RBAC, "v1beta1", 17, 22),
    Old(clusterrolebinding.KIND, RBAC, "v1beta1", 17, 22),
    Old(role.KIND, RBAC, "v1beta1", 17, 22),
    Old(rolebinding.KIND, RBAC, "v1beta1", 17, 22),
    Old(priorityclass.KIND, "scheduling.k8s.io", "v1beta1", 14, 22),
    Old(csidriver.KIND, STORAGE, "v1beta1", 19, 22),
    Old(csistoragecapacity.KIND, STORAGE, "v1beta1", 24, 27),
    Old(csinode.KIND, STORAGE, "v1beta1", 17, 22),
    Old(storageclass.KIND, STORAGE, "v1beta1", 19, 22),
    Old(volumeattachment.KIND, STORAGE, "v1beta1", 19, 22),
)

#: what to tell the clients of an old version, by group, version and resource
WARNINGS: Mapping[tuple[str, str, str], str] = {(old.group, old.version, old.kind.plural): old.warning for old in OLD}


@cache
def kinds() -> tuple[Kind, ...]:
    """The old versions as kinds."""
    return tuple(old.served() for old in OLD)
