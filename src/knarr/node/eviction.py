"""Evicts a pod that takes more of the node's disk than it may. Called by its worker.

An emptyDir has its sizeLimit, a container the `ephemeral-storage` of its limits, for what it writes to its own layer
and its logs, and the pod the sum of these, for its directories too. The pod ends as Failed, with the reason Evicted, as
soon as its containers have.
https://kubernetes.io/docs/concepts/storage/ephemeral-storage/#resource-ephemeralstorage-consumption
"""

import asyncio
import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from knarr.kinds import pod_resources
from knarr.kinds.types.core_v1 import Pod
from knarr.meta import quantity
from knarr.node.disk import used
from knarr.node.pod import title
from knarr.node.runtimes.runtime import RuntimeFailure
from knarr.node.spec import log_directory
from knarr.node.volumes.folder import limited

if TYPE_CHECKING:
    from knarr.node.worker import Worker

LOOK = 10.0  #: seconds between two looks
REASON = "Evicted"
DISK = "ephemeral-storage"

log = logging.getLogger(__name__)


async def measure(worker: "Worker", now: float) -> float:
    """Look whether the pod has to go; return when to look again, in seconds since the epoch, infinity for never."""
    memory = worker.memory
    if not memory.prepared or worker.host.runtime.name == "simulated":
        return math.inf
    if not limited(worker.pod) and DISK not in pod_resources.limits(worker.pod.spec):
        return math.inf
    if now < memory.measured + LOOK:
        return memory.measured + LOOK
    memory.measured = now
    try:
        memory.evicted = await worker.host.volumes.excess(worker.pod) or await outgrown(worker)
    except (OSError, RuntimeFailure) as error:
        log.info("%s: what it takes of the disk cannot be measured: %s", title(worker.pod), error)
    if memory.evicted:
        worker.tell("Warning", REASON, memory.evicted)
        return now
    return now + LOOK


async def outgrown(worker: "Worker") -> str:
    """Whether containers have written too much, in the kubelet's words; "" when they have not."""
    pod = worker.pod
    if DISK not in pod_resources.limits(pod.spec):
        return ""
    taken = dict(await worker.host.runtime.written(worker.uid))
    logs = log_directory(pod, worker.host.config)
    for container in pod.spec.containers:
        size = await asyncio.to_thread(used, logs / container.name)
        taken[container.name] = taken.get(container.name, 0) + size
    return excess(pod, taken, await worker.host.volumes.taken(pod))


def excess(pod: Pod, taken: Mapping[str, int], directories: int) -> str:
    """What is beyond its limit: `taken` are bytes by container, `directories` those of the pod's own."""
    whole = pod_resources.limits(pod.spec).get(DISK)
    if whole is not None and sum(taken.values()) + directories > whole.value:
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {whole}. "
    for container in pod.spec.containers:
        limit = container.resources.limits.get(DISK) if container.resources else None
        if limit and taken.get(container.name, 0) > quantity.parse(limit).value:
            return f'Container {container.name} exceeded its local ephemeral storage limit "{limit}". '
    return ""
