"""From a profile to the kernel's program, by libseccomp. Pure but for the library; `compiled` may take some 10 ms.

As runc does it: names the library does not know are left out, rules that say what holds anyway too, and calls newer
than any that the profile names do not exist (ENOSYS), where its default would refuse them with an error that programs
take for a verdict.
https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp
"""

import ctypes
import errno
import functools
import json
import os
import struct
import threading
from collections.abc import Iterator
from typing import Any

LIBRARY = "libseccomp.so.2"
ACTIONS = {
    "SCMP_ACT_KILL": 0x0,
    "SCMP_ACT_KILL_THREAD": 0x0,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
NUMBERED = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")  #: carry errnoRet, EPERM where it is not given
OPERATORS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
FLAGS = {"SECCOMP_FILTER_FLAG_TSYNC": 0, "SECCOMP_FILTER_FLAG_LOG": 2, "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4}
OPTIMIZE, TREE = 8, 2  #: the attribute for how calls are told apart, and "in a binary tree"
LOAD, EQUAL, GREATER, AT_LEAST, RETURN = 0x20, 0x15, 0x25, 0x35, 0x06  #: of classic BPF
NUMBER, ARCHITECTURE = 0, 4  #: offsets in struct seccomp_data
X86_64, X32 = 0xC000003E, 0x40000000  #: x32's calls come as x86_64's with this bit
_lock = threading.Lock()


class ProfileError(ValueError):
    """The profile is not one; the message says where."""


class NoLibrary(OSError):
    """libseccomp is not installed."""


class Comparison(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


@functools.cache
def library() -> ctypes.CDLL:
    """libseccomp; NoLibrary."""
    try:
        lib = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise NoLibrary(f"seccomp is not supported: {LIBRARY} is not installed") from error
    lib.seccomp_init.restype, lib.seccomp_init.argtypes = ctypes.c_void_p, [ctypes.c_uint32]
    lib.seccomp_release.restype, lib.seccomp_release.argtypes = None, [ctypes.c_void_p]
    lib.seccomp_arch_native.restype = ctypes.c_uint32
    lib.seccomp_arch_resolve_name.restype, lib.seccomp_arch_resolve_name.argtypes = ctypes.c_uint32, [ctypes.c_char_p]
    lib.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    lib.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
    lib.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    lib.seccomp_syscall_resolve_name_arch.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    lib.seccomp_rule_add_array.argtypes = [
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison)),
    ]
    lib.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    return lib


@functools.lru_cache(maxsize=64)
def compiled(text: str) -> tuple[bytes, int]:
    """The program of a profile, which is JSON, and the flags to install it with; ProfileError or NoLibrary."""
    try:
        profile = json.loads(text)
        if not isinstance(profile, dict):
            raise ProfileError("it is no object")
        default = action(profile.get("defaultAction", ""), profile.get("defaultErrnoRet"))
        flags = sum(known(FLAGS, each, "flag") for each in profile.get("flags") or [])
        rules = profile.get("syscalls") or []
        names = [str(name) for rule in rules for name in rule["names"]]
        with _lock:
            architectures = _architectures(profile.get("architectures") or [])
            program = _export(default, architectures, rules)
            refuses = default not in (ACTIONS["SCMP_ACT_ALLOW"], ACTIONS["SCMP_ACT_LOG"])
            head = [unknown(each, _largest(each, names)) for each in architectures] if refuses else []
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ProfileError(f"{type(error).__name__}: {error}") from error
    return b"".join([*head, program]), flags


def action(name: str, number: int | None) -> int:
    found = known(ACTIONS, name, "action")
    return found | (errno.EPERM if number is None else number & 0xFFFF) if name in NUMBERED else found


def known(table: dict[str, int], name: str, what: str) -> int:
    if name not in table:
        raise ProfileError(f"string {name} is not a valid {what} for seccomp")
    return table[name]


def comparisons(arguments: list[dict[str, Any]]) -> Iterator[list[Comparison]]:
    """The conditions of a rule, all of which must hold; two of the same argument are two rules instead."""
    found = [
        Comparison(
            each["index"],
            known(OPERATORS, each["op"], "operator"),
            each.get("value", 0),
            each.get("valueTwo", 0),
        )
        for each in arguments
    ]
    if len({each.arg for each in found}) == len(found):
        yield found
    else:
        yield from ([each] for each in found)


def unknown(architecture: int, largest: int) -> bytes:
    """Instructions that answer calls above the largest number that was named with ENOSYS, and pass all others on."""
    lines = [(LOAD, 0, 0, NUMBER)]
    if architecture == X86_64:
        lines.append((AT_LEAST, 2, 0, X32))
    lines += [(GREATER, 0, 1, largest), (RETURN, 0, 0, ACTIONS["SCMP_ACT_ERRNO"] | errno.ENOSYS)]
    lines = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 0, len(lines), architecture), *lines]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _architectures(names: list[str]) -> list[int]:
    """The machine's own and those that are named, without those that libseccomp does not know."""
    lib = library()
    found = [lib.seccomp_arch_native()]
    for name in names:
        token = lib.seccomp_arch_resolve_name(str(name).removeprefix("SCMP_ARCH_").lower().encode())
        if token == 0:
            raise ProfileError(f"string {name} is not a valid arch for seccomp")
        found += [token] if token not in found else []
    return found


def _largest(architecture: int, names: list[str]) -> int:
    lib = library()
    return max((lib.seccomp_syscall_resolve_name_arch(architecture, name.encode()) for name in names), default=-1)


def _export(default: int, architectures: list[int], rules: list[dict[str, Any]]) -> bytes:
    lib = library()
    context = lib.seccomp_init(default)
    if not context:
        raise ProfileError("the default action cannot be")
    try:
        for token in architectures[1:]:
            _check(lib.seccomp_arch_add(context, token), "architectures")
        lib.seccomp_attr_set(context, OPTIMIZE, TREE)  # a library that cannot asks one call after the other
        for rule in rules:
            chosen = action(rule["action"], rule.get("errnoRet"))
            for name in rule["names"] if chosen != default else []:
                _add(context, chosen, str(name), rule.get("args") or [])
        number = os.memfd_create("seccomp")
        with os.fdopen(number, "rb") as file:
            _check(lib.seccomp_export_bpf(context, number), "export")
            file.seek(0)
            return file.read()
    finally:
        lib.seccomp_release(context)


def _add(context: int, chosen: int, name: str, arguments: list[dict[str, Any]]) -> None:
    lib = library()
    number = lib.seccomp_syscall_resolve_name(name.encode())
    if number == -1:
        return
    for each in comparisons(arguments):
        result = lib.seccomp_rule_add_array(context, chosen, number, len(each), (Comparison * len(each))(*each))
        _check(result, f"syscall {name}")


def _check(result: int, what: str) -> None:
    if result < 0 and result != -errno.EEXIST:
        raise ProfileError(f"{what}: {os.strerror(-result)}")
