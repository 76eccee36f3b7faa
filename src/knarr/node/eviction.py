"""Evicts a pod whose directory on disk has grown beyond its limit: an emptyDir with a sizeLimit. Called by the worker.

The pod ends as Failed, with the reason Evicted, as soon as its containers have.
"""

import logging
import math
from typing import TYPE_CHECKING

from knarr.node.pod import title
from knarr.node.volumes.folder import limited

if TYPE_CHECKING:
    from knarr.node.worker import Worker

LOOK = 10.0  #: seconds between two looks
REASON = "Evicted"

log = logging.getLogger(__name__)


async def measure(worker: "Worker", now: float) -> float:
    """Look whether the pod has to go; return when to look again, in seconds since the epoch, infinity for never."""
    memory = worker.memory
    if not limited(worker.pod) or not memory.prepared or worker.host.runtime.name == "simulated":
        return math.inf
    if now < memory.measured + LOOK:
        return memory.measured + LOOK
    memory.measured = now
    try:
        memory.evicted = await worker.host.volumes.excess(worker.pod)
    except OSError as error:
        log.info("%s: its directories cannot be measured: %s", title(worker.pod), error)
    if memory.evicted:
        worker.tell("Warning", REASON, memory.evicted)
        return now
    return now + LOOK
