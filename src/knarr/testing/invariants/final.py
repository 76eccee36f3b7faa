"""What must be so once all faults are over and nothing changes any more."""

from collections.abc import Iterable, Iterator
from typing import Any

from knarr.kinds.pod import is_active, is_finished, is_ready
from knarr.kinds.types.apps_v1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from knarr.kinds.types.autoscaling_v2 import HorizontalPodAutoscaler
from knarr.kinds.types.batch_v1 import CronJob, Job
from knarr.kinds.types.core_v1 import Node, Pod, ReplicationController, Service
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.testing.invariants.machines import Running
from knarr.testing.invariants.replicas import replicas
from knarr.testing.invariants.world import World


def unsettled(world: World, running: Iterable[Running]) -> Iterator[str]:
    """What is not as it is wanted."""
    yield from orphans(world)
    yield from leaving(world)
    yield from ghosts(world, running)
    yield from sets(world)
    yield from deployments(world)
    yield from daemonsets(world)
    yield from statefulsets(world)
    yield from jobs(world)
    yield from autoscalers(world)
    yield from services(world)


def orphans(world: World) -> Iterator[str]:
    """No object outlives all of its owners."""
    alive = {obj.metadata.uid for obj in world.objects.values()}
    for key, obj in world.objects.items():
        owners = obj.metadata.ownerReferences
        if owners and not any(owner.uid in alive for owner in owners):
            yield f"{key} is left although its owner {owners[0].kind} {owners[0].name} is gone"


def leaving(world: World) -> Iterator[str]:
    for key, obj in world.objects.items():
        if obj.metadata.deletionTimestamp:
            yield f"{key} is still being deleted"


def ghosts(world: World, running: Iterable[Running]) -> Iterator[str]:
    """What runs is what the API says that runs."""
    wanted = {pod.metadata.uid for pod in world.all(Pod) if pod.status.phase == "Running"}
    there = {pod.uid: pod for pod in running}
    for uid, pod in there.items():
        if uid not in wanted:
            yield f"{pod.machine} runs pod {pod.namespace}/{pod.name}, which the API knows nothing of"
    for pod_ in world.all(Pod):
        if pod_.status.phase == "Running" and pod_.metadata.uid not in there:
            yield f"pod {pod_.metadata.name} is Running, and no machine runs it"


def sets(world: World) -> Iterator[str]:
    owners: list[Any] = [*world.all(ReplicaSet), *world.all(ReplicationController)]
    for owner in owners:
        pods = [pod for pod in world.owned_by(Pod, owner.metadata.uid) if is_active(pod)]
        ready = sum(map(is_ready, pods))
        if not len(pods) == ready == replicas(owner):
            yield f"{owner.metadata.name} wants {replicas(owner)} pods: {len(pods)} are there, {ready} ready"
        if ready != (owner.status.readyReplicas or 0):
            yield f"{owner.metadata.name} says {owner.status.readyReplicas} are ready: {ready} are"


def deployments(world: World) -> Iterator[str]:
    for deployment in world.all(Deployment):
        status, wanted = deployment.status, replicas(deployment)
        counts = (status.replicas or 0, status.availableReplicas or 0, status.updatedReplicas or 0)
        if deployment.spec.paused:
            continue
        if counts != (wanted, wanted, wanted):
            yield f"deployment {deployment.metadata.name} wants {wanted}: all, available and updated are {counts}"
        if status.observedGeneration != deployment.metadata.generation:
            yield f"deployment {deployment.metadata.name} was changed, and nobody saw it"


def daemonsets(world: World) -> Iterator[str]:
    for set_ in world.all(DaemonSet):
        nodes = {node.metadata.name for node in world.all(Node)}
        pods = [pod for pod in world.owned_by(Pod, set_.metadata.uid) if is_active(pod)]
        there = [pod.spec.nodeName for pod in pods if is_ready(pod)]
        if sorted(there) != sorted(nodes) or len(pods) != len(there):
            yield f"daemonset {set_.metadata.name} has pods on {sorted(there)} of {sorted(nodes)}"
        strategy = set_.spec.updateStrategy
        rolls = strategy is None or strategy.type != "OnDelete"
        if rolls and (set_.status.updatedNumberScheduled or 0) != len(nodes):
            yield f"daemonset {set_.metadata.name} has {set_.status.updatedNumberScheduled} updated pods"


def statefulsets(world: World) -> Iterator[str]:
    for set_ in world.all(StatefulSet):
        start = (set_.spec.ordinals.start or 0) if set_.spec.ordinals else 0
        wanted = [f"{set_.metadata.name}-{number}" for number in range(start, start + replicas(set_))]
        ready = [pod for pod in world.owned_by(Pod, set_.metadata.uid) if is_active(pod) and is_ready(pod)]
        blocked = [
            name
            for name in wanted
            if (pod := world.get(Pod, set_.metadata.namespace, name)) is not None and not pod.metadata.ownerReferences
        ]
        if blocked:
            continue  # a pod that was let go has the name of one of the set's
        if sorted(pod.metadata.name for pod in ready) != sorted(wanted):
            yield f"statefulset {set_.metadata.name} wants {wanted}: ready are {[p.metadata.name for p in ready]}"
        strategy = set_.spec.updateStrategy
        partition = (strategy.rollingUpdate.partition or 0) if strategy and strategy.rollingUpdate else 0
        rolls = strategy is None or strategy.type != "OnDelete"
        due = max(0, replicas(set_) - partition)
        if rolls and (set_.status.updatedReplicas or 0) < due:
            yield f"statefulset {set_.metadata.name} has {set_.status.updatedReplicas} updated pods, not {due}"


def jobs(world: World) -> Iterator[str]:
    for job in world.all(Job):
        done = any(c.type in ("Complete", "Failed") and c.status == "True" for c in job.status.conditions)
        if not done and not job.spec.suspend and job.spec.parallelism != 0:
            yield f"job {job.metadata.name} is not finished"
        left = [pod for pod in world.owned_by(Pod, job.metadata.uid) if not is_finished(pod)]
        if done and left:
            yield f"job {job.metadata.name} is finished, and {left[0].metadata.name} is not"
    for cronjob in world.all(CronJob):
        alive = {job.metadata.uid for job in world.all(Job)}
        if dead := [ref.name for ref in cronjob.status.active if ref.uid not in alive]:
            yield f"cronjob {cronjob.metadata.name} counts {dead} as active"


def autoscalers(world: World) -> Iterator[str]:
    """An autoscaler that sees its workload has it as large as it wants it."""
    for scaler in world.all(HorizontalPodAutoscaler):
        status, target = scaler.status, scaler.spec.scaleTargetRef
        able = any(c.type == "AbleToScale" and c.status == "True" for c in status.conditions)
        if able and (status.currentReplicas or 0) != (status.desiredReplicas or 0):
            yield f"autoscaler of {target.name} wants {status.desiredReplicas} pods, not {status.currentReplicas}"


def services(world: World) -> Iterator[str]:
    """The endpoints of a service are the pods that are ready."""
    for service in world.all(Service):
        wanted = service.spec.selector.items()
        ready = {pod.metadata.uid for pod in world.all(Pod) if wanted <= pod.metadata.labels.items() and is_ready(pod)}
        slices = world.owned_by(EndpointSlice, service.metadata.uid)
        told = {
            endpoint.targetRef.uid
            for slice_ in slices
            for endpoint in slice_.endpoints
            if endpoint.targetRef is not None and endpoint.conditions is not None and endpoint.conditions.ready
        }
        if told != ready:
            yield f"service {service.metadata.name} leads to {len(told)} pods, and {len(ready)} are ready"
