"""The Node object: registered once, its status and its Lease kept fresh for as long as the agent lives."""

import asyncio
import contextlib
import logging
import os
import platform
import shutil
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from pathlib import Path

from msgspec.structs import replace

from knarr.client.api import Api
from knarr.client.transport import TransportError
from knarr.kinds.types.coordination_v1 import Lease, LeaseSpec
from knarr.kinds.types.core_v1 import (
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
)
from knarr.kinds.types.meta_v1 import ObjectMeta, OwnerReference
from knarr.meta import clock
from knarr.meta.errors import AlreadyExists, ApiError, Conflict, NotFound
from knarr.node.config import KUBELET_VERSION, NodeConfig
from knarr.node.runtimes.runtime import Image, Runtime

LEASES = "kube-node-lease"
RETRY = 0.2
VOLUMES = "knarr.dev/volume-folder"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}

HEALTHY = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)

NOTHING: Mapping[str, tuple[str, str, str, str]] = {}

log = logging.getLogger(__name__)


def capacity(config: NodeConfig) -> dict[str, str]:
    """What the machine has; a simulated node has plenty."""
    if config.runtime == "simulated":
        return {"cpu": "32", "ephemeral-storage": "1Ti", "memory": "256Gi", "pods": str(config.max_pods)}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
    place = next(each for each in (config.folder, *config.folder.parents) if each.exists())
    disk = shutil.disk_usage(place).total // 1024
    return {
        "cpu": str(os.cpu_count() or 1),
        "ephemeral-storage": f"{disk}Ki",
        "memory": f"{memory}Ki",
        "pods": str(config.max_pods),
    }


def system_info(runtime: Runtime) -> NodeSystemInfo:
    return replace(_machine(), containerRuntimeVersion=f"{runtime.name}://{runtime.version}")


@lru_cache(1)
def _machine() -> NodeSystemInfo:
    """What stays as it is while this process lives."""
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    return NodeSystemInfo(
        architecture=architecture(),
        bootID=first_line("/proc/sys/kernel/random/boot_id"),
        kernelVersion=platform.release(),
        kubeletVersion=KUBELET_VERSION,
        machineID=first_line("/etc/machine-id"),
        operatingSystem="linux",
        osImage=release.get("PRETTY_NAME", "Linux"),
        systemUUID=first_line("/etc/machine-id"),
    )


def architecture() -> str:
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def first_line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


Said = Mapping[str, tuple[str, str, str, str]]  #: rows like those of HEALTHY, by type


def conditions(previous: list[NodeCondition], now: str, said: Said = NOTHING) -> list[NodeCondition]:
    """All is well, but for what is said otherwise; a transition time changes only with the status."""
    old = {each.type: each for each in previous}
    rows = {**{row[0]: row for row in HEALTHY}, **said}
    kept = [each for each in previous if each.type not in rows]
    return kept + [
        NodeCondition(
            type=type_,
            status=status,
            reason=reason,
            message=message,
            lastHeartbeatTime=now,
            lastTransitionTime=old[type_].lastTransitionTime if type_ in old and old[type_].status == status else now,
        )
        for type_, status, reason, message in rows.values()
    ]


