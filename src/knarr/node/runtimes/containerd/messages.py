"""The messages of CRI v1 (kubernetes/cri-api, pkg/apis/runtime/v1/api.proto) that the runtime sends and reads.

Names and numbers are the protocol's; fields nobody here uses are left out.
"""

from typing import Annotated

from msgspec import Struct

READY = 0  #: PodSandboxState
CREATED, RUNNING, EXITED = 0, 1, 2  #: ContainerState
POD, CONTAINER, NODE = 0, 1, 2  #: NamespaceMode
PROFILES = {"RuntimeDefault": 0, "Unconfined": 1, "Localhost": 2}
PROPAGATION = {"None": 0, "HostToContainer": 1, "Bidirectional": 2}


class Empty(Struct, frozen=True):
    """An answer that says nothing, or a request that asks for everything."""


class VersionResponse(Struct, frozen=True):
    runtime_name: Annotated[str, 2] = ""
    runtime_version: Annotated[str, 3] = ""


class Number(Struct, frozen=True):
    """Int64Value: a number that may be absent."""

    value: Annotated[int, 1] = 0


# sandboxes


class DNSConfig(Struct, frozen=True):
    servers: Annotated[list[str], 1] = []
    searches: Annotated[list[str], 2] = []
    options: Annotated[list[str], 3] = []


class NamespaceOption(Struct, frozen=True):
    network: Annotated[int, 1] = POD
    pid: Annotated[int, 2] = POD
    ipc: Annotated[int, 3] = POD


class LinuxSandboxSecurityContext(Struct, frozen=True):
    namespace_options: Annotated[NamespaceOption | None, 1] = None
    privileged: Annotated[bool, 6] = False


class LinuxPodSandboxConfig(Struct, frozen=True):
    cgroup_parent: Annotated[str, 1] = ""
    security_context: Annotated[LinuxSandboxSecurityContext | None, 2] = None
    sysctls: Annotated[dict[str, str], 3] = {}


class PodSandboxMetadata(Struct, frozen=True):
    name: Annotated[str, 1] = ""
    uid: Annotated[str, 2] = ""
    namespace: Annotated[str, 3] = ""
    attempt: Annotated[int, 4] = 0


class PodSandboxConfig(Struct, frozen=True):
    metadata: Annotated[PodSandboxMetadata, 1] = PodSandboxMetadata()
    hostname: Annotated[str, 2] = ""
    log_directory: Annotated[str, 3] = ""
    dns_config: Annotated[DNSConfig | None, 4] = None
    labels: Annotated[dict[str, str], 6] = {}
    annotations: Annotated[dict[str, str], 7] = {}
    linux: Annotated[LinuxPodSandboxConfig | None, 8] = None


class RunPodSandboxRequest(Struct, frozen=True):
    config: Annotated[PodSandboxConfig, 1]


class PodSandboxId(Struct, frozen=True):
    """What Run answers, and what Stop and Remove ask."""

    pod_sandbox_id: Annotated[str, 1] = ""


class PodSandboxStatusRequest(Struct, frozen=True):
    pod_sandbox_id: Annotated[str, 1] = ""
    verbose: Annotated[bool, 2] = False


class PodSandboxStatusResponse(Struct, frozen=True):
    info: Annotated[dict[str, str], 2] = {}


class PodSandbox(Struct, frozen=True):
    id: Annotated[str, 1] = ""
    metadata: Annotated[PodSandboxMetadata, 2] = PodSandboxMetadata()
    state: Annotated[int, 3] = READY
    created_at: Annotated[int, 4] = 0
    labels: Annotated[dict[str, str], 5] = {}
    annotations: Annotated[dict[str, str], 6] = {}


class ListPodSandboxResponse(Struct, frozen=True):
    items: Annotated[list[PodSandbox], 1] = []


# containers


class ImageSpec(Struct, frozen=True):
    image: Annotated[str, 1] = ""


class KeyValue(Struct, frozen=True):
    key: Annotated[str, 1] = ""
    value: Annotated[str, 2] = ""


class Mount(Struct, frozen=True):
    container_path: Annotated[str, 1] = ""
    host_path: Annotated[str, 2] = ""
    readonly: Annotated[bool, 3] = False
    propagation: Annotated[int, 5] = 0


class LinuxContainerResources(Struct, frozen=True):
    cpu_period: Annotated[int, 1] = 0
    cpu_quota: Annotated[int, 2] = 0
    cpu_shares: Annotated[int, 3] = 0
    memory_limit_in_bytes: Annotated[int, 4] = 0


class Capability(Struct, frozen=True):
    add_capabilities: Annotated[list[str], 1] = []
    drop_capabilities: Annotated[list[str], 2] = []


class SecurityProfile(Struct, frozen=True):
    profile_type: Annotated[int, 1] = 0  #: PROFILES
    localhost_ref: Annotated[str, 2] = ""


class LinuxContainerSecurityContext(Struct, frozen=True):
    capabilities: Annotated[Capability | None, 1] = None
    privileged: Annotated[bool, 2] = False
    namespace_options: Annotated[NamespaceOption | None, 3] = None
    run_as_user: Annotated[Number | None, 5] = None
    run_as_username: Annotated[str, 6] = ""
    readonly_rootfs: Annotated[bool, 7] = False
    supplemental_groups: Annotated[list[int], 8] = []
    no_new_privs: Annotated[bool, 11] = False
    run_as_group: Annotated[Number | None, 12] = None
    seccomp: Annotated[SecurityProfile | None, 15] = None


