"""From a pod to what a runtime is asked for: the sandbox' and the containers' specs. Pure; the worker calls it."""

from collections.abc import Mapping
from pathlib import Path

from knarr.kinds.types.core_v1 import Container, Pod, PodSecurityContext, SeccompProfile, SecurityContext
from knarr.node.config import NodeConfig
from knarr.node.env import expand
from knarr.node.fields import amount
from knarr.node.runtimes.runtime import (
    ContainerSpec,
    HostAlias,
    Limits,
    Mount,
    RuntimeFailure,
    SandboxSpec,
    Seccomp,
)

GRACE = "knarr.dev/grace-period"  #: seconds; how the agent stops a pod whose object it has never seen
HOSTNAME_MOST = 63
UNSAID, UNSAID_OF_POD = SecurityContext(), PodSecurityContext()
NODENAME_MOST = 64  #: characters that the kernel takes


def sandbox_spec(pod: Pod, config: NodeConfig, attempt: int = 0) -> SandboxSpec:
    """Namespaces, names and resolver of a pod. RuntimeFailure when its names are too long for the kernel."""
    hostname, domain = names(pod, config)
    servers, searches, options = resolver(pod, config)
    security = pod.spec.securityContext
    grace = pod.spec.terminationGracePeriodSeconds
    return SandboxSpec(
        uid=pod.metadata.uid,
        name=pod.metadata.name,
        namespace=pod.metadata.namespace,
        hostname=whole(hostname, domain) if pod.spec.setHostnameAsFQDN and domain else hostname,
        domain=domain,
        log_directory=log_directory(pod, config),
        dns_servers=servers,
        dns_searches=searches,
        dns_options=options,
        hosts=tuple(HostAlias(alias.ip, tuple(alias.hostnames)) for alias in pod.spec.hostAliases),
        host_network=bool(pod.spec.hostNetwork),
        host_pid=bool(pod.spec.hostPID),
        host_ipc=bool(pod.spec.hostIPC),
        share_processes=bool(pod.spec.shareProcessNamespace),
        labels=pod.metadata.labels,
        annotations={**pod.metadata.annotations, GRACE: str(30 if grace is None else grace)},
        sysctls={each.name: each.value for each in security.sysctls} if security else {},
        attempt=attempt,
        owner=next((f"{each.kind}/{each.name}" for each in pod.metadata.ownerReferences if each.controller), ""),
    )


def whole(hostname: str, domain: str) -> str:
    """The FQDN, where the kernel takes it as its node name."""
    name = f"{hostname}.{domain}"
    if len(name) > NODENAME_MOST:
        size = f"({NODENAME_MOST} characters is the max, {len(name)} characters requested)"
        reason = f"failed to construct FQDN from pod hostname and cluster domain, FQDN {name} is too long {size}"
        raise RuntimeFailure(reason, reason="CreatePodSandboxError")
    return name


def names(pod: Pod, config: NodeConfig) -> tuple[str, str]:
    """The host name and the domain, the latter only with a subdomain."""
    hostname = pod.spec.hostname or pod.metadata.name[:HOSTNAME_MOST].rstrip("-.")
    if pod.spec.hostnameOverride:
        return pod.spec.hostnameOverride, ""
    if pod.spec.hostNetwork and not pod.spec.hostname:
        hostname = config.name
    if not pod.spec.subdomain:
        return hostname, ""
    return hostname, f"{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{config.domain}"


Resolver = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def resolver(pod: Pod, config: NodeConfig) -> Resolver:
    """Name servers, search list and options. Without a cluster address the runtime's own stay."""
    policy = pod.spec.dnsPolicy or "ClusterFirst"
    if policy == "ClusterFirst" and pod.spec.hostNetwork:
        policy = "Default"
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet") and config.dns_ip:
        servers = [config.dns_ip]
        searches = [f"{pod.metadata.namespace}.svc.{config.domain}", f"svc.{config.domain}", config.domain]
        options = ["ndots:5"]
    if extra := pod.spec.dnsConfig:
        servers += [each for each in extra.nameservers if each not in servers]
        searches += [each for each in extra.searches if each not in searches]
        own = {each.name: f"{each.name}:{each.value}" if each.value else each.name for each in extra.options}
        options = [each for each in options if each.partition(":")[0] not in own] + list(own.values())
    return tuple(servers), tuple(searches), tuple(options)


