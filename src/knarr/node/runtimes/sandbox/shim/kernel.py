"""The system calls the standard library of Python 3.11 lacks. Each raises OSError naming what it was about."""

import ctypes
import os
import struct

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE, MS_SHARED = 0x1000, 0x4000, 0x40000, 0x80000, 0x100000
MNT_DETACH = 2
SECCOMP_SET_MODE_FILTER = 1
SECCOMP, SECCOMP_ELSEWHERE = {"x86_64": 317, "ppc64le": 358, "s390x": 348}, 277  #: the number of seccomp(2)
PR_SET_PDEATHSIG, PR_SET_NAME, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 15, 24, 36, 38
#: in the kernel's order: the index is the number (linux/capability.h)
CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip


_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.syscall.argtypes = [ctypes.c_long, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p]
_libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]


def _check(result: int, what: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code).lower()}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    arguments = source.encode(), os.fsencode(target), kind.encode() or None, flags, options.encode() or None
    _check(_libc.mount(*arguments), f"mount {source or kind} on {target}")


def unmount(target: str) -> None:
    """Detach a mount; what uses it keeps it until then."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"unmount {target}")


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "new namespaces")


def setns(number: int, kind: int) -> None:
    _check(_libc.setns(number, kind), "enter a namespace")


def change_root(root: str) -> None:
    """Make `root`, a mount point, the root of this mount namespace, and let go of the old one."""
    os.chdir(root)
    _check(_libc.pivot_root(b".", b"."), f"pivot_root to {root}")
    unmount(".")
    os.chdir("/")


def bind(source: str, target: str, flags: int = 0) -> None:
    """Show `source` at `target`, with everything mounted below; `flags` need a second call in the kernel."""
    mount(source, target, "", MS_BIND | MS_REC)
    if flags:
        mount("", target, "", MS_BIND | MS_REMOUNT | flags | inherited(target))


def inherited(target: str) -> int:
    """The flags a remount has to keep."""
    found = os.statvfs(target).f_flag
    return found & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)


def die_with_parent(signal: int) -> None:
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), "parent death signal")


def adopt_orphans() -> None:
    """Become the parent of all that descends from this process and has lost its own: none of them gets out of sight."""
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "adopt orphans")


def set_name(name: str) -> None:
    """What `ps` and `top` show."""
    buffer = ctypes.create_string_buffer(name.encode()[:15])
    _check(_libc.prctl(PR_SET_NAME, ctypes.addressof(buffer), 0, 0, 0), "process name")


def set_arguments(text: str) -> None:
    """Overwrite this process' command line in memory: a pod's processes should not see its host's paths there."""
    with open("/proc/self/stat", "rb") as file:
        start, end = (int(field) for field in file.read().rpartition(b")")[2].split()[45:47])
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, text.encode()[: end - start - 1], min(len(text), end - start - 1))


def no_new_privileges() -> None:
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")


def install_filter(program: bytes, flags: int) -> None:
    """Have the kernel judge every further system call of this process, and of all it will execute, by a BPF program.

    Needs CAP_SYS_ADMIN, or `no_new_privileges` before.
    """
    instructions = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(instructions))
    call = SECCOMP.get(os.uname().machine, SECCOMP_ELSEWHERE)
    _check(_libc.syscall(call, SECCOMP_SET_MODE_FILTER, flags, head), "seccomp")


def bound_capabilities(names: list[str], last: int) -> None:
    """What this process and all it will execute can ever have; `last` is the kernel's last capability."""
    kept = {CAPABILITIES.index(name) for name in names if name in CAPABILITIES}
    for number in range(last + 1):
        if number not in kept:
            _check(_libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0), f"drop capability {number}")


def keep_capabilities(names: list[str]) -> None:
    """Give up every other capability, and let none be inherited."""
    kept = sum(1 << CAPABILITIES.index(name) for name in names if name in CAPABILITIES)
    header = struct.pack("=Ii", 0x20080522, 0)
    data = ctypes.create_string_buffer(24)
    _check(_libc.capget(header, data), "read capabilities")
    words = struct.unpack("=6I", data.raw)  # effective, permitted, inheritable; then the upper halves
    low, high = kept & 0xFFFFFFFF, kept >> 32
    left = (words[0] & low, words[1] & low, 0, words[3] & high, words[4] & high, 0)
    _check(_libc.capset(header, struct.pack("=6I", *left)), "set capabilities")
