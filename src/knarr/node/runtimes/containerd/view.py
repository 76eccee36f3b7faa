"""What runs in containerd, as the agent sees it: CRI's lists joined with what `pods` keeps. Called by the runtime."""

import asyncio
from collections import defaultdict

from knarr.node.runtimes.containerd import messages as cri
from knarr.node.runtimes.containerd import translation
from knarr.node.runtimes.containerd.client import Client
from knarr.node.runtimes.containerd.pods import Pods
from knarr.node.runtimes.runtime import ContainerState, NoSuchContainer, PodSandbox


class View:
    """`sandboxes` and `containers` are from the last look. What does not change any more is asked for once."""

    def __init__(self, client: Client, pods: Pods) -> None:
        self._client, self._pods = client, pods
        self._states: dict[tuple[str, int], ContainerState] = {}
        self.sandboxes: dict[str, list[cri.PodSandbox]] = {}  #: by the pod's uid, the newest last

    async def look(self) -> list[PodSandbox]:
        """Ask containerd."""
        listed = await self.list_sandboxes()
        found = (await self._client.ask("ListContainers", cri.Empty(), cri.ListContainersResponse)).containers
        owners = {sandbox.id: uid for uid, each in listed.items() for sandbox in each}
        containers: defaultdict[str, list[ContainerState]] = defaultdict(list)
        for container in sorted(found, key=lambda container: container.created_at):
            uid = owners.get(container.pod_sandbox_id)
            if uid is not None and (state := await self._state(uid, container)) is not None:
                containers[uid].append(state)
        present = {(container.id, container.state) for container in found}
        self._states = {key: state for key, state in self._states.items() if key in present}
        return [self._pod(uid, each[-1], containers[uid]) for uid, each in listed.items()]

    async def list_sandboxes(self) -> dict[str, list[cri.PodSandbox]]:
        """The sandboxes of each pod."""
        items = (await self._client.ask("ListPodSandbox", cri.Empty(), cri.ListPodSandboxResponse)).items
        listed: dict[str, list[cri.PodSandbox]] = {}
        for sandbox in sorted(items, key=lambda sandbox: sandbox.created_at):
            listed.setdefault(sandbox.metadata.uid, []).append(sandbox)
        self.sandboxes = listed
        return listed

    def ready(self, sandbox: cri.PodSandbox) -> bool:
        """Whether it runs, with its network."""
        record = self._pods.records.get(sandbox.metadata.uid)
        return sandbox.state == cri.READY and record is not None and record.sandbox == sandbox.id

    async def _state(self, uid: str, container: cri.Container) -> ContainerState | None:
        key = (container.id, container.state)
        if key not in self._states:
            request = cri.ContainerId(container_id=container.id)
            try:
                status = (await self._client.ask("ContainerStatus", request, cri.ContainerStatusResponse)).status
            except NoSuchContainer:
                return None  # it has just been removed
            name = status.metadata
            words = await asyncio.to_thread(self._pods.last_words, uid, name.name, name.attempt)
            if status.state != container.state:  # it has moved on since: not to be kept under this state
                return translation.container_state(status, words)
            self._states[key] = translation.container_state(status, words)
        return self._states[key]

    def _pod(self, uid: str, sandbox: cri.PodSandbox, containers: list[ContainerState]) -> PodSandbox:
        record = self._pods.records.get(uid)
        mine = record is not None and record.sandbox == sandbox.id
        ips = (record.ips or (record.ip,)) if record is not None and mine else ()
        return PodSandbox(
            uid=uid,
            name=sandbox.metadata.name,
            namespace=sandbox.metadata.namespace,
            ip=ips[0] if ips else "",
            ips=ips,
            state="ready" if self.ready(sandbox) else "gone",
            created=sandbox.created_at / translation.SECOND,
            containers=tuple(containers),
            attempt=int(sandbox.annotations.get(translation.ATTEMPT, "0")),
            labels=translation.labels(sandbox),
        )
