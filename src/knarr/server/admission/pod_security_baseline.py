"""What pods of level baseline may not do, in upstream's words and order."""

from collections.abc import Iterator

from knarr.kinds.types.core_v1 import SELinuxOptions
from knarr.server.admission.pod_security_rules import (
    SECCOMP,
    AnyContainer,
    Check,
    Found,
    Pod,
    added,
    bad,
    named,
    quoted,
    seccomp_types,
    setters,
)

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
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


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
    return added(pod, CAPABILITIES, "non-default capabilities")


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


def baseline_seccomp(pod: Pod) -> Found:
    own, types = seccomp_types(pod)
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
