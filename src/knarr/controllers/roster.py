"""Which controllers a cluster runs. Called by `knarr.app` and by `knarr.testing`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knarr.controllers import (
    apiservice,
    bootstrap_token_cleaning,
    certificate_approval,
    certificate_cleaning,
    certificate_signing,
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
    legacy_token_cleaning,
    local_path,
    namespace,
    node_lifecycle,
    persistentvolume,
    pod_gc,
    policy_status,
    replicaset,
    replicationcontroller,
    resourcequota,
    root_ca,
    service_account_secrets,
    service_addresses,
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


@dataclass(frozen=True)
class Keys:
    """What is done with a cluster's keys, for the controllers that hand out certificates and tokens."""

    sign: certificate_signing.Sign
    token: service_account_secrets.Issue


def controllers(
    authority: str, heartbeat: float = node_lifecycle.HEARTBEAT, keys: Keys | None = None
) -> Sequence[Controller]:
    """All that may run beside a server. `authority` is the PEM of who signed its certificate, for pods to trust; ""
    where that is not known, and nothing is published. Without `keys` nobody is given certificates and tokens.
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
        service_addresses.controller(),
        endpoint_slice.controller(),
        endpoint_slice_mirroring.controller(),
        persistentvolume.controller(),
        local_path.controller(),
        volume_expansion.controller(inside=(local_path.NAME,)),
        ephemeral_volume.controller(),
        volume_protection.controller(),
        garbage_collector.controller(60 * heartbeat),
        namespace.CONTROLLER,
        node_lifecycle.controller(heartbeat),
        taint_eviction.controller(),
        horizontalpodautoscaler.controller(),
        disruption.controller(),
        disruption_target.CONTROLLER,
        pod_gc.controller(),
        clusterrole_aggregation.CONTROLLER,
        policy_status.CONTROLLER,
        resourcequota.controller(),
        certificate_approval.CONTROLLER,
        certificate_cleaning.CONTROLLER,
        bootstrap_token_cleaning.CONTROLLER,
        *(of_keys(keys, authority) if keys is not None else ()),
    )


def of_keys(keys: Keys, authority: str) -> Iterable[Controller]:
    """Those that hand out what only a cluster's keys can make."""
    yield certificate_signing.controller(keys.sign)
    yield service_account_secrets.controller(service_account_secrets.Desk(keys.token, authority))
    yield legacy_token_cleaning.CONTROLLER


def of_server() -> Sequence[Controller]:
    """Those that say what this very server serves: its own, whoever runs the others. Another server has its own."""
    return (apiservice.controller((kind.group, kind.version) for kind in (*BUILTIN.all(), *podmetrics.KINDS)),)
