"""Named network namespaces, as `ip netns` keeps them: a bind mount in /run/netns. Blocking; called in threads.

`inside` moves only the calling thread, and back again at its end; `enter` is for a process that starts.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

DIRECTORY = Path("/run/netns")
CLONE_NEWNET = 0x40000000
MS_BIND, MS_REC, MS_SHARED, MNT_DETACH = 0x1000, 0x4000, 0x100000, 2
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def names() -> list[str]:
    """Every named namespace of this machine."""
    return [name for name in recorded() if _is_namespace(path(name))]


def recorded() -> list[str]:
    """The same and the bare files a reboot or a crash has left."""
    return sorted(path.name for path in DIRECTORY.iterdir()) if DIRECTORY.is_dir() else []


def path(name: str) -> Path:
    return DIRECTORY / name


def create(name: str) -> None:
    """Make the namespace if it is not there, with its loopback still down."""
    target = path(name)
    if _is_namespace(target):
        return
    target.unlink(missing_ok=True)  # the bare file a reboot or a crash left
    _share()
    target.touch(mode=0o444)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.unshare(CLONE_NEWNET), "a new network namespace")
        try:
            source = b"/proc/thread-self/ns/net"
            _check(_libc.mount(source, os.fsencode(target), None, MS_BIND, None), f"mount {target}")
        finally:
            _check(_libc.setns(before, CLONE_NEWNET), "the way back to the network namespace")
    except OSError:
        target.unlink(missing_ok=True)
        raise
    finally:
        os.close(before)


def delete(name: str) -> None:
    """Take the name away; the kernel removes the namespace with its last process."""
    target = path(name)
    while target.exists() and _libc.umount2(os.fsencode(target), MNT_DETACH) == 0:
        pass
    target.unlink(missing_ok=True)
    if DIRECTORY.is_dir() and not any(DIRECTORY.iterdir()):
        _libc.umount2(os.fsencode(DIRECTORY), MNT_DETACH)  # not a mount point, or in use: then it stays


@contextlib.contextmanager
def inside(target: str | Path) -> Iterator[None]:
    """Run a block in another network namespace, given by name or by path. Never on the event loop's thread."""
    goal = path(target) if isinstance(target, str) else target
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(goal, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.setns(there, CLONE_NEWNET), f"network namespace {goal}")
        finally:
            os.close(there)
        try:
            yield
        finally:
            _check(_libc.setns(before, CLONE_NEWNET), "the way back to the network namespace")
    finally:
        os.close(before)


def enter(name: str) -> None:
    """Move this process, before it has other threads, for good."""
    there = os.open(path(name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(there, CLONE_NEWNET), f"network namespace {name}")
    finally:
        os.close(there)


def _is_namespace(target: Path) -> bool:
    return target.exists() and target.stat().st_dev != DIRECTORY.stat().st_dev


def _share() -> None:
    """Make /run/netns a shared mount, as iproute2 does, so that every mount namespace sees a removal."""
    DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
    target = os.fsencode(DIRECTORY)
    if _libc.mount(b"", target, None, MS_SHARED | MS_REC, None) == 0:
        return
    _check(_libc.mount(target, target, None, MS_BIND | MS_REC, None), f"mount {DIRECTORY}")
    _check(_libc.mount(b"", target, None, MS_SHARED | MS_REC, None), f"mount {DIRECTORY}")