class LinuxContainerConfig(Struct, frozen=True):
    resources: Annotated[LinuxContainerResources | None, 1] = None
    security_context: Annotated[LinuxContainerSecurityContext | None, 2] = None


class ContainerMetadata(Struct, frozen=True):
    name: Annotated[str, 1] = ""
    attempt: Annotated[int, 2] = 0


class ContainerConfig(Struct, frozen=True):
    metadata: Annotated[ContainerMetadata, 1] = ContainerMetadata()
    image: Annotated[ImageSpec, 2] = ImageSpec()
    command: Annotated[list[str], 3] = []
    args: Annotated[list[str], 4] = []
    working_dir: Annotated[str, 5] = ""
    envs: Annotated[list[KeyValue], 6] = []
    mounts: Annotated[list[Mount], 7] = []
    labels: Annotated[dict[str, str], 9] = {}
    annotations: Annotated[dict[str, str], 10] = {}
    log_path: Annotated[str, 11] = ""
    stdin: Annotated[bool, 12] = False
    stdin_once: Annotated[bool, 13] = False
    tty: Annotated[bool, 14] = False
    linux: Annotated[LinuxContainerConfig | None, 15] = None


class CreateContainerRequest(Struct, frozen=True):
    pod_sandbox_id: Annotated[str, 1]
    config: Annotated[ContainerConfig, 2]
    sandbox_config: Annotated[PodSandboxConfig, 3]


class ContainerId(Struct, frozen=True):
    """What Create answers, and what Start, Remove, Status and ReopenContainerLog ask."""

    container_id: Annotated[str, 1] = ""


class StopContainerRequest(Struct, frozen=True):
    container_id: Annotated[str, 1] = ""
    timeout: Annotated[int, 2] = 0


class Container(Struct, frozen=True):
    id: Annotated[str, 1] = ""
    pod_sandbox_id: Annotated[str, 2] = ""
    metadata: Annotated[ContainerMetadata, 3] = ContainerMetadata()
    state: Annotated[int, 6] = CREATED
    created_at: Annotated[int, 7] = 0
    annotations: Annotated[dict[str, str], 9] = {}


class ListContainersResponse(Struct, frozen=True):
    containers: Annotated[list[Container], 1] = []


class ContainerStatus(Struct, frozen=True):
    id: Annotated[str, 1] = ""
    metadata: Annotated[ContainerMetadata, 2] = ContainerMetadata()
    state: Annotated[int, 3] = CREATED
    created_at: Annotated[int, 4] = 0
    started_at: Annotated[int, 5] = 0
    finished_at: Annotated[int, 6] = 0
    exit_code: Annotated[int, 7] = 0
    reason: Annotated[str, 10] = ""
    message: Annotated[str, 11] = ""
    annotations: Annotated[dict[str, str], 13] = {}
    log_path: Annotated[str, 15] = ""


class ContainerStatusResponse(Struct, frozen=True):
    status: Annotated[ContainerStatus, 1] = ContainerStatus()


# usage


class ContainerAttributes(Struct, frozen=True):
    id: Annotated[str, 1] = ""


class CpuUsage(Struct, frozen=True):
    timestamp: Annotated[int, 1] = 0
    usage_core_nano_seconds: Annotated[Number | None, 2] = None


class MemoryUsage(Struct, frozen=True):
    timestamp: Annotated[int, 1] = 0
    working_set_bytes: Annotated[Number | None, 2] = None


class FilesystemUsage(Struct, frozen=True):
    used_bytes: Annotated[Number | None, 3] = None


class ContainerStats(Struct, frozen=True):
    attributes: Annotated[ContainerAttributes, 1] = ContainerAttributes()
    cpu: Annotated[CpuUsage | None, 2] = None
    memory: Annotated[MemoryUsage | None, 3] = None
    writable_layer: Annotated[FilesystemUsage | None, 4] = None


class ListContainerStatsResponse(Struct, frozen=True):
    stats: Annotated[list[ContainerStats], 1] = []


# streams


class ExecRequest(Struct, frozen=True):
    container_id: Annotated[str, 1]
    cmd: Annotated[list[str], 2]
    tty: Annotated[bool, 3]
    stdin: Annotated[bool, 4]
    stdout: Annotated[bool, 5]
    stderr: Annotated[bool, 6]


class AttachRequest(Struct, frozen=True):
    container_id: Annotated[str, 1]
    stdin: Annotated[bool, 2]
    tty: Annotated[bool, 3]
    stdout: Annotated[bool, 4]
    stderr: Annotated[bool, 5]


class StreamResponse(Struct, frozen=True):
    """The answer to Exec and Attach: where their streams are served."""

    url: Annotated[str, 1] = ""


# images


class Image(Struct, frozen=True):
    id: Annotated[str, 1] = ""
    repo_tags: Annotated[list[str], 2] = []
    repo_digests: Annotated[list[str], 3] = []
    size: Annotated[int, 4] = 0
    uid: Annotated[Number | None, 5] = None
    username: Annotated[str, 6] = ""


class ListImagesResponse(Struct, frozen=True):
    images: Annotated[list[Image], 1] = []


class ImageStatusRequest(Struct, frozen=True):
    image: Annotated[ImageSpec, 1]


class ImageStatusResponse(Struct, frozen=True):
    image: Annotated[Image | None, 1] = None


# containerd's own service: its events wake the runtime, what they say is read from CRI


class SubscribeRequest(Struct, frozen=True):
    """containerd.services.events.v1.SubscribeRequest."""

    filters: Annotated[list[str], 1] = []


class Envelope(Struct, frozen=True):
    topic: Annotated[str, 3] = ""
