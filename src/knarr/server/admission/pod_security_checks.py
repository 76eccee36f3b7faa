"""The Pod Security Standards, as data: what pods of level baseline or restricted may not do, in upstream's words.

`violations` gives them in upstream's order: the baseline's, then those that restricted adds or puts in their place.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from knarr.kinds.types.core_v1 import Container, EphemeralContainer, PodSpec, SELinuxOptions, Volume

AnyContainer = Container | EphemeralContainer
LATEST = 10_000  #: the minor version that "latest" stands for
CAPABILITIES = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
        *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
SELINUX = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
SYSCTLS = {  # since which minor version a sysctl is harmless
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
}
VOLUMES = ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret")
SECCOMP = ("RuntimeDefault", "Localhost")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


@dataclass(frozen=True, slots=True)
class Pod:
    """What is judged: a pod's or a template's spec, by the standard of a minor version."""

    spec: PodSpec
    minor: int

    @property
    def containers(self) -> list[AnyContainer]:
        return [*self.spec.initContainers, *self.spec.containers, *self.spec.ephemeralContainers]

    @property
    def windows(self) -> bool:
        """Whether rules for Linux alone don't apply; known of a pod since 1.25."""
        return self.minor >= 25 and self.spec.os is not None and self.spec.os.name == "windows"


Found = tuple[str, str] | None  #: the rule, and who breaks it how; None when nobody does


@dataclass(frozen=True, slots=True)
class Check:
    id: str
    look: Callable[[Pod], Found]
    since: int = 0  #: minor version
    instead_of: tuple[str, ...] = ()  #: the baseline's checks that this one includes


def violations(level: str, minor: int, spec: PodSpec) -> list[tuple[str, str]]:
    """Which rules of a level a pod breaks, each with the details."""
    if level == "privileged":
        return []
    added = [check for check in RESTRICTED if minor >= check.since] if level == "restricted" else []
    replaced = {id_ for check in added for id_ in check.instead_of}
    checks = [c for c in BASELINE if minor >= c.since and c.id not in replaced] + added
    pod = Pod(spec, minor)
    return [found for check in checks if (found := check.look(pod)) is not None]


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def named(word: str, names: Sequence[str]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"{word}{'s' if len(names) != 1 else ''} {quoted(names)}"


def bad(pod: Pod, wrong: Callable[[AnyContainer], bool]) -> list[str]:
    return [container.name for container in pod.containers if wrong(container)]


def setters(pod_is: bool, containers: Sequence[str]) -> str:
    """`pod and container "a"`."""
    return " and ".join((["pod"] if pod_is else []) + ([named("container", containers)] if containers else []))


def app_armor(pod: Pod) -> Found:
    def wrong(type_: str) -> bool:
        return type_ not in ("", *SECCOMP)

    context = pod.spec.securityContext
    own = context.appArmorProfile.type if context and context.appArmorProfile else ""
    types = {c.name: c.securityContext.appArmorProfile.type for c in pod.containers
             if c.securityContext and c.securityContext.appArmorProfile}  # fmt: skip
    containers = [name for name, type_ in types.items() if wrong(type_)]
    if not wrong(own) and not containers:
        return None
    values = sorted({type_ for type_ in (own, *types.values()) if wrong(type_)})
    plural = "s" if len(values) > 1 else ""
    who = setters(wrong(own), containers)
    return f"forbidden AppArmor profile{plural}", f"{who} must not set AppArmor profile type to {quoted(values)}"


def baseline_capabilities(pod: Pod) -> Found:
    return _added(pod, CAPABILITIES, "non-default capabilities")


def _added(pod: Pod, allowed: frozenset[str], rule: str) -> Found:
    given = {c.name: set(c.securityContext.capabilities.add) - allowed for c in pod.containers
             if c.securityContext and c.securityContext.capabilities}  # fmt: skip
    containers = [name for name, extra in given.items() if extra]
    if not containers:
        return None
    extras = sorted(set[str]().union(*given.values()))
    return (
        rule,
        f"{named('container', containers)} must not include {quoted(extras)} in securityContext.capabilities.add",
    )


def host_namespaces(pod: Pod) -> Found:
    used = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if getattr(pod.spec, name)]
    return ("host namespaces", ", ".join(used)) if used else None


def host_paths(pod: Pod) -> Found:
    names = [volume.name for volume in pod.spec.volumes if volume.hostPath is not None]
    return ("hostPath volumes", named("volume", names)) if names else None


