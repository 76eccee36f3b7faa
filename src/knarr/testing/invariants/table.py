"""The rules that every write is held to, by the name under which a breach is reported."""

from collections.abc import Mapping

from knarr.testing.invariants import (
    daemonsets,
    deployments,
    disruption,
    endings,
    jobs,
    ownership,
    preemption,
    quotas,
    replicas,
    revisions,
    statefulset_updates,
    statefulsets,
)
from knarr.testing.invariants.world import Rule

RULES: Mapping[str, Rule] = {
    "revisions grow": revisions.revisions,
    "an object has one life": revisions.lives,
    "a controller acts on what is its own": ownership.ownership,
    "a StatefulSet keeps its order, bounds and partition": statefulsets.order,
    "an update of a StatefulSet keeps maxUnavailable": statefulset_updates.unavailable,
    "a pod has ended when its node says so": endings.endings,
    "a ReplicaSet keeps its number": replicas.number,
    "a Deployment keeps its bounds": deployments.bounds,
    "a Job keeps its parallelism and completions": jobs.parallelism,
    "a Job counts once": jobs.counting,
    "a DaemonSet has one pod a node": daemonsets.one_a_node,
    "an update of a DaemonSet keeps its bounds": daemonsets.bounds,
    "an eviction leaves what a budget keeps": disruption.budgets,
    "a quota is never exceeded": quotas.pods,
    "a pod goes for a more important one": preemption.preempted,
}
