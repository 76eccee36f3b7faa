"""The files of /etc that are the pod's own: hosts, resolv.conf, hostname. Pure; hosts reads as the kubelet's."""

from collections.abc import Sequence

from knarr.node.runtimes.runtime import SandboxSpec

HEADER = "# Kubernetes-managed hosts file."
HOST_HEADER = "# Kubernetes-managed hosts file (host network)."
LOCAL = (
    ("127.0.0.1", "localhost"),
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::0", "ip6-localnet"),
    ("fe00::0", "ip6-mcastprefix"),
    ("fe00::1", "ip6-allnodes"),
    ("fe00::2", "ip6-allrouters"),
)


def hosts(spec: SandboxSpec, ips: Sequence[str], host_file: str) -> str:
    """/etc/hosts; a pod on the host's network has the host's own lines."""
    if spec.host_network:
        text = f"{HOST_HEADER}\n{host_file}"
    else:
        short = spec.hostname.removesuffix(f".{spec.domain}")  # the host name may be the whole one
        names = f"{short}.{spec.domain}\t{short}" if spec.domain else short
        lines = (*LOCAL, *((ip, names) for ip in ips))
        text = "\n".join((HEADER, *(f"{address}\t{name}" for address, name in lines), ""))
    if spec.hosts:
        aliases = (f"{alias.ip}\t" + "\t".join(alias.hostnames) for alias in spec.hosts)
        text += "\n# Entries added by HostAliases.\n" + "\n".join(aliases) + "\n"
    return text


def resolver(spec: SandboxSpec) -> str:
    """/etc/resolv.conf, in the order the kubelet writes it."""
    lines = []
    if spec.dns_searches:
        lines.append("search " + " ".join(spec.dns_searches))
    lines += [f"nameserver {server}" for server in spec.dns_servers]
    if spec.dns_options:
        lines.append("options " + " ".join(spec.dns_options))
    return "".join(line + "\n" for line in lines)