def host_ports(pod: Pod) -> Found:
    ports = {c.name: [p.hostPort for p in c.ports if p.hostPort] for c in pod.containers}
    containers = [name for name, found in ports.items() if found]
    if not containers:
        return None
    numbers = sorted({str(port) for found in ports.values() for port in found})
    word = "hostPort" if len(numbers) == 1 else "hostPorts"
    uses = "uses" if len(containers) == 1 else "use"
    return word, f"{named('container', containers)} {uses} {word} {', '.join(numbers)}"


def host_probes(pod: Pod) -> Found:
    hosts = {c.name: set(_hosts(c)) for c in pod.containers}
    containers = [name for name, found in hosts.items() if found]
    if not containers:
        return None
    found = sorted(set[str]().union(*hosts.values()))
    word = "probe or lifecycle host" + ("s" if len(found) > 1 else "")
    uses = "uses" if len(containers) == 1 else "use"
    return "probe or lifecycle host", f"{named('container', containers)} {uses} {word} {quoted(found)}"


def _hosts(container: AnyContainer) -> Iterator[str]:
    handlers = [getattr(container, name) for name in PROBES]
    if container.lifecycle is not None:
        handlers += [container.lifecycle.postStart, container.lifecycle.preStop]
    for handler in handlers:
        for action in (handler.httpGet, handler.tcpSocket) if handler is not None else ():
            if action is not None and action.host not in ("", "127.0.0.1", "::1"):
                yield action.host


def privileged(pod: Pod) -> Found:
    names = bad(pod, lambda c: bool(c.securityContext and c.securityContext.privileged))
    return (
        ("privileged", f"{named('container', names)} must not set securityContext.privileged=true") if names else None
    )


def proc_mount(pod: Pod) -> Found:
    mounts = {c.name: c.securityContext.procMount for c in pod.containers if c.securityContext}
    names = [name for name, mount in mounts.items() if mount not in ("", "Default")]
    if not names:
        return None
    values = quoted(sorted({mounts[name] for name in names}))
    return "procMount", f"{named('container', names)} must not set securityContext.procMount to {values}"


def se_linux(pod: Pod) -> Found:
    def wrong(options: SELinuxOptions | None) -> bool:
        return options is not None and (options.type not in SELINUX or bool(options.user or options.role))

    own = pod.spec.securityContext.seLinuxOptions if pod.spec.securityContext else None
    given = {c.name: c.securityContext.seLinuxOptions for c in pod.containers if c.securityContext}
    names = [name for name, options in given.items() if wrong(options)]
    if not wrong(own) and not names:
        return None
    every = [options for options in (own, *given.values()) if options is not None]
    types = sorted({options.type for options in every if options.type not in SELINUX})
    data = [named("type", types)] if types else []
    data += [f"{key} may not be set" for key in ("user", "role") if any(getattr(o, key) for o in every)]
    text = f"{setters(wrong(own), names)} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}"
    return "seLinuxOptions", text


def _seccomp(pod: Pod) -> tuple[str, dict[str, str]]:
    """The profile types of the pod and of its containers, "" where none is set."""
    context = pod.spec.securityContext
    own = context.seccompProfile.type if context and context.seccompProfile else ""
    return own, {
        c.name: c.securityContext.seccompProfile.type if c.securityContext and c.securityContext.seccompProfile else ""
        for c in pod.containers
    }


def baseline_seccomp(pod: Pod) -> Found:
    own, types = _seccomp(pod)
    values = {type_ for type_ in (own, *types.values()) if type_ not in ("", *SECCOMP)}
    if not values:
        return None
    who = setters(own in values, [name for name, type_ in types.items() if type_ in values])
    return "seccompProfile", f"{who} must not set securityContext.seccompProfile.type to {quoted(sorted(values))}"


def sysctls(pod: Pod) -> Found:
    given = pod.spec.securityContext.sysctls if pod.spec.securityContext else []
    names = [s.name for s in given if SYSCTLS.get(s.name, LATEST + 1) > pod.minor]
    return ("forbidden sysctls", ", ".join(names)) if names else None


def windows_host_process(pod: Pod) -> Found:
    context = pod.spec.securityContext
    own = bool(context and context.windowsOptions and context.windowsOptions.hostProcess)
    names = bad(pod, lambda c: bool(
        c.securityContext and c.securityContext.windowsOptions and c.securityContext.windowsOptions.hostProcess
    ))  # fmt: skip
    if not own and not names:
        return None
    return "hostProcess", f"{setters(own, names)} must not set securityContext.windowsOptions.hostProcess=true"


