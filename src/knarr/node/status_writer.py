"""Writes one pod's status: as soon as it changes, one write at a time, never an older over a newer one.

The worker asks for a write and goes on; `flush` returns when the API has the current status.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from msgspec.structs import replace

from knarr.client.transport import TransportError
from knarr.kinds.types.core_v1 import Pod, PodStatus
from knarr.meta import clock
from knarr.meta.errors import ApiError, Conflict, NotFound
from knarr.node.pod import title
from knarr.node.status import pod_status

if TYPE_CHECKING:
    from knarr.node.worker import Worker

log = logging.getLogger(__name__)

RETRY = 1.0  #: seconds


class StatusWriter:
    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._wanted = asyncio.Event()
        self._lock = asyncio.Lock()
        self._sent: tuple[PodStatus, PodStatus] | None = None  # what was written, and what the API made of it

    def request(self) -> None:
        """Have the status written if it differs."""
        self._wanted.set()

    def current(self) -> PodStatus:
        """The status the pod should have now."""
        worker = self._worker
        host = worker.host
        return pod_status(
            worker.pod, worker.sandbox, worker.memory, clock.unix(), host.config.node_ip, host.runtime.name
        )

    async def run(self) -> None:
        """Write whenever asked; until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.flush()
            except (ApiError, TransportError) as error:
                log.warning("%s: status not written: %s", title(self._worker.pod), error)
                await asyncio.sleep(RETRY)
                self._wanted.set()

    async def flush(self) -> None:
        """Write the status; return at once when the API has it."""
        async with self._lock:
            worker = self._worker
            while not worker.memory.removed:
                if worker.memory.torn_down or (status := self.current()) == worker.pod.status:
                    return
                if self._sent == (status, worker.pod.status):
                    return
                try:
                    written = await worker.host.api.update(replace(worker.pod, status=status), subresource="status")
                except Conflict:
                    await self._reload()
                except NotFound:
                    worker.remove()
                else:
                    self._sent = (status, written.status)
                    worker.update(written)

    async def _reload(self) -> None:
        worker, meta = self._worker, self._worker.pod.metadata
        fresh = await worker.host.api.get(Pod, meta.name, meta.namespace)
        if fresh.metadata.uid != meta.uid:
            worker.remove()
        else:
            worker.update(fresh)
