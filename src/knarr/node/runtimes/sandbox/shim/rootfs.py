"""What a container sees as its file system. Runs in the container's first process, before it executes the command.

All mounts are made in a mount namespace of its own with private propagation, so nothing here can change the host's.
Paths inside the container are resolved inside it: a symbolic link of an image never leads out.
"""

import contextlib
import errno
import os
import stat
from typing import Any

from .kernel import (
    CLONE_NEWNS,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    MS_SHARED,
    MS_SLAVE,
    bind,
    change_root,
    inherited,
    mount,
    unshare,
)

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "core": "/proc/kcore",
}
MASKED = (
    "proc/acpi", "proc/asound", "proc/interrupts", "proc/kcore", "proc/keys", "proc/latency_stats", "proc/sched_debug",
    "proc/scsi", "proc/timer_list", "proc/timer_stats", "sys/devices/virtual/powercap", "sys/firmware",
)  # fmt: skip
READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")
VEIL = MS_NOSUID | MS_NODEV | MS_NOEXEC
LOOPS = 40


def build(config: dict[str, Any]) -> None:
    """Make the container's mount namespace and move into it."""
    unshare(CLONE_NEWNS)
    mount("", "/", "", MS_REC | MS_PRIVATE)
    root: str = config["root"]
    privileged: bool = config["privileged"]
    nodev = 0 if privileged else MS_NODEV
    _layers(config, nodev)
    veils = [number for place in config["hidden"] if (number := _hide(root, place)) >= 0]
    _system(root, privileged)
    _devices(root, config["shm"], nodev)
    for source, target in config["files"].items():
        bind(source, mount_point(root, target, directory=False, replace=True))
    for volume in config["mounts"]:
        _volume(root, volume, nodev)
    for number in veils:  # now that volumes have found their places in them; one may lie upon it, so not by its path
        mount("", f"/proc/self/fd/{number}", "", MS_BIND | MS_REMOUNT | MS_RDONLY | VEIL)
        os.close(number)
    if config["termination_log"]:
        target = config["termination_log_path"]
        bind(config["termination_log"], mount_point(root, target, directory=False))
    if config["working_dir"]:
        mount_point(root, config["working_dir"], directory=True)
    if config["read_only_root"]:
        mount("", root, "", MS_BIND | MS_REMOUNT | MS_RDONLY | inherited(root))
    change_root(root)


def _layers(config: dict[str, Any], nodev: int) -> None:
    """The image, copy-on-write; other file systems of the host within its root get a layer of their own."""
    root, image, empty = config["root"], config["image"], config["empty"]
    os.chdir(config["layers"])  # short relative names: the options must fit into one page
    lower = ":".join([*config["lower"], empty])
    if config["host"]:
        if config["lower"]:  # they lie within the host's root, which one overlay may not have above each other: so two
            mount("overlay", image, "overlay", MS_RDONLY | nodev, f"lowerdir={lower}")
        lower = f"{image}:/" if config["lower"] else "/"
    _overlay(lower, config["upper"], config["work"], root, nodev)
    for number, place in enumerate(config["host_mounts"]):
        upper, work = f"{config['upper']}.{number}", f"{config['work']}.{number}"
        for directory in (upper, work):
            os.makedirs(directory, exist_ok=True)
        with contextlib.suppress(OSError):  # not every file system can lie under an overlay: then it is not seen
            _overlay(place.replace(":", "\\:"), upper, work, inside(root, place), nodev)


def _overlay(lower: str, upper: str, work: str, target: str, flags: int) -> None:
    options = f"lowerdir={lower},upperdir={_escaped(upper)},workdir={_escaped(work)}"
    try:
        mount("overlay", target, "overlay", flags, options + ",volatile")  # its data ends with the container
    except OSError:
        mount("overlay", target, "overlay", flags, options)


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(",", "\\,")


def _hide(root: str, place: str) -> int:
    """Show nothing of a place. The open directory that stands for one, -1 when it is none."""
    target = inside(root, place)
    if os.path.isdir(target):
        mount("tmpfs", target, "tmpfs", VEIL, "mode=755")
        return os.open(target, os.O_PATH | os.O_CLOEXEC)
    if os.path.exists(target):
        bind("/dev/null", target)
    return -1


