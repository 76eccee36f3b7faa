"""What the host offers the sandbox runtime, and what it lacks. Blocking; `knarr up` asks before it starts anything."""

import contextlib
import json
import os
import pwd
import subprocess
import tempfile
from pathlib import Path

from knarr.node.runtimes.sandbox.seccomp import program

DISK = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs"}
CONTROLLERS = ("memory", "pids", "cpu")
GROUPS = Path("/sys/fs/cgroup")
FIRST_USER = 1000  #: below are the system's own accounts
#: what pods on the host's files do not see: keys and passwords of the machine, where clusters keep theirs,
SECRETS = (
    "/etc/gshadow", "/etc/gshadow-", "/etc/kubernetes", "/etc/shadow", "/etc/shadow-", "/etc/ssl/private",
    "/var/lib/kubelet", "/var/lib/knarr",
)  # fmt: skip
#: and the same of every user, below the home directory
OF_USERS = (
    ".aws", ".azure", ".config/gcloud", ".config/gh", ".docker", ".git-credentials", ".gnupg", ".kube",
    ".local/share/knarr", ".netrc", ".npmrc", ".pypirc", ".ssh",
)  # fmt: skip
NEEDED = ("mnt", "pid", "uts", "ipc", "net")


def check_host(data: Path) -> list[str]:
    """What is missing to run sandboxes with their data in `data`; each a sentence for the user. Empty: all is there.

    Runs a few commands in a throw-away mount namespace; changes nothing.
    """
    if os.geteuid() != 0:
        return ["the sandbox runtime needs root"]
    missing = [f"the kernel has no {name} namespaces" for name in NEEDED if not Path(f"/proc/self/ns/{name}").exists()]
    if not _overlay_works(data):
        known = "\toverlay\n" in Path("/proc/filesystems").read_text()
        there = f"no overlay can be mounted with its data in {data}: put --data-dir on a local disk"
        missing.append(there if known else "the kernel has no overlay file system")
    return missing


def shortcomings() -> list[str]:
    """What works less well on this host, for `up` to say."""
    found = []
    if not control_groups(create=False):
        found.append("control groups are not writable: limits of containers are not enforced, OOMKilled is not told")
    try:
        program.library()
    except program.NoLibrary as error:
        found.append(f"{error}: containers that ask for a seccomp profile do not start")
    return found


def _overlay_works(data: Path) -> bool:
    place = data
    while not place.is_dir():
        place = place.parent
    with tempfile.TemporaryDirectory(prefix=".knarr-check-", dir=place) as scratch:
        for name in ("upper", "work", "root"):
            Path(scratch, name).mkdir()
        options = f"lowerdir=/,upperdir={scratch}/upper,workdir={scratch}/work"
        script = f"mount -t overlay overlay -o '{options}' '{scratch}/root'"
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 fixed words


def file_systems() -> list[str]:
    """Disks mounted below /: an overlay does not reach into them, so each needs its own. Outermost first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        head, _, tail = line.partition(" - ")
        place = head.split()[4].encode().decode("unicode_escape")
        whole = head.split()[3] == "/" or tail.startswith("btrfs")  # not merely a directory shown twice
        if tail.split()[0] in DISK and whole and place != "/" and Path(place).is_dir():
            found.append(place)
    return sorted(set(found), key=lambda place: place.count("/"))


def secrets() -> list[str]:
    """Places of the host that no pod may see, there or not; the outer ones first."""
    keys = map(str, Path("/etc/ssh").glob("ssh_host_*_key"))
    homes = {user.pw_dir for user in pwd.getpwall() if user.pw_uid == 0 or user.pw_uid >= FIRST_USER}
    homes |= {str(home) for home in Path("/home").glob("*") if home.is_dir()}
    own = (f"{home}/{name}" for home in homes - {"/", "/nonexistent"} for name in OF_USERS)
    return sorted({*SECRETS, *keys, *own})


def control_groups(*, create: bool = True) -> list[str]:
    """Directories in which each container gets a group: one per hierarchy (version 1), or one (version 2)."""
    if (GROUPS / "cgroup.controllers").exists():
        parent = _unified(GROUPS, create)
        return [str(parent)] if parent else []
    lines = (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines())
    own = {name: path for _, names, path in lines for name in names.split(",")}
    found = []
    for name in CONTROLLERS:
        place = GROUPS / name / own.get(name, "/").lstrip("/")
        if os.access(place, os.W_OK) and (place / "cgroup.procs").exists():
            found.append(str(place / "knarr"))
    return found


def _unified(root: Path, create: bool) -> Path | None:
    """A group of version 2 whose children may have limits."""
    try:
        offered = (root / "cgroup.controllers").read_text().split()
        wanted = " ".join(f"+{name}" for name in CONTROLLERS if name in offered)
        if not os.access(root / "cgroup.subtree_control", os.W_OK):
            return None
        if create:
            (root / "cgroup.subtree_control").write_text(wanted)
            (root / "knarr").mkdir(exist_ok=True)
            (root / "knarr" / "cgroup.subtree_control").write_text(wanted)
    except OSError:
        return None
    return root / "knarr"


def remove_groups(config: Path, *, parents: bool = False) -> None:
    """Remove the control groups of the container with this `config.json`; `parents`: theirs too, when that was all."""
    if config.is_file():
        try:
            tree = json.loads(config.read_bytes())
        except ValueError:  # what a power cut left: the groups went with the power
            return
        for parent in map(Path, tree["groups_of_control"]):
            for place in (parent / tree["id"], *([parent] if parents else [])):
                with contextlib.suppress(OSError):  # gone already, or others have theirs in it
                    place.rmdir()
