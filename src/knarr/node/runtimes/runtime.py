"""What the node agent needs from a runtime. Three implement it; one contract suite tests them all.

The agent decides and the runtime acts: no restart policy, probe or status lives in a runtime. Everything a
runtime knows about a pod survives the agent (but not the machine): after a crash `pods()` finds it again.
All times are seconds since the epoch (`knarr.meta.clock.unix`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

Propagation = Literal["None", "HostToContainer", "Bidirectional"]

NEVER_STARTED = 128  #: the exit code of a container that was made and could not be started, as containerd's
START_ERROR = "StartError"


class RuntimeFailure(Exception):
    """A runtime could not do what it was asked.

    `reason` goes into a container's waiting or terminated state and into the event, e.g. RunContainerError,
    ErrImageNeverPull, ErrImagePull, InvalidImageName, CreateContainerError.
    """

    def __init__(self, message: str, *, reason: str = "RunContainerError") -> None:
        super().__init__(message)
        self.message, self.reason = message, reason


class NotStarted(RuntimeFailure):
    """The container was made, but its command could not be run: it is left exited, with code 128 and `StartError`."""


class NoSuchContainer(RuntimeFailure):
    """The pod or the container is not there, or no longer running."""


class HostAlias(Struct, frozen=True):
    """One line of /etc/hosts."""

    ip: str
    hostnames: tuple[str, ...]


class SandboxSpec(Struct, frozen=True):
    """A pod as the runtime sees it: namespaces, network and names, no containers yet."""

    uid: str
    name: str
    namespace: str
    hostname: str
    log_directory: Path
    domain: str = ""  #: `<subdomain>.<namespace>.svc.<cluster domain>`, or "": the FQDN of the pod is hostname.domain
    dns_servers: tuple[str, ...] = ()
    dns_searches: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    hosts: tuple[
        HostAlias, ...
    ] = ()  #: of spec.hostAliases; the runtime writes localhost and the pod's own line itself
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_processes: bool = False
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    sysctls: Mapping[str, str] = {}
    attempt: int = 0
    owner: str = ""  #: KIND/NAME of the pod's controller


class Mount(Struct, frozen=True):
    """A path of the node, seen at `target` in the container."""

    source: Path
    target: str
    read_only: bool = False
    propagation: Propagation = "None"
    within: Path | None = None  #: the volume `source` is a sub path of: no link may lie on the way between them


class Limits(Struct, frozen=True):
    """Resources, in bytes and cores; 0 is none."""

    memory: int = 0
    cpu: float = 0.0
    cpu_request: float = 0.0


class Seccomp(Struct, frozen=True):
    """Which system calls are allowed: all, those of the runtime's own list, or those of a file of the node."""

    type: Literal["Unconfined", "RuntimeDefault", "Localhost"] = "Unconfined"
    file: Path | None = None  #: of type Localhost: a profile in OCI's format


class ContainerSpec(Struct, frozen=True):
    """One attempt to run one container. An empty command means the image's."""

    name: str
    attempt: int
    image: str
    log_path: Path  #: the runtime writes it in the CRI log format, and rotates it
    command: tuple[str, ...] = ()  #: replaces the image's entrypoint (and its command)
    args: tuple[str, ...] = ()  #: replaces the image's command
    env: tuple[tuple[str, str], ...] = ()  #: over the image's
    working_dir: str = ""
    mounts: tuple[Mount, ...] = ()
    user: int | None = None  #: None: the image's
    group: int | None = None
    groups: tuple[int, ...] = ()
    non_root: bool = False  #: refuse to run as user 0
    tty: bool = False
    stdin: bool = False
    stdin_once: bool = False
    termination_log_path: str = "/dev/termination-log"
    read_only_root: bool = False
    privileged: bool = False
    no_new_privileges: bool = False  #: allowPrivilegeEscalation: false
    seccomp: Seccomp = Seccomp()  #: counts for nothing in a privileged container
    capabilities_add: tuple[str, ...] = ()
    capabilities_drop: tuple[str, ...] = ()
    limits: Limits = Limits()
    stop_signal: str = ""  #: "": the image's, or SIGTERM
    labels: Mapping[str, str] = {}


class ContainerState(Struct, frozen=True):
    """A container the runtime knows, dead ones included until `remove_container`."""

    id: str
    name: str
    attempt: int
    image: str
    image_id: str
    state: Literal["created", "running", "exited"]
    created: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    exit_code: int = 0
    signal: int = 0
    reason: str = ""  #: Completed, Error, OOMKilled, StartError
    message: str = ""  #: what the process left in its termination log, or why it did not start
    log_path: str = ""