def _system(root: str, privileged: bool) -> None:
    """/proc of the pod's processes, /sys of its network."""
    quiet = MS_NOSUID | MS_NODEV | MS_NOEXEC
    proc = mount_point(root, "/proc", directory=True)
    mount("proc", proc, "proc", quiet)
    mount("sysfs", mount_point(root, "/sys", directory=True), "sysfs", quiet | (0 if privileged else MS_RDONLY))
    if privileged:
        return
    for name in READ_ONLY:
        if os.path.exists(f"{proc}/{name}"):
            bind(f"{proc}/{name}", f"{proc}/{name}", quiet | MS_RDONLY)
    for name in MASKED:
        target = f"{root}/{name}"
        if os.path.isdir(target):
            mount("tmpfs", target, "tmpfs", quiet | MS_RDONLY, "size=0")
        elif os.path.exists(target):
            bind("/dev/null", target)


def _devices(root: str, shm: str, nodev: int) -> None:
    """The harmless devices, each a mount of its own: what else a container makes in /dev does not open."""
    dev = mount_point(root, "/dev", directory=True)
    mount("tmpfs", dev, "tmpfs", MS_NOSUID | nodev, "mode=755,size=65536k")
    for name in DEVICES:
        os.close(os.open(f"{dev}/{name}", os.O_CREAT | os.O_CLOEXEC, 0o666))
        bind(f"/dev/{name}", f"{dev}/{name}")
    for name, goal in LINKS.items():
        os.symlink(goal, f"{dev}/{name}")
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{dev}/{name}", 0o755)
    mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5")
    bind(shm, f"{dev}/shm", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    with contextlib.suppress(OSError):  # a kernel without POSIX message queues
        mount("mqueue", f"{dev}/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def _volume(root: str, volume: dict[str, Any], nodev: int) -> None:
    source, flags = volume["source"], nodev | (MS_RDONLY if volume["read_only"] else 0)
    if not os.path.exists(source):
        raise FileNotFoundError(2, f'failed to stat "{source}": stat {source}: no such file or directory')
    target = mount_point(root, volume["target"], directory=os.path.isdir(source))
    if volume["within"]:
        number = reached(volume["within"], source)
        bind(f"/proc/self/fd/{number}", target, flags)
        os.close(number)
    else:
        bind(source, target, flags)
    if volume["propagation"] == "HostToContainer":
        mount("", target, "", MS_REC | MS_SLAVE)
    elif volume["propagation"] == "Bidirectional":
        mount("", target, "", MS_REC | MS_SHARED)


def reached(base: str, path: str) -> int:
    """Open `path` from `base` on, through no link: other containers of the pod may be making some right now."""
    here = os.open(base, os.O_PATH | os.O_CLOEXEC)
    for part in os.path.relpath(path, base).split("/"):
        if part != ".":
            following = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = following
    if stat.S_ISLNK(os.fstat(here).st_mode):
        raise OSError(errno.ELOOP, f"{path} has become a symbolic link")
    return here


def inside(root: str, path: str) -> str:
    """Where `path` of the container is on the host, symbolic links followed within the container only."""
    done: list[str] = []
    left = [part for part in path.split("/") if part not in ("", ".")]
    for _ in range(LOOPS + len(left) * LOOPS):
        if not left:
            return "/".join((root, *done))
        part = left.pop(0)
        if part == "..":
            done = done[:-1]
            continue
        here = "/".join((root, *done, part))
        if os.path.islink(here):
            goal = os.readlink(here)
            done = [] if goal.startswith("/") else done
            left = [piece for piece in goal.split("/") if piece not in ("", ".")] + left
        else:
            done.append(part)
    raise OSError(40, f"too many levels of symbolic links in {path}")


def mount_point(root: str, path: str, *, directory: bool, replace: bool = False) -> str:
    """The place of `path` in the container, made when it is missing; `replace`: a link there becomes a file."""
    parent, name = os.path.split(path.rstrip("/") or "/")
    if replace and os.path.islink(candidate := f"{inside(root, parent)}/{name}"):
        os.unlink(candidate)
    target = inside(root, path)
    if directory:
        os.makedirs(target, mode=0o755, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_CLOEXEC, 0o644))
    return target
