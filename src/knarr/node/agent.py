"""The node agent: registers its node, follows the pods bound to it, and gives each a worker.

Everything here can die at any moment: what runs is found again through the runtime, what should run through the API.
A pod that runs but has no object any more is stopped, once the list of pods is known to be complete.
"""

import asyncio
import logging
from typing import TypeVar

from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.kinds.types.core_v1 import ConfigMap, Container, ObjectReference, Pod, PodSpec, Secret, Service
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.events import Recorder
from knarr.meta.errors import NotFound
from knarr.node import host, sysctls
from knarr.node.api import KubeletApi
from knarr.node.config import NodeConfig
from knarr.node.env import Sources, wanted
from knarr.node.local_path import Cleaner
from knarr.node.registration import Registration
from knarr.node.runtimes.runtime import PodSandbox, Runtime, RuntimeFailure
from knarr.node.volumes.folder import Folders, NoFolders
from knarr.node.worker import Worker

log = logging.getLogger(__name__)

RETRY = 0.5  #: seconds before a runtime that failed to answer is asked again
BROKEN = 5.0  #: seconds before a worker that broke is replaced
ORPHAN_GRACE = 1  #: seconds: nobody knows any more what the pod was granted

Source = TypeVar("Source", ConfigMap, Secret)


class Agent:
    """One node. `run` works until it is cancelled, and then leaves the pods running."""

    def __init__(self, config: NodeConfig, api: Api, informers: Informers, runtime: Runtime) -> None:
        self.config, self.api, self.runtime = config, api, runtime
        self.informers = informers
        self.registration = Registration(api, config, runtime)
        simulated = runtime.name == "simulated"
        self.volumes: host.Volumes = NoFolders() if simulated else Folders(api, config, self.registration.capacity)
        self.sandboxes: dict[str, PodSandbox] = {}
        self.workers: dict[str, Worker] = {}
        self.registered = asyncio.Event()  #: the node is Ready
        self.caught_up = asyncio.Event()  #: every pod bound to the node is known
        self._leaving = False  # pods that are bound now are for the next agent
        self._kubelet: KubeletApi | None = None
        self._recorder = Recorder(api, "kubelet", config.name)

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
        group.create_task(self._recorder.run(), name="events")
        await self.refresh()
        fresh = await self.registration.register()
        self._announce(fresh)
        self.registered.set()
        group.create_task(self.registration.run(), name="registration")
        self.services = self.informers.of(Service)
        pods = self.informers.of(Pod, fields=f"spec.nodeName={self.config.name}")
        if self.runtime.name != "simulated":
            cleaner = Cleaner(self.api, self.informers, self.config.name, self.config.volumes)
            group.create_task(cleaner.run(), name="local path")
        await self.services.wait_synced()
        pods.on_change(self._pod_changed)
        await pods.wait_synced()
        self._adopt_orphans()
        self.caught_up.set()

    # ------------------------------------------------------------------ pods

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is None:
            if old and (worker := self.workers.get(old.metadata.uid)):
                worker.remove()
        elif worker := self.workers.get(new.metadata.uid):
            worker.update(new)
        else:
            if (refusal := sysctls.forbidden(new)) and new.status.phase != "Failed":
                self.tell(new, "Warning", sysctls.REASON, refusal, None)
            self._employ(Worker(self, new))

    def _employ(self, worker: Worker) -> None:
        if self._leaving:
            return
        self.workers[worker.uid] = worker
        self._group.create_task(self._work(worker), name=f"pod {worker.pod.metadata.name}")

    async def _work(self, worker: Worker) -> None:
        """See a pod through. A worker that breaks is replaced: one pod's trouble is not the node's."""
        try:
            await worker.run()
        except Exception:
            log.exception("the worker of pod %s/%s broke", worker.pod.metadata.namespace, worker.pod.metadata.name)
            await asyncio.sleep(BROKEN)
            self._employ(worker.successor())
        else:
            self.workers.pop(worker.uid, None)
            self.sandboxes.pop(worker.uid, None)

    def _adopt_orphans(self) -> None:
        """Give pods that run without an object a worker, which stops them."""
        for sandbox in list(self.sandboxes.values()):
            if sandbox.uid not in self.workers:
                log.warning("pod %s/%s runs but has no object: stopping it", sandbox.namespace, sandbox.name)
                meta = ObjectMeta(name=sandbox.name, namespace=sandbox.namespace, uid=sandbox.uid)
                pod = Pod(metadata=meta, spec=PodSpec(terminationGracePeriodSeconds=ORPHAN_GRACE))
                self._employ(Worker(self, pod, orphan=True))

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

    async def refresh(self) -> None:
        seen = {sandbox.uid: sandbox for sandbox in await self.runtime.pods()}
        changed = {uid for uid in seen.keys() | self.sandboxes.keys() if seen.get(uid) != self.sandboxes.get(uid)}
        self.sandboxes.clear()
        self.sandboxes.update(seen)
        for uid in changed & self.workers.keys():
            self.workers[uid].wake()

    # ------------------------------------------------------- for the workers

    def tell(self, pod: Pod, type_: str, reason: str, message: str, container: Container | None) -> None:
        path = ""
        if container is not None:
            path = f"spec.{place(pod, container)}{{{container.name}}}"
        about = ObjectReference(
            apiVersion="v1",
            kind="Pod",
            name=pod.metadata.name,
            namespace=pod.metadata.namespace,
            uid=pod.metadata.uid,
            resourceVersion=pod.metadata.resourceVersion,
            fieldPath=path,
        )
        self._recorder.note(about, type_, reason, message)

    def _announce(self, fresh: bool) -> None:
        """The events of a node that starts."""
        name = self.config.name
        about = ObjectReference(apiVersion="v1", kind="Node", name=name, uid=name)
        reasons = ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID", "NodeReady")
        events = [("Starting", "Starting kubelet.")]
        if fresh:
            events += [(reason, f"Node {name} status is now: {reason}") for reason in reasons]
        for reason, message in events:
            self._recorder.note(about, "Normal", reason, message)

    async def sources(self, pod: Pod, container: Container) -> Sources:
        maps, secrets = wanted(container)
        namespace = pod.metadata.namespace
        found_maps = {name: await self._find(ConfigMap, name, namespace) for name in maps}
        found_secrets = {name: await self._find(Secret, name, namespace) for name in secrets}
        return Sources(
            config_maps={name: each for name, each in found_maps.items() if each is not None},
            secrets={name: each for name, each in found_secrets.items() if each is not None},
            services=tuple(self.services.cache.list()),
            allocatable=self.registration.capacity,
        )

    async def _find(self, type_: type[Source], name: str, namespace: str) -> Source | None:
        try:
            return await self.api.get(type_, name, namespace)
        except NotFound:
            return None


def place(pod: Pod, container: Container) -> str:
    """The list of the spec that a container is in."""
    if any(each.name == container.name for each in pod.spec.initContainers):
        return "initContainers"
    regular = any(each.name == container.name for each in pod.spec.containers)
    return "containers" if regular else "ephemeralContainers"