class PodSandbox(Struct, frozen=True):
    """A pod that has namespaces ("ready") or lost them, e.g. to a reboot ("gone")."""

    uid: str
    name: str
    namespace: str
    ip: str  #: "" on the host's network
    state: Literal["ready", "gone"]
    created: float
    containers: tuple[ContainerState, ...] = ()
    ips: tuple[str, ...] = ()
    attempt: int = 0
    labels: Mapping[str, str] = {}


class Used(Struct, frozen=True):
    """What a running container uses: memory in bytes; CPU in seconds since its start, and now, in cores, if known."""

    memory: float
    cpu_seconds: float = 0.0
    cpu: float | None = None


class Image(Struct, frozen=True):
    """An image that is on this node. `id` is its digest ("sha256:...")."""

    id: str
    names: tuple[str, ...]
    size: int
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""


class ByteReader(Protocol):
    """Where bytes come from; b"" is the end."""

    async def read(self, n: int = -1, /) -> bytes: ...


class ByteWriter(Protocol):
    """Where bytes go. `close` ends the stream; writing to a closed one is an OSError."""

    async def write(self, data: bytes, /) -> None: ...

    async def close(self) -> None: ...


class Session(Protocol):
    """A process of an exec, or the attached main process of a container.

    With a tty everything comes from `stdout` and `stderr` is None. Streams that were not asked for are None.
    """

    @property
    def stdin(self) -> ByteWriter | None: ...

    @property
    def stdout(self) -> ByteReader | None: ...

    @property
    def stderr(self) -> ByteReader | None: ...

    async def resize(self, columns: int, rows: int) -> None: ...

    async def wait(self) -> int:
        """Return the exit code (128 + signal when killed); for attach, when the container ends or detaches.

        RuntimeFailure when the command did not start, where a runtime learns it only now.
        """

    async def close(self) -> None:
        """End it: an exec's process is killed when it still runs, an attached one lives on. Idempotent."""


class Runtime(Protocol):
    """A place pods run in. Methods are idempotent and may be called for different pods at the same time."""

    name: str
    version: str

    async def start(self) -> None:
        """Find again what runs here, prepare the rest."""

    async def stop(self) -> None:
        """Let go: pods keep running."""

    async def pods(self) -> list[PodSandbox]:
        """What really runs here, whoever started it."""

    async def wait_change(self) -> None:
        """Return as soon as any container or sandbox changed since the last `pods()`; at once if it already has."""

    async def run_pod(self, spec: SandboxSpec) -> PodSandbox:
        """Make the pod's namespaces and network; return the one that is there when this uid already runs."""

    async def stop_pod(self, uid: str) -> None:
        """Return when every process of the pod and its network are gone. Kills at once: grace was before."""

    async def remove_pod(self, uid: str) -> None:
        """Forget a stopped pod: its containers, writable layers and records; not its logs."""

    async def start_container(self, uid: str, spec: ContainerSpec) -> str:
        """Start it and return its id. RuntimeFailure when it can't: then nothing is left of this attempt, unless it
        is NotStarted."""

    async def stop_container(self, uid: str, container: str, grace: float) -> None:
        """TERM (or the stop signal), wait up to `grace` seconds, KILL. Returns when it is no longer running."""

    async def remove_container(self, uid: str, container: str) -> None:
        """Forget an exited container and its writable layer; not its log."""

    async def exec(
        self, uid: str, container: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> Session:
        """Run a command inside. RuntimeFailure when it does not start."""

    async def attach(self, uid: str, container: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> Session:
        """Connect to the main process' streams, from now on."""

    async def dial(
        self, uid: str, port: int, host: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a TCP port from within the pod's network namespace. OSError when nobody listens."""

    async def usage(self) -> Mapping[str, Used]:
        """What the running containers use, by their ids; those of which nothing can be said are left out."""

    async def written(self, uid: str) -> Mapping[str, int]:
        """Bytes of the disk that a pod's containers have written to layers of their own, by their names; those of which
        nothing is known are left out."""

    async def images(self) -> list[Image]:
        """Every image of this node."""

    async def image_ready(self, name: str) -> Image | None:
        """The image of that name (with or without tag or digest), or None."""
