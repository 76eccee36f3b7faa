"""`python -m knarr.node.runtimes.containerd.daemon FOLDER`: a node's own containerd, in the node's network namespace.

Its images and records lie in FOLDER and last; its sockets and mounts are in `/run/knarr`, for a socket's path must be
short and what is mounted does not outlive the machine. Ending it leaves its pods running: `cleaning` ends those.
"""

import ctypes
import hashlib
import json
import os
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

RUN = Path("/run/knarr")
CLONE_NEWUTS = 0x04000000
PAUSE_IMAGE = "knarr.dev/pause:1"
NEEDED = {
    "containerd": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "busybox": "busybox-static",
}

#: The pods' network is made by the node's agent once a pod's namespace is there. What CRI needs of a plugin is that it
#: answers, with some address: one for documentation (RFC 5737), which nobody uses.
PLUGIN = """#!/bin/sh
case "$CNI_COMMAND" in
VERSION) echo '{"cniVersion":"0.4.0","supportedVersions":["0.3.1","0.4.0"]}' ;;
ADD) cat <<END
{"cniVersion":"0.3.1","interfaces":[{"name":"$CNI_IFNAME","sandbox":"$CNI_NETNS"}],
 "ips":[{"version":"4","interface":0,"address":"192.0.2.1/32"}]}
END
;;
esac
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node's containerd keeps what; `folder` is its own directory in the node's folder."""

    folder: Path

    @property
    def run(self) -> Path:
        return RUN / hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]

    @property
    def socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def state(self) -> Path:
        return self.run / "state"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def cni(self) -> Path:
        return self.folder / "cni"

    @property
    def cgroup(self) -> str:
        """The parent of its pods' control groups, in every hierarchy."""
        return f"/knarr-{self.run.name}"


def of_node(node: Path) -> Place:
    """The containerd of the node whose folder this is."""
    return Place(node / "containerd")


def missing() -> list[str]:
    """What this host lacks to run pods in containerd; each a part of a sentence for the user."""
    if os.geteuid() != 0:
        return ["the containerd runtime needs root"]
    absent = [name for name in NEEDED if shutil.which(name) is None]
    packages = sorted({NEEDED[name] for name in absent})
    lacking = [f"{', '.join(absent)} not found: apt-get install {' '.join(packages)}"] if absent else []
    try:
        import grpc  # noqa: F401 - only whether it can be imported
    except ImportError:
        lacking.append("the Python package grpcio is missing: pip install 'knarr[containerd]'")
    return lacking


def configuration(place: Place) -> str:
    """containerd's config.toml."""
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = {json.dumps(str(place.root))}
state = {json.dumps(str(place.state))}
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = {json.dumps(str(place.socket))}

{cri}]
  sandbox_image = {json.dumps(PAUSE_IMAGE)}
  restrict_oom_score_adj = {json.dumps(not _may_lower_oom_score())}
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"

{cri}.cni]
  bin_dir = {json.dumps(str(place.cni / "bin"))}
  conf_dir = {json.dumps(str(place.cni / "conf"))}

{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

{cri}.containerd.runtimes.runc.options]
  Root = {json.dumps(str(place.run / "runc"))}
"""


def _may_lower_oom_score() -> bool:
    """Whether this process has CAP_SYS_RESOURCE (bit 24)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    effective = next(line.split()[1] for line in lines if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> 24 & 1)


def prepare(place: Place) -> None:
    """Write what containerd reads when it starts."""
    for directory in (place.root, place.state, place.cni / "bin", place.cni / "conf"):
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    for name in ("knarr", "loopback"):  # containerd asks for both; the agent brings loopback up too
        plugin = place.cni / "bin" / name
        plugin.write_text(PLUGIN)
        plugin.chmod(0o755)
    network = {"cniVersion": "0.4.0", "name": "knarr", "plugins": [{"type": "knarr"}]}
    (place.cni / "conf" / "10-knarr.conflist").write_text(json.dumps(network))
    place.config.write_text(configuration(place))


def _take_name(name: str) -> None:
    """Give containerd a host name of its own, the node's: pods on the node's network have it too."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUTS) != 0:
        raise OSError(ctypes.get_errno(), "no UTS namespace of containerd's own")
    socket.sethostname(name)


def main(arguments: list[str]) -> None:
    """Become containerd."""
    place = Place(Path(arguments[0]))
    prepare(place)
    binary = shutil.which("containerd")
    if binary is None:
        raise SystemExit("containerd not found")
    _take_name(place.folder.parent.name)
    os.execv(binary, [binary, "--config", str(place.config)])  # noqa: S606 - the program this is


if __name__ == "__main__":
    main(sys.argv[1:])
