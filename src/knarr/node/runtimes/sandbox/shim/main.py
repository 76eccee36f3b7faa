"""The shim's start: out of the agent's reach, into namespaces of its own, then the loop of `pod.py`.

Started as `run()` with the pod's directory as its argument; returns in the caller once the pod is ready, lives on in a
child. PID 1 of the pod is a child that only sleeps and lets the kernel reap: its end is the end of every process
here, and it dies with the shim, so that a pod nobody can account for does not exist. A pod with `hostPID` has that
child too, as a process of the machine like the others; at its end the shim kills whatever descends from itself.
"""

import json
import os
import signal
import socket
import sys
from typing import Any, NoReturn

from . import kernel
from .pod import Pod
from .process import FILES, worded


def main(directory: str) -> None:
    """Make the pod and return, or raise SystemExit with the reason."""
    near, far = os.pipe()
    child = os.fork()
    if child == 0:
        os.closerange(3, far)  # the agent's loop may have left more open than it said
        os.closerange(far + 1, FILES)
        try:
            _live(directory, far)
        except BaseException as error:
            os.write(far, worded(error).encode()[:4096])
            os._exit(1)
    os.close(far)
    with os.fdopen(near, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    if said:
        os.waitpid(child, 0)
        raise SystemExit(said)


def _live(directory: str, ready: int) -> NoReturn:
    os.setsid()
    os.chdir("/")
    null = os.open("/dev/null", os.O_RDWR)
    trail = os.open(f"{directory}/shim.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in enumerate((null, null, trail)):
        os.dup2(source, target)
    os.close(trail)
    os.close(null)
    with open(f"{directory}/pod.json", "rb") as file:
        config = json.load(file)
    kernel.set_name("knarr-shim")
    _separate(directory, config)
    pause = os.fork()
    if pause == 0:
        _sleep(f"{directory}/shm")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    place = os.open(directory, os.O_PATH | os.O_CLOEXEC)
    os.umask(0o177)
    listener.bind(f"/proc/self/fd/{place}/socket")  # the plain path may be longer than a socket address
    os.umask(0o022)
    listener.listen(16)
    pod = Pod(directory, listener, pause, host_pid=config["host_pid"])
    with open(f"{directory}/shim.new", "w", encoding="ascii") as file:
        json.dump(
            {
                "pid": os.getpid(),
                "born": born(os.getpid()),
                "pause": pause,
                "pause_born": born(pause),
                "boot": boot(),
            },
            file,
        )
    os.replace(f"{directory}/shim.new", f"{directory}/shim.json")
    os.close(ready)
    pod.run()
    os._exit(0)


def boot() -> str:
    """What the kernel calls its present life."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def born(pid: int) -> int:
    """When a process started, in the kernel's ticks: with its PID this names it until the next boot."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


def _separate(directory: str, config: dict[str, Any]) -> None:
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS
    flags |= 0 if config["host_pid"] else kernel.CLONE_NEWPID
    flags |= 0 if config["host_network"] else kernel.CLONE_NEWNET
    flags |= 0 if config["host_ipc"] else kernel.CLONE_NEWIPC
    kernel.unshare(flags)
    if config["host_pid"]:
        kernel.adopt_orphans()
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_SLAVE)
    socket.sethostname(config["hostname"])
    for name, value in config["sysctls"].items():
        with open("/proc/sys/" + name.replace(".", "/"), "w", encoding="ascii") as file:
            file.write(value)
    shm = f"{directory}/shm"
    os.makedirs(shm, exist_ok=True)
    kernel.mount("shm", shm, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC, "mode=1777,size=65536k")


def _sleep(place: str) -> NoReturn:
    """PID 1: adopt orphans and let the kernel reap them. Its root is empty: the pod sees it in /proc.

    `place` is any directory to mount that root on.
    """
    kernel.die_with_parent(signal.SIGKILL)
    kernel.set_name("pause")
    kernel.set_arguments("/pause")
    os.dup2(0, 2)
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("none", place, "tmpfs", kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV, "size=4k,mode=000")
    kernel.change_root(place)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    os.closerange(3, FILES)
    while True:
        signal.pause()


def run() -> None:
    """The command line: one argument, the pod's directory."""
    main(sys.argv[1])
