"""Which kernel parameters a pod may set: those that are its namespaces' own and cannot hurt its neighbours.

`pod.plan` runs no pod that asks for another one, as the kubelet refuses it; `status` says so.
"""

from knarr.kinds.types.core_v1 import Pod

REASON = "SysctlForbidden"
#: name to the namespace it belongs to: the kubelet's list of safe ones
SAFE = {"kernel.shm_rmid_forced": "ipc"} | {
    f"net.ipv4.{name}": "net"
    for name in (
        "ip_local_port_range",
        "ip_local_reserved_ports",
        "ip_unprivileged_port_start",
        "ping_group_range",
        "tcp_fin_timeout",
        "tcp_keepalive_intvl",
        "tcp_keepalive_probes",
        "tcp_keepalive_time",
        "tcp_rmem",
        "tcp_syncookies",
        "tcp_wmem",
    )
}


def forbidden(pod: Pod) -> str:
    """Why a pod is refused, in the kubelet's words; "" when it is not."""
    security = pod.spec.securityContext
    if security is None or not security.sysctls:
        return ""
    of_host = {"ipc": pod.spec.hostIPC, "net": pod.spec.hostNetwork}
    for each in security.sysctls:
        name = each.name.replace("/", ".")
        namespace = SAFE.get(name)
        if namespace is None:
            return f'forbidden sysctl: "{name}" not allowlisted'
        if of_host[namespace]:
            return f'forbidden sysctl: "{name}" not allowed with host {namespace} enabled'
    return ""
