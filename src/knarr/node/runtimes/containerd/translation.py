"""Between the agent's words and CRI's: specs to configurations, what containerd says to states. Pure."""

import math
import os
from collections.abc import Mapping
from pathlib import Path

from knarr.node.runtimes.containerd import messages as cri
from knarr.node.runtimes.runtime import ContainerSpec, ContainerState, Image, Limits, Mount, SandboxSpec

ATTEMPT, IMAGE, IMAGE_ID = "knarr.dev/attempt", "knarr.dev/image", "knarr.dev/image-id"
NAME, NAMESPACE, UID = "io.kubernetes.pod.name", "io.kubernetes.pod.namespace", "io.kubernetes.pod.uid"
PERIOD, LEAST_QUOTA, LEAST_SHARES = 100_000, 1000, 2  #: the kubelet's, in microseconds and shares
UNKNOWN_EXIT = 255
SECOND = 1_000_000_000


def sandbox_config(spec: SandboxSpec, attempt: int, cgroup: str) -> cri.PodSandboxConfig:
    """`attempt` is CRI's, which must be new for each sandbox of a pod; the pod's own is noted beside it."""
    namespaces = cri.NamespaceOption(
        network=cri.NODE if spec.host_network else cri.POD,
        pid=cri.NODE if spec.host_pid else cri.POD if spec.share_processes else cri.CONTAINER,
        ipc=cri.NODE if spec.host_ipc else cri.POD,
    )
    return cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(name=spec.name, uid=spec.uid, namespace=spec.namespace, attempt=attempt),
        hostname="" if spec.host_network else spec.hostname,  # then it is the node's
        log_directory=str(spec.log_directory),
        dns_config=cri.DNSConfig(
            servers=list(spec.dns_servers), searches=list(spec.dns_searches), options=list(spec.dns_options)
        ),
        labels={**spec.labels, NAME: spec.name, NAMESPACE: spec.namespace, UID: spec.uid},
        annotations={ATTEMPT: str(spec.attempt)},
        linux=cri.LinuxPodSandboxConfig(
            cgroup_parent=f"{cgroup}/pod{spec.uid}",
            # only a privileged sandbox may have privileged containers, and these are not known yet
            security_context=cri.LinuxSandboxSecurityContext(namespace_options=namespaces, privileged=True),
            sysctls=dict(spec.sysctls),
        ),
    )


def container_config(
    spec: ContainerSpec, sandbox: cri.PodSandboxConfig, image: cri.Image, own: Mapping[str, Path]
) -> cri.ContainerConfig:
    """`own` are the runtime's files by the path at which the container sees them, where the spec mounts nothing."""
    taken = {mount.target.rstrip("/") for mount in spec.mounts}
    mounts = [*spec.mounts, *(Mount(source, target) for target, source in own.items() if target not in taken)]
    context = sandbox.linux.security_context if sandbox.linux else None
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=spec.name, attempt=spec.attempt),
        image=cri.ImageSpec(image=image.id),
        command=list(spec.command),
        args=list(spec.args),
        working_dir=spec.working_dir,
        envs=[cri.KeyValue(key=key, value=value) for key, value in spec.env],
        mounts=[
            cri.Mount(
                container_path=mount.target,
                host_path=str(mount.source),
                readonly=mount.read_only,
                propagation=cri.PROPAGATION[mount.propagation],
            )
            for mount in sorted(mounts, key=lambda mount: mount.target.rstrip("/").count("/"))
        ],
        labels={**sandbox.labels, **spec.labels},
        annotations={IMAGE: spec.image, IMAGE_ID: image.id},
        log_path=os.path.relpath(spec.log_path, sandbox.log_directory),
        stdin=spec.stdin,
        stdin_once=spec.stdin_once,
        tty=spec.tty,
        linux=cri.LinuxContainerConfig(
            resources=resources(spec.limits),
            security_context=security(spec, image, context.namespace_options if context else None),
        ),
    )


def security(
    spec: ContainerSpec, image: cri.Image, namespaces: cri.NamespaceOption | None
) -> cri.LinuxContainerSecurityContext:
    """A group needs a user beside it, so the image's is named where the spec names none."""
    user = cri.Number(value=spec.user) if spec.user is not None else image.uid
    return cri.LinuxContainerSecurityContext(
        capabilities=cri.Capability(
            add_capabilities=list(spec.capabilities_add), drop_capabilities=list(spec.capabilities_drop)
        ),
        privileged=spec.privileged,
        namespace_options=namespaces,
        run_as_user=user,
        run_as_username="" if user is not None else image.username,
        run_as_group=cri.Number(value=spec.group) if spec.group is not None else None,
        readonly_rootfs=spec.read_only_root,
        supplemental_groups=list(spec.groups),
        no_new_privs=spec.no_new_privileges,
        seccomp=cri.SecurityProfile(
            profile_type=cri.PROFILES[spec.seccomp.type], localhost_ref=str(spec.seccomp.file or "")
        ),
    )


def refusal(spec: ContainerSpec, image: cri.Image) -> str:
    """Why a container that must not run as root can't start; "" when it can. In the kubelet's words."""
    if not spec.non_root or spec.user:
        return ""
    if spec.user == 0:
        return "container's runAsUser breaks non-root policy"
    if image.username and image.username != "root":
        named = f"container has runAsNonRoot and image has non-numeric user ({image.username})"
        return f"{named}, cannot verify user is non-root"
    return "" if image.uid and image.uid.value else "container has runAsNonRoot and image will run as root"


def resources(limits: Limits) -> cri.LinuxContainerResources:
    return cri.LinuxContainerResources(
        cpu_period=PERIOD if limits.cpu else 0,
        cpu_quota=max(int(limits.cpu * PERIOD), LEAST_QUOTA) if limits.cpu else 0,
        cpu_shares=max(int((limits.cpu_request or limits.cpu) * 1024), LEAST_SHARES),
        memory_limit_in_bytes=limits.memory,
    )


def seconds(grace: float) -> int:
    """A grace period in CRI's whole seconds."""
    return max(0, math.ceil(grace))


def labels(sandbox: cri.PodSandbox) -> dict[str, str]:
    """The pod's own labels."""
    return {key: value for key, value in sandbox.labels.items() if key not in (NAME, NAMESPACE, UID)}


def container_state(status: cri.ContainerStatus, message: str) -> ContainerState:
    """`message` is what the container left in its termination log."""
    over = status.state not in (cri.CREATED, cri.RUNNING)
    code = status.exit_code if status.state == cri.EXITED else UNKNOWN_EXIT if over else 0
    return ContainerState(
        id=status.id,
        name=status.metadata.name,
        attempt=status.metadata.attempt,
        image=status.annotations.get(IMAGE, ""),
        image_id=status.annotations.get(IMAGE_ID, ""),
        state="exited" if over else "running" if status.state == cri.RUNNING else "created",
        created=status.created_at / SECOND,
        started=status.started_at / SECOND,
        finished=status.finished_at / SECOND if over else 0.0,
        exit_code=code,
        reason=(status.reason or ("Error" if code else "Completed")) if over else "",
        message=(message or status.message) if over else "",
        log_path=status.log_path,
    )


def image(found: cri.Image) -> Image:
    user = str(found.uid.value) if found.uid is not None else found.username
    return Image(found.id, tuple(found.repo_tags), found.size, user=user)
