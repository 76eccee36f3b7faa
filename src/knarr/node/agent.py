"""The node agent: registers its node, follows the pods bound to it, and gives each a worker.

Everything here can die at any moment: what runs is found again through the runtime, what should run through the API.
A pod that runs but has no object any more is stopped, once the list of pods is known to be complete.
"""

import asyncio
import logging

from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.kinds.types.core_v1 import Pod, Service
from knarr.loop.events import Recorder
from knarr.node import host
from knarr.node.api import KubeletApi
from knarr.node.config import NodeConfig
from knarr.node.local_path import Cleaner
from knarr.node.pod_workers import PodWorkers
from knarr.node.registration import Registration
from knarr.node.runtimes.runtime import Runtime, RuntimeFailure
from knarr.node.volumes.folder import Folders, NoFolders

log = logging.getLogger(__name__)

RETRY = 0.5  #: seconds before a runtime that failed to answer is asked again


class Agent(PodWorkers):
    """One node. `run` works until it is cancelled, and then leaves the pods running."""

    def __init__(self, config: NodeConfig, api: Api, informers: Informers, runtime: Runtime) -> None:
        registration = Registration(api, config, runtime)
        simulated = runtime.name == "simulated"
        volumes: host.Volumes = NoFolders() if simulated else Folders(api, config, registration.capacity)
        super().__init__(config, api, runtime, volumes, registration)
        self.informers = informers
        self.recorder = Recorder(api, "kubelet", config.name)
        self.registered = asyncio.Event()  #: the node is Ready
        self._kubelet: KubeletApi | None = None

    async def run(self) -> None:
        """Be the node."""
        await self.runtime.start()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                try:
                    await self._listen()
                    await self._begin(group)
                    await self._follow_runtime()
                finally:
                    self._leaving = True
        finally:
            if self._kubelet is not None:
                await self._kubelet.stop()
            await self.runtime.stop()

    async def _listen(self) -> None:
        """Serve the kubelet API, when there is a certificate to serve it with."""
        if self.config.serving_cert is not None:
            self._kubelet = KubeletApi(self)
            self.registration.port = await self._kubelet.start()

    async def _begin(self, group: asyncio.TaskGroup) -> None:
        group.create_task(self.recorder.run(), name="events")
        left = await self.volumes.recall()
        await self.refresh()
        fresh = await self.registration.register()
        self.announce(fresh)
        self.registered.set()
        group.create_task(self.registration.run(), name="registration")
        self.services = self.informers.of(Service)
        pods = self.informers.of(Pod, fields=f"spec.nodeName={self.config.name}")
        if self.runtime.name != "simulated":
            cleaner = Cleaner(self.api, self.informers, self.config.name, self.config.volumes)
            group.create_task(cleaner.run(), name="local path")
        await self.services.wait_synced()
        pods.on_change(self.pod_changed)
        pods.on_list(self.pods_listed)
        await pods.wait_synced()
        self.adopt_orphans(left)
        self.caught_up.set()

    # --------------------------------------------------------------- runtime

    async def _follow_runtime(self) -> None:
        """Wake the workers of pods that changed, until cancelled."""
        while True:
            try:
                await self.runtime.wait_change()
                await self.refresh()
            except (OSError, RuntimeFailure) as error:
                log.warning("runtime does not answer: %s", error)
                await asyncio.sleep(RETRY)
