"""What a pod's worker needs from its node. The agent is one; tests make their own."""

from typing import TYPE_CHECKING, Protocol

from knarr.client.api import Api
from knarr.kinds.types.core_v1 import Container, Pod
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.node.config import NodeConfig
from knarr.node.env import Sources
from knarr.node.runtimes.runtime import Mount, PodSandbox, Runtime

if TYPE_CHECKING:
    from knarr.node.worker import Worker


class Volumes(Protocol):
    """The files of pods."""

    async def recall(self) -> list[ObjectMeta]:
        """Find again what an earlier agent made; the pods it is of. Before any other call."""

    async def prepare(self, pod: Pod, *, runs: bool = False) -> str:
        """Make every volume of the pod; VolumeError when one cannot be had. A pod that `runs` goes on with the contents
        that it has; why they may be old is returned, "" when they are not.
        """

    async def refresh(self, pod: Pod) -> None:
        """Bring the contents of the volumes that follow API objects up to date."""

    async def mounts(self, pod: Pod, container: Container, env: dict[str, str]) -> tuple[Mount, ...]:
        """Where a container sees them."""

    async def excess(self, pod: Pod) -> str:
        """Which directory of the pod is larger than it may be, in the kubelet's words; "" when none is."""

    async def taken(self, pod: Pod) -> int:
        """Bytes of the disk that the pod's own directories take."""

    async def give_back(self, pod: Pod) -> None:
        """None of the pod's processes is left: others may have what it had alone."""

    async def tear_down(self, pod: Pod) -> None:
        """Remove the pod's files, its logs among them; VolumeError or OSError when something stays."""


class Host(Protocol):
    """A node as its workers see it."""

    config: NodeConfig
    api: Api
    runtime: Runtime
    volumes: Volumes
    sandboxes: dict[str, PodSandbox]  #: by pod uid, as of the last refresh
    looks: float  #: seconds between two looks at a pod of which nothing is heard; infinity for none
    patience: float  #: seconds that the status of a pod in motion may wait, so that fewer are written; 0: not at all
    steps_logged: int  #: the level of the log line that each step of a worker leaves

    async def refresh(self) -> None:
        """Ask the runtime what runs; wake the workers whose pods changed."""

    async def admit(self, worker: "Worker") -> None:
        """Remember whether the node takes the worker's pod, and tell when it does not."""

    def outlived(self, worker: "Worker") -> bool:
        """Whether something is left of another pod of the worker's pod's name."""

    def tell(self, pod: Pod, type_: str, reason: str, message: str, container: Container | None) -> None:
        """Record an event about a pod or a container of it; never waits."""

    async def sources(self, pod: Pod, container: Container) -> Sources:
        """What the container's environment is made of."""