def log_directory(pod: Pod, config: NodeConfig, *inside: str) -> Path:
    """Where the logs of a pod's containers are, or a place in there."""
    return config.logs.joinpath(f"{pod.metadata.namespace}_{pod.metadata.name}_{pod.metadata.uid}", *inside)


def log_path(pod: Pod, config: NodeConfig, container: str, attempt: int) -> Path:
    return log_directory(pod, config, container, f"{attempt}.log")


def container_spec(
    pod: Pod, container: Container, attempt: int, env: Mapping[str, str], mounts: tuple[Mount, ...], config: NodeConfig
) -> ContainerSpec:
    """One attempt of one container."""
    own = container.securityContext or UNSAID
    shared = pod.spec.securityContext or UNSAID_OF_POD
    user = own.runAsUser if own.runAsUser is not None else shared.runAsUser
    group = own.runAsGroup if own.runAsGroup is not None else shared.runAsGroup
    groups = list(shared.supplementalGroups)
    if shared.fsGroup is not None:
        groups.append(shared.fsGroup)
    non_root = own.runAsNonRoot if own.runAsNonRoot is not None else shared.runAsNonRoot
    return ContainerSpec(
        name=container.name,
        attempt=attempt,
        image=container.image,
        log_path=log_path(pod, config, container.name, attempt),
        command=tuple([expand(each, env) for each in container.command]),
        args=tuple([expand(each, env) for each in container.args]),
        env=tuple(env.items()),
        working_dir=container.workingDir,
        mounts=mounts,
        user=user,
        group=group,
        groups=tuple(groups),
        non_root=bool(non_root),
        tty=bool(container.tty),
        stdin=bool(container.stdin),
        stdin_once=bool(container.stdinOnce),
        termination_log_path=container.terminationMessagePath or "/dev/termination-log",
        read_only_root=bool(own.readOnlyRootFilesystem),
        privileged=bool(own.privileged),
        no_new_privileges=own.allowPrivilegeEscalation is False,
        seccomp=seccomp(own.seccompProfile or shared.seccompProfile, config),
        capabilities_add=tuple(own.capabilities.add) if own.capabilities else (),
        capabilities_drop=tuple(own.capabilities.drop) if own.capabilities else (),
        limits=limits(container),
        stop_signal=container.lifecycle.stopSignal if container.lifecycle else "",
        labels={"io.kubernetes.container.name": container.name},
    )


def seccomp(profile: SeccompProfile | None, config: NodeConfig) -> Seccomp:
    """The container's profile; one that names none has the node's default."""
    if profile is None:
        return Seccomp("RuntimeDefault") if config.seccomp_default else Seccomp()
    if profile.type == "Localhost":
        if not profile.localhostProfile:
            message = "localhostProfile must be set if seccompProfile type is Localhost."
            raise RuntimeFailure(message, reason="CreateContainerConfigError")
        return Seccomp("Localhost", config.seccomp / profile.localhostProfile)
    return Seccomp("RuntimeDefault") if profile.type == "RuntimeDefault" else Seccomp()


def limits(container: Container) -> Limits:
    resources = container.resources
    if resources is None or not (resources.limits or resources.requests):
        return Limits()
    upper, lower = resources.limits, resources.requests
    return Limits(
        memory=int(amount(upper.get("memory", ""))),
        cpu=float(amount(upper.get("cpu", ""))),
        cpu_request=float(amount(lower.get("cpu", ""))),
    )
