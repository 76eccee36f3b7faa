"""Pods whose objects went back to an older version: a snapshot was loaded while their node's agent ran.

A version is older than the one that is known for one of two reasons: it was read earlier, or the store was put back.
The revision as of which it was read tells: a load begins above every revision that was ever given, so what was current
at a revision that is not below the known version has taken that version's place.

What is ending ends, whatever its object says now: nothing can run again in a pod whose processes were told to go. Then
the pod begins anew, if its object is still there. What runs goes on running under the older version.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from knarr.client.transport import TransportError
from knarr.kinds.types.core_v1 import Pod
from knarr.meta.errors import ApiError, NotFound

if TYPE_CHECKING:
    from knarr.node.pod_workers import PodWorkers
    from knarr.node.worker import Worker

log = logging.getLogger(__name__)

RETRY = 2.0  #: seconds before an API server that does not answer is asked again


def compare(worker: "Worker", pod: Pod, as_of: int) -> None:
    """Have the worker take a version that was current as of a revision, even if it is older than the one it has."""
    memory, known = worker.memory, worker.pod
    if memory.removed or not version(pod) < version(known) <= as_of:
        worker.update(pod)
        return
    log.info("pod %s/%s: its object was put back", pod.metadata.namespace, pod.metadata.name)
    memory.deleted = False  # what was deleted was what had been there
    if known.metadata.deletionTimestamp and not pod.metadata.deletionTimestamp:
        memory.removed = True
    else:
        worker.pod = pod
    worker.wake()


async def object_of(node: "PodWorkers", worker: "Worker") -> Pod | None:
    """The object of a pod of which nothing is left, if there is one bound to the node. Retries until that is known."""
    meta = worker.pod.metadata
    while (told := worker.told) is not None:
        try:
            found = await node.api.get(Pod, meta.name, meta.namespace)
        except NotFound:
            found = None
        except (ApiError, TransportError) as error:
            log.warning("pod %s/%s: not known whether it is to run again: %s", meta.namespace, meta.name, error)
            await asyncio.sleep(RETRY)
            continue
        if worker.told is told:
            mine = found is not None and found.metadata.uid == worker.uid and found.spec.nodeName == node.config.name
            return found if mine else None
    return None


def outlived(node: "PodWorkers", worker: "Worker") -> bool:
    """Whether something is left on the node of another pod of the same name: of one that has no object any more."""
    for uid in node.namesakes[worker.name]:
        if uid != worker.uid and (uid in node.sandboxes or node.workers[uid].memory.starting):
            return True
    unattended = [node.sandboxes[uid] for uid in node.sandboxes.keys() - node.workers.keys()]
    return any((sandbox.namespace, sandbox.name) == worker.name for sandbox in unattended)


def version(pod: Pod) -> int:
    text = pod.metadata.resourceVersion
    return int(text) if text.isdigit() else 0
