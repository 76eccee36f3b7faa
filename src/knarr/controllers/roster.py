"""Which controllers a cluster runs. Called by `knarr.app` and by `knarr.testing`."""

from collections.abc import Sequence

from knarr.controllers import (
    apiservice,
    clusterrole_aggregation,
    cronjob,
    daemonset,
    deployment,
    disruption,
    disruption_target,
    endpoint_slice,
    endpoint_slice_mirroring,
    endpoints,
    ephemeral_volume,
    garbage_collector,
    horizontalpodautoscaler,
    job,
    job_orphans,
    local_path,
    namespace,
    node_lifecycle,
    persistentvolume,
    pod_gc,
    replicaset,
    replicationcontroller,
    resourcequota,
    root_ca,
    serviceaccount,
    statefulset,
    taint_eviction,
    ttl_after_finished,
    volume_expansion,
    volume_protection,
)
from knarr.kinds import podmetrics
from knarr.kinds.table import BUILTIN
from knarr.loop.runner import Controller


def controllers(authority: str, heartbeat: float = node_lifecycle.HEARTBEAT) -> Sequence[Controller]:
    """All that may run beside a server. `authority` is the PEM of who signed its certificate, for pods to trust; ""
    where that is not known, and nothing is published.
    """
    return (
        serviceaccount.CONTROLLER,
        root_ca.controller(authority),
        statefulset.controller(),
        replicaset.controller(),
        replicationcontroller.controller(),
        deployment.CONTROLLER,
        daemonset.controller(),
        job.controller(),
        job_orphans.CONTROLLER,
        cronjob.controller(),
        ttl_after_finished.CONTROLLER,
        endpoints.CONTROLLER,
        endpoint_slice.controller(),
        endpoint_slice_mirroring.controller(),
        persistentvolume.controller(),
        local_path.controller(),
        volume_expansion.controller(inside=(local_path.NAME,)),
        ephemeral_volume.controller(),
        volume_protection.controller(),
        garbage_collector.controller(),
        namespace.CONTROLLER,
        node_lifecycle.controller(heartbeat),
        taint_eviction.controller(),
        horizontalpodautoscaler.controller(),
        disruption.controller(),
        disruption_target.CONTROLLER,
        pod_gc.controller(),
        clusterrole_aggregation.CONTROLLER,
        resourcequota.controller(),
    )


def of_server() -> Sequence[Controller]:
    """Those that say what this very server serves: its own, whoever runs the others. Another server has its own."""
    return (apiservice.controller((kind.group, kind.version) for kind in (*BUILTIN.all(), *podmetrics.KINDS)),)