def privilege_escalation(pod: Pod) -> Found:
    if pod.windows:
        return None
    names = bad(pod, lambda c: c.securityContext is None or c.securityContext.allowPrivilegeEscalation is not False)
    text = f"{named('container', names)} must set securityContext.allowPrivilegeEscalation=false"
    return ("allowPrivilegeEscalation != false", text) if names else None


def restricted_capabilities(pod: Pod) -> Found:
    if pod.windows:
        return None
    rule = "unrestricted capabilities"
    kept = bad(pod, lambda c: not (
        c.securityContext and c.securityContext.capabilities and "ALL" in c.securityContext.capabilities.drop
    ))  # fmt: skip
    added = _added(pod, frozenset({"NET_BIND_SERVICE"}), rule)
    texts = [f'{named("container", kept)} must set securityContext.capabilities.drop=["ALL"]'] if kept else []
    texts += [added[1]] if added else []
    return (rule, "; ".join(texts)) if texts else None


def restricted_volumes(pod: Pod) -> Found:
    types = {volume.name: type_ for volume in pod.spec.volumes if (type_ := _volume_type(volume)) not in VOLUMES}
    if not types:
        return None
    kinds = sorted(set(types.values()))
    uses = "uses" if len(types) == 1 else "use"
    return "restricted volume types", f"{named('volume', list(types))} {uses} {named('restricted volume type', kinds)}"


def _volume_type(volume: Volume) -> str:
    fields = (name for name in Volume.__struct_fields__ if name != "name")
    return next((name for name in fields if getattr(volume, name) is not None), "unknown")


def run_as_non_root(pod: Pod) -> Found:
    rule = "runAsNonRoot != true"
    own = pod.spec.securityContext.runAsNonRoot if pod.spec.securityContext else None
    given = {c.name: c.securityContext.runAsNonRoot if c.securityContext else None for c in pod.containers}
    wrong = [name for name, value in given.items() if value is False]
    unsaid = [name for name, value in given.items() if value is None] if own is not True else []
    if own is False and not unsaid:
        own = None  # every container says otherwise
    if own is False or wrong:
        return rule, f"{setters(own is False, wrong)} must not set securityContext.runAsNonRoot=false"
    if unsaid:
        return rule, f"pod or {named('container', unsaid)} must set securityContext.runAsNonRoot=true"
    return None


def run_as_user(pod: Pod) -> Found:
    own = pod.spec.securityContext is not None and pod.spec.securityContext.runAsUser == 0
    names = bad(pod, lambda c: c.securityContext is not None and c.securityContext.runAsUser == 0)
    return ("runAsUser=0", f"{setters(own, names)} must not set runAsUser=0") if own or names else None


def restricted_seccomp(pod: Pod) -> Found:
    if pod.windows:
        return None
    if (found := baseline_seccomp(pod)) is not None:
        return found
    own, types = _seccomp(pod)
    unsaid = [name for name, type_ in types.items() if not type_] if not own else []
    if not unsaid:
        return None
    wanted = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return "seccompProfile", f"pod or {named('container', unsaid)} {wanted}"


BASELINE = (
    Check("appArmorProfile", app_armor),
    Check("capabilities_baseline", baseline_capabilities),
    Check("hostNamespaces", host_namespaces),
    Check("hostPathVolumes", host_paths),
    Check("hostPorts", host_ports),
    Check("hostProbesAndHostLifecycle", host_probes, since=34),
    Check("privileged", privileged),
    Check("procMount", proc_mount),
    Check("seLinuxOptions", se_linux),
    Check("seccompProfile_baseline", baseline_seccomp, since=19),
    Check("sysctls", sysctls),
    Check("windowsHostProcess", windows_host_process),
)
RESTRICTED = (
    Check("allowPrivilegeEscalation", privilege_escalation, since=8),
    Check("capabilities_restricted", restricted_capabilities, since=22, instead_of=("capabilities_baseline",)),
    Check("restrictedVolumes", restricted_volumes, instead_of=("hostPathVolumes",)),
    Check("runAsNonRoot", run_as_non_root),
    Check("runAsUser", run_as_user, since=23),
    Check("seccompProfile_restricted", restricted_seccomp, since=19, instead_of=("seccompProfile_baseline",)),
)