class Registration:
    """One node's object and lease. `register` first, then `run`."""

    def __init__(self, api: Api, config: NodeConfig, runtime: Runtime) -> None:
        self._api, self._config, self._runtime = api, config, runtime
        self.capacity = capacity(config)
        self.port = config.port
        self.node = Node()
        self.said: Said = NOTHING  #: conditions that are not as those of a healthy node
        self.written = ""  #: the resourceVersion of the last status that was reported
        self._reported = 0.0
        self.renewed = 0.0  #: when the lease was, in seconds since the epoch
        self._leased = False  # the lease is known to be there

    def _metadata(self) -> ObjectMeta:
        name = self._config.name
        labels = {
            "beta.kubernetes.io/arch": architecture(),
            "beta.kubernetes.io/os": "linux",
            "knarr.dev/runtime": self._runtime.name,
            "kubernetes.io/arch": architecture(),
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
        }
        annotations = {
            VOLUMES: str(self._config.volumes),
            "volumes.kubernetes.io/controller-managed-attach-detach": "true",
        }
        return ObjectMeta(name=name, labels=labels, annotations=annotations)

    def _status(self, old: NodeStatus, images: list[Image]) -> NodeStatus:
        return replace(
            old,
            addresses=[
                *(NodeAddress(type="InternalIP", address=each) for each in self._config.node_ips),
                NodeAddress(type="Hostname", address=self._config.name),
            ],
            capacity=self.capacity,
            allocatable=self.capacity,
            conditions=conditions(old.conditions, clock.timestamp(), self.said),
            daemonEndpoints=NodeDaemonEndpoints(kubeletEndpoint=DaemonEndpoint(Port=self.port)),
            nodeInfo=system_info(self._runtime),
            images=[ContainerImage(names=list(each.names), sizeBytes=each.size or None) for each in images[:50]],
        )

    async def register(self) -> bool:
        """Create the object or bring it up to date; returns whether it was not Ready before. Retries until it works."""
        while True:
            try:
                return await self._register()
            except (ApiError, TransportError) as error:
                log.warning("node not registered: %s", error)
                await asyncio.sleep(RETRY)

    async def _register(self) -> bool:
        spec = NodeSpec(podCIDR=self._config.pod_cidr, podCIDRs=list(self._config.pod_cidrs))
        status = self._status(NodeStatus(), await self._runtime.images())
        try:
            self.node = await self._api.create(Node(metadata=self._metadata(), spec=spec, status=status))
        except AlreadyExists:
            return await self._take_over(spec)
        self._reported, self.written = clock.unix(), self.node.metadata.resourceVersion
        await self.renew()
        return True

    async def _take_over(self, spec: NodeSpec) -> bool:
        """Bring an object that was there before up to date."""
        meta = self._metadata()
        patch = {"metadata": {"labels": meta.labels, "annotations": meta.annotations}}
        self.node = await self._api.patch(Node, self._config.name, "", patch)
        was = any(each.type == "Ready" and each.status == "True" for each in self.node.status.conditions)
        if spec.podCIDR and not self.node.spec.podCIDR:
            self.node = await self._api.patch(Node, self._config.name, "", {"spec": spec})
        await self.renew()
        await self._report()
        return not was

    async def run(self) -> None:
        """Keep lease and status fresh until cancelled. An API server that is away is asked again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(self.renew, self._config.heartbeat), name="lease")
            group.create_task(self._repeat(self.check, self._config.heartbeat), name="node status")

    async def _repeat(self, act: Callable[[], Awaitable[None]], period: float) -> None:
        while True:
            await asyncio.sleep(period)
            try:
                await act()
            except (ApiError, TransportError) as error:
                log.warning("node not refreshed: %s", error)

    async def renew(self) -> None:
        """Renew the lease; create it when there is none."""
        name, lasts = self._config.name, self._config.lease_seconds
        spec = LeaseSpec(holderIdentity=name, leaseDurationSeconds=lasts, renewTime=clock.micro_timestamp())
        if not self._leased:
            owner = OwnerReference(apiVersion="v1", kind="Node", name=name, uid=self.node.metadata.uid)
            meta = ObjectMeta(name=name, namespace=LEASES, ownerReferences=[owner])
            self._leased = True
            with contextlib.suppress(AlreadyExists):
                await self._api.create(Lease(metadata=meta, spec=spec))
                self.renewed = clock.unix()
                return
        patch = {"spec": {"holderIdentity": name, "leaseDurationSeconds": lasts, "renewTime": spec.renewTime}}
        try:
            await self._api.patch(Lease, name, LEASES, patch)
        except NotFound:
            self._leased = False
            await self.renew()
        else:
            self.renewed = clock.unix()

    async def check(self) -> None:
        """Report the status when it changed, was changed by another, or has not been reported for long."""
        try:
            self.node = await self._api.get(Node, self._config.name)
        except NotFound:
            await self._register()
            return
        if self.due or await self.outdated():
            await self._report()

    @property
    def due(self) -> bool:
        """Whether the status has not been reported for long."""
        return clock.unix() - self._reported >= self._config.report

    async def outdated(self) -> bool:
        """Whether the node's object says otherwise than it should, heartbeats aside."""
        status = self._status(self.node.status, await self._runtime.images())
        return stripped(status) != stripped(self.node.status)

    def postpone(self, seconds: float) -> None:
        """Count as reported that long ago: of many nodes that registered at once not all shall report at once."""
        self._reported = clock.unix() - seconds

    async def _report(self) -> None:
        while True:
            status = self._status(self.node.status, await self._runtime.images())
            try:
                self.node = await self._api.update(replace(self.node, status=status), subresource="status")
            except Conflict:
                self.node = await self._api.get(Node, self._config.name)
            else:
                self._reported, self.written = clock.unix(), self.node.metadata.resourceVersion
                return


def stripped(status: NodeStatus) -> NodeStatus:
    """A status without its heartbeats."""
    return replace(status, conditions=[replace(each, lastHeartbeatTime="") for each in status.conditions])
