"""What the kernel would say to a system call, by the program that a profile becomes."""

import errno
import json
import platform
import struct

import pytest

from knarr.node.runtimes.runtime import ContainerSpec, RuntimeFailure, Seccomp
from knarr.node.runtimes.sandbox import container
from knarr.node.runtimes.sandbox.seccomp import default, program

ALLOW, LOG, KILL = 0x7FFF0000, 0x7FFC0000, 0x0
EPERM, ENOSYS = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
X86_64, X86 = program.X86_64, 0x40000003
intel = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86-64")
JUMPS = {0x15: lambda a, k: a == k, 0x25: lambda a, k: a > k, 0x35: lambda a, k: a >= k, 0x45: lambda a, k: bool(a & k)}


def said(binary, number, *arguments, architecture=X86_64):
    """Run the program as the kernel would."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    here = accumulator = 0
    while True:
        code, yes, no, constant = struct.unpack_from("=HBBI", binary, 8 * here)
        here += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, constant)
        elif code == 0x54:
            accumulator &= constant
        elif code == 0x05:
            here += constant
        elif code == 0x06:
            return constant
        else:
            here += yes if JUMPS[code](accumulator, constant) else no


def number(name, architecture=X86_64):
    return program.library().seccomp_syscall_resolve_name_arch(architecture, name.encode())


def compiled(profile):
    return program.compiled(json.dumps(profile))[0]


USUAL = container.DEFAULT_CAPABILITIES
CALLS = {
    "a file is opened": (USUAL, "openat", [], ALLOW),
    "a mount is not made": (USUAL, "mount", [], EPERM),
    "but with the capability": (["SYS_ADMIN"], "mount", [], ALLOW),
    "a thread is made": (USUAL, "clone", [0x3D0F00], ALLOW),
    "no user namespace": (USUAL, "clone", [0x10000000], EPERM),
    "none of a time before flags could be seen": (USUAL, "clone3", [], ENOSYS),
    "the clock is not set": (USUAL, "settimeofday", [], EPERM),
    "a socket": (USUAL, "socket", [2], ALLOW),
    "no socket to what runs this machine": (USUAL, "socket", [40], EPERM),
    "the personality of Linux": (USUAL, "personality", [0], ALLOW),
    "none that moves code to fixed places": (USUAL, "personality", [0x0040000], EPERM),
    "no keys of the kernel's": (USUAL, "add_key", [], EPERM),
    "chroot, as its capability is usual": (USUAL, "chroot", [], ALLOW),
    "not without": ([], "chroot", [], EPERM),
    "no io_uring": (USUAL, "io_uring_setup", [], EPERM),
}


@intel
@pytest.mark.parametrize("capabilities, name, arguments, verdict", CALLS.values(), ids=CALLS)
def test_the_default_profile(capabilities, name, arguments, verdict):
    assert said(compiled(default.profile(capabilities)), number(name), *arguments) == verdict


@intel
def test_calls_from_the_future_do_not_exist():
    binary = compiled(default.profile(USUAL))
    assert [said(binary, 9999, architecture=each) for each in (X86_64, X86)] == [ENOSYS] * 2


@intel
def test_programs_of_32_bits_are_judged_by_their_own_numbers():
    binary = compiled(default.profile(USUAL))
    assert said(binary, number("openat", X86), architecture=X86) == ALLOW
    assert said(binary, number("mount", X86), architecture=X86) == EPERM
    assert said(binary, 0, architecture=0xC00000B7) == KILL  # of another processor


def rule(name, action="SCMP_ACT_ALLOW", **more):
    return {"names": [name], "action": action, **more}


def argument(index, value, op="SCMP_CMP_EQ", second=0):
    return {"index": index, "value": value, "valueTwo": second, "op": op}


PROFILES = {
    "the default holds for what is not named": ([rule("tee")], "mkdir", [], EPERM),
    "above all that is named nothing is there": ([rule("read")], "mkdir", [], ENOSYS),
    "a rule": ([rule("mkdir")], "mkdir", [], ALLOW),
    "its own error": ([rule("mkdir", "SCMP_ACT_ERRNO", errnoRet=13)], "mkdir", [], 0x50000 | 13),
    "it is only logged": ([rule("mkdir", "SCMP_ACT_LOG")], "mkdir", [], LOG),
    "what nobody knows is passed over": ([rule("no_such_call"), rule("mkdir")], "mkdir", [], ALLOW),
    "what holds anyway too": ([rule("read"), rule("mkdir", "SCMP_ACT_ERRNO")], "mkdir", [], EPERM),
    "an argument that is as said": ([rule("dup2", args=[argument(1, 2)])], "dup2", [9, 2], ALLOW),
    "one that is not": ([rule("dup2", args=[argument(1, 2)]), rule("tee")], "dup2", [2, 9], EPERM),
    "both must be": ([rule("dup2", args=[argument(0, 1), argument(1, 2)]), rule("tee")], "dup2", [1, 3], EPERM),
    "either, of one": ([rule("dup2", args=[argument(1, 2), argument(1, 3)])], "dup2", [1, 3], ALLOW),
    "bits of it": ([rule("dup2", args=[argument(0, 6, "SCMP_CMP_MASKED_EQ", 4)])], "dup2", [0xF5], ALLOW),
}


@intel
@pytest.mark.parametrize("rules, name, arguments, verdict", PROFILES.values(), ids=PROFILES)
def test_a_profile(rules, name, arguments, verdict):
    binary = compiled({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules})
    assert said(binary, number(name), *arguments) == verdict


@intel
def test_where_all_is_allowed_the_future_is():
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule("mkdir", "SCMP_ACT_KILL_PROCESS")]}
    assert [said(compiled(profile), each) for each in (number("mkdir"), 9999)] == [0x80000000, ALLOW]


def test_flags_are_those_of_the_kernel():
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
    }
    assert program.compiled(json.dumps(profile))[1] == 6


WRONG = {
    "no JSON": ("{", "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    "no object": ("[]", "it is no object"),
    "no default": ("{}", "string  is not a valid action for seccomp"),
    "nobody to notify": (
        '{"defaultAction": "SCMP_ACT_NOTIFY"}',
        "string SCMP_ACT_NOTIFY is not a valid action for seccomp",
    ),
    "no such machine": (
        '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_ABACUS"]}',
        "string SCMP_ARCH_ABACUS is not a valid arch for seccomp",
    ),
    "no such flag": ('{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["X"]}', "string X is not a valid flag for seccomp"),
    "a rule without names": ('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{}]}', "KeyError: 'names'"),
}


def a_spec(**changes):
    return ContainerSpec("main", 0, "app:1", "/logs/0.log", **changes)


@pytest.mark.parametrize("text, message", WRONG.values(), ids=WRONG)
def test_what_is_no_profile_is_told(tmp_path, text, message):
    file = tmp_path / "p.json"
    file.write_text(text)
    with pytest.raises(RuntimeFailure) as failure:
        container.seccomp(a_spec(seccomp=Seccomp("Localhost", file)))
    assert failure.value.reason == "CreateContainerError"
    assert str(failure.value) == f'decoding seccomp profile failed "{file}": {message}'


def test_a_profile_that_is_missing_is_told(tmp_path):
    file = tmp_path / "p.json"
    with pytest.raises(RuntimeFailure) as failure:
        container.seccomp(a_spec(seccomp=Seccomp("Localhost", file)))
    assert failure.value.reason == "CreateContainerError"
    assert str(failure.value) == f'cannot load seccomp profile "{file}": open {file}: no such file or directory'


UNCONFINED = {"who asks for none": {}, "a privileged one": {"seccomp": Seccomp("RuntimeDefault"), "privileged": True}}


@pytest.mark.parametrize("changes", UNCONFINED.values(), ids=UNCONFINED)
def test_no_profile_has(changes):
    assert container.seccomp(a_spec(**changes)) == ("", 0)


def test_without_the_library_nothing_is_run_unconfined(monkeypatch):
    def missing():
        raise program.NoLibrary("seccomp is not supported: libseccomp.so.2 is not installed")

    monkeypatch.setattr(program, "library", missing)
    with pytest.raises(RuntimeFailure, match="seccomp is not supported"):
        container.seccomp(a_spec(seccomp=Seccomp("RuntimeDefault"), capabilities_add=("SYS_BOOT",)))
