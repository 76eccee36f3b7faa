"""The workers of one node's pods, and what they need from their node: the part of the agent that every node shares.

A pod that is bound to the node gets a worker, which lives until nothing is left of the pod. Whoever owns the node tells
what becomes of its pods (`pod_changed`) and of what the runtime shows (`refresh`), and gives the task group.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from knarr.client.api import Api
from knarr.client.informer import Informer
from knarr.client.transport import TransportError
from knarr.kinds.types.core_v1 import ConfigMap, Container, Node, ObjectReference, Pod, PodSpec, Secret, Service
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.events import Recorder
from knarr.meta.errors import ApiError, NotFound
from knarr.node import host, put_back, refusals, unconfirmed
from knarr.node.config import NodeConfig
from knarr.node.env import Sources, wanted
from knarr.node.registration import Registration
from knarr.node.runtimes.runtime import PodSandbox, Runtime, Used
from knarr.node.stats import Stats
from knarr.node.status import ENDS
from knarr.node.worker import REFRESH, Worker

log = logging.getLogger(__name__)

BROKEN = 5.0  #: seconds before a worker that broke is replaced
ORPHAN_GRACE = 1  #: seconds: nobody knows any more what the pod was granted

Source = TypeVar("Source", ConfigMap, Secret)


class Group(Protocol):
    """Where the workers live."""

    def create_task(self, coro: Coroutine[Any, Any, None], *, name: str) -> object: ...


class PodWorkers:
    """One node as its pods' workers see it (`host.Host`)."""

    looks = REFRESH
    patience = 0.0
    steps_logged = logging.INFO
    services: Informer[Service]  #: set before the first pod is told

    def __init__(
        self, config: NodeConfig, api: Api, runtime: Runtime, volumes: host.Volumes, registration: Registration
    ) -> None:
        self.config, self.api, self.runtime, self.volumes = config, api, runtime, volumes
        self.registration = registration
        self.sandboxes: dict[str, PodSandbox] = {}
        self.workers: dict[str, Worker] = {}
        self.namesakes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)  #: of workers, by namespace and name
        self.stats = Stats(self)
        self.caught_up = asyncio.Event()  #: every pod bound to the node is known
        self.recorder: Recorder
        self._group: Group
        self._leaving = False  # pods that are bound now are for the next agent

    # ------------------------------------------------------------------ pods

    def pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is None:
            if old and (worker := self.workers.get(old.metadata.uid)):
                worker.told = None
                worker.remove()
        elif worker := self.workers.get(new.metadata.uid):
            worker.told = new
            known = worker.pod.metadata.resourceVersion
            if not known or new.metadata.resourceVersion != known:  # else the worker wrote it, and has it
                worker.update(new)
        else:
            self._employ(Worker(self, new))

    def pods_listed(self, pods: Iterable[Pod], as_of: int) -> None:
        """Hold what runs against all pods of the node as they were at a revision, once their changes were told."""
        for pod in pods:
            if worker := self.workers.get(pod.metadata.uid):
                worker.told = pod
                put_back.compare(worker, pod, as_of)

    def _employ(self, worker: Worker) -> None:
        if self._leaving:
            return
        work = self._work(worker)
        try:
            self._group.create_task(work, name=f"pod {worker.pod.metadata.name}")
        except RuntimeError:  # the group ends already, which its other tasks are yet to hear
            work.close()
            return
        self.workers[worker.uid] = worker
        self.namesakes[worker.name].add(worker.uid)

    async def _work(self, worker: Worker) -> None:
        """See a pod through. A worker that breaks is replaced: one pod's trouble is not the node's."""
        try:
            await worker.run()
        except Exception:
            log.exception("the worker of pod %s/%s broke", worker.pod.metadata.namespace, worker.pod.metadata.name)
            await asyncio.sleep(BROKEN)
            self._employ(worker.successor())
        else:
            again = await put_back.object_of(self, worker)
            self._dismiss(worker)
            self.sandboxes.pop(worker.uid, None)
            if again is not None:
                self._employ(Worker(self, again))

    def _dismiss(self, worker: Worker) -> None:
        self.workers.pop(worker.uid, None)
        left = self.namesakes[worker.name]
        left.discard(worker.uid)
        for uid in left:
            self.workers[uid].wake()  # it may have waited for this one to go
        if not left:
            del self.namesakes[worker.name]

    def adopt_orphans(self, left: Iterable[ObjectMeta] = ()) -> None:
        """Give pods without an object a worker: one that runs is stopped, and what is `left` of one is removed."""
        for sandbox in list(self.sandboxes.values()):
            if sandbox.uid not in self.workers:
                log.warning("pod %s/%s runs but has no object: stopping it", sandbox.namespace, sandbox.name)
                self._adopt(ObjectMeta(name=sandbox.name, namespace=sandbox.namespace, uid=sandbox.uid))
        for meta in left:
            if meta.uid not in self.workers:
                log.info("pod %s/%s (%s) has files but no object: removing them", meta.namespace, meta.name, meta.uid)
                self._adopt(meta)

    def _adopt(self, meta: ObjectMeta) -> None:
        pod = Pod(metadata=meta, spec=PodSpec(terminationGracePeriodSeconds=ORPHAN_GRACE))
        worker = Worker(self, pod, orphan=True)
        unconfirmed.found(worker)
        self._employ(worker)

    # --------------------------------------------------------------- runtime

    async def refresh(self) -> None:
        seen = {sandbox.uid: sandbox for sandbox in await self.runtime.pods()}
        known = self.sandboxes
        both = seen.keys() | known.keys()
        changed = {uid for uid in both if seen.get(uid) is not known.get(uid) and seen.get(uid) != known.get(uid)}
        self.sandboxes.clear()
        self.sandboxes.update(seen)
        for uid in changed & self.workers.keys():
            self.workers[uid].wake()

    async def used(self) -> Mapping[str, Used]:
        """What the running containers use, by their ids."""
        return await self.runtime.usage()

    # ------------------------------------------------------- for the workers

    async def admit(self, worker: Worker) -> None:
        pod, memory = worker.pod, worker.memory
        placed = not refusals.unplaced(pod) or worker.sandbox is not None
        node = self.registration.node if placed else await self._node()
        others = (each.pod for each in self.workers.values() if each is not worker and each.counts)
        if not memory.refused and worker.sandbox is None:
            memory.refused = (
                refusals.of_system(pod)
                or (None if self.runtime.name == "simulated" else refusals.of_profile(pod))
                or (None if placed else refusals.of_node(pod, node, others))
            )
        memory.admitted = True
        if pod.status.phase not in ENDS and (refusal := refusals.told(pod, memory)) is not None:
            worker.tell("Warning", refusal.reason, refusal.message)

    async def _node(self) -> Node:
        """The node's object with the labels of now, if somebody answers."""
        try:
            return await self.api.get(Node, self.config.name)
        except (ApiError, TransportError):
            return self.registration.node

    def outlived(self, worker: Worker) -> bool:
        return put_back.outlived(self, worker)

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
        self.recorder.note(about, type_, reason, message)

    def announce(self, fresh: bool) -> None:
        """The events of a node that starts."""
        name = self.config.name
        about = ObjectReference(apiVersion="v1", kind="Node", name=name, uid=name)
        reasons = ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID", "NodeReady")
        events = [("Starting", "Starting kubelet.")]
        if fresh:
            events += [(reason, f"Node {name} status is now: {reason}") for reason in reasons]
        for reason, message in events:
            self.recorder.note(about, "Normal", reason, message)

    async def sources(self, pod: Pod, container: Container) -> Sources:
        maps, secrets = wanted(container)
        namespace = pod.metadata.namespace
        return Sources(
            config_maps=await self._find(ConfigMap, maps, namespace),
            secrets=await self._find(Secret, secrets, namespace),
            services=tuple(self.services.cache.list()),
            allocatable=self.registration.capacity,
        )

    async def _find(self, type_: type[Source], names: Iterable[str], namespace: str) -> dict[str, Source]:
        """Those that there are, by their names."""
        found = {}
        for name in names:
            with suppress(NotFound):
                found[name] = await self.api.get(type_, name, namespace)
        return found


def place(pod: Pod, container: Container) -> str:
    """The list of the spec that a container is in."""
    for each in pod.spec.containers:  # no generators: told of every container several times
        if each.name == container.name:
            return "containers"
    for each in pod.spec.initContainers:
        if each.name == container.name:
            return "initContainers"
    return "ephemeralContainers"
