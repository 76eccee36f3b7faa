"""Writes one pod's status: as soon as it changes, one write at a time, never an older over a newer one.

The worker asks for a write and goes on; `flush` returns when the API has the current status. What the API makes of a
status is taken as it is: the same status is never sent twice for nothing, and a write that changed nothing is followed
by a pause.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from msgspec.structs import replace

from knarr.client.transport import TransportError
from knarr.kinds.types.core_v1 import Pod, PodStatus
from knarr.meta import clock
from knarr.meta.errors import ApiError, Conflict, NotFound
from knarr.node import put_back
from knarr.node.pod import title
from knarr.node.status import pod_status

if TYPE_CHECKING:
    from knarr.node.worker import Worker

log = logging.getLogger(__name__)

RETRY = 1.0  #: seconds
TRIES = 5  #: writes in a row that others may be ahead of
LONGEST = 30.0  #: seconds of the pause, which doubles, after a write that changed nothing


class StatusWriter:
    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._wanted = asyncio.Event()
        self._lock = asyncio.Lock()
        self._later: asyncio.TimerHandle | None = None  # what was asked for while the pod moved
        self._sent: tuple[PodStatus, PodStatus] | None = None  # what was written, and what the API made of it

    def request(self, *, moving: bool = False) -> None:
        """Have the status written if it differs; that of a pod in `moving`, or that may end at any moment, may wait for
        what comes next."""
        patience = self._worker.host.patience
        if not patience or not (moving or self._may_end()):
            self._wanted.set()
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(patience, self._wanted.set)

    def _may_end(self) -> bool:
        """Whether the pod runs to an end: many a Job's pod runs for no longer than a write takes."""
        pod, sandbox = self._worker.pod, self._worker.sandbox
        if pod.spec.restartPolicy == "Always" or pod.metadata.deletionTimestamp or sandbox is None:
            return False
        return any(state.state == "running" for state in sandbox.containers)

    def stop(self) -> None:
        """Have nothing written any more."""
        if self._later is not None:
            self._later.cancel()

    def current(self) -> PodStatus:
        """The status the pod should have now."""
        worker = self._worker
        host = worker.host
        return pod_status(
            worker.pod, worker.sandbox, worker.memory, clock.unix(), host.config.node_ips, host.runtime.name
        )

    async def run(self) -> None:
        """Write whenever asked; until cancelled."""
        pause = RETRY
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            self.stop()
            self._later = None
            try:
                if await self.flush():
                    pause = RETRY
                else:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST)
            except (ApiError, TransportError) as error:
                log.warning("%s: status not written: %s", title(self._worker.pod), error)
                await asyncio.sleep(RETRY)
                self._wanted.set()

    async def flush(self) -> bool:
        """Write the status if the API has another; whether a write, if there was one, changed anything."""
        worker, memory = self._worker, self._worker.memory
        async with self._lock:
            for left in reversed(range(TRIES)):
                before = worker.pod
                if memory.removed or memory.torn_down or vanishes(before):
                    return True
                if (status := self.current()) == before.status:
                    return True
                if self._sent == (status, before.status):
                    return True
                try:
                    written = await worker.host.api.update(replace(before, status=status), subresource="status")
                except Conflict:
                    if not left:
                        raise
                    await self.reload()
                except NotFound:
                    worker.remove()
                else:
                    self._sent = (status, written.status)
                    worker.wrote(status, written)
                    return written.status != before.status
        return True

    async def reload(self) -> None:
        """Ask the API for the object: others have changed it, or a snapshot has put it back."""
        worker, meta, known = self._worker, self._worker.pod.metadata, put_back.version(self._worker.pod)
        try:
            fresh = await worker.host.api.get(Pod, meta.name, meta.namespace)
        except NotFound:
            fresh = None
        if fresh is None or fresh.metadata.uid != meta.uid:
            worker.remove()
        else:
            put_back.compare(worker, fresh, known)


def vanishes(pod: Pod) -> bool:
    """Whether the request that marked the object for deletion is about to remove it: nobody would see its status."""
    meta = pod.metadata
    return bool(meta.deletionTimestamp) and meta.deletionGracePeriodSeconds == 0 and not meta.finalizers
