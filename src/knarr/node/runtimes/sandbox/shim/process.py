"""From a fork to the executed command: users, capabilities, terminal, environment. Runs in the new process.

Failures are worded as runc words them: users search for these sentences.
"""

import base64
import fcntl
import json
import os
import signal
import socket
import struct
import termios
from collections.abc import Iterable
from typing import Any, NoReturn

from . import kernel

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FILES = os.sysconf("SC_OPEN_MAX")
TIOCSPTLCK, TIOCGPTN = 0x40045431, 0x80045430


class StartFailure(Exception):
    """The command cannot run; `code` is the exit code a shell would give."""

    def __init__(self, message: str, code: int = 128) -> None:
        super().__init__(message)
        self.message, self.code = message, code


def report(error: BaseException, pipe: int) -> NoReturn:
    """Tell the shim why, and end."""
    failure = error if isinstance(error, StartFailure) else StartFailure(worded(error))
    os.write(pipe, json.dumps({"message": failure.message, "code": failure.code}).encode()[:4096])
    os._exit(failure.code)


def worded(error: BaseException) -> str:
    """An error in the words of Go, whose strings begin with a small letter."""
    if isinstance(error, OSError) and error.errno and error.strerror == os.strerror(error.errno):
        return error.strerror.lower()
    return (error.strerror or str(error)) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"


def execute(config: dict[str, Any], streams: tuple[int, int, int] | None, terminal: socket.socket | None) -> NoReturn:
    """Become the command. `streams` are the standard ones; with `terminal` a new one's controlling end goes there."""
    uid, gid, groups, home = identity(config["user"], config["group"], config["groups"])
    if config["non_root"] and uid == 0:
        raise StartFailure("container has runAsNonRoot and image will run as root")
    environment = dict(config["env"])
    environment.setdefault("PATH", DEFAULT_PATH)
    if not environment.get("HOME"):
        environment["HOME"] = home
    if terminal is not None:
        environment.setdefault("TERM", "xterm")
        _new_terminal(terminal, uid, config.get("size"))
    elif streams is not None:
        _connect(streams)
    program = base64.b64decode(config.get("seccomp", ""))  # not there: of a pod that an earlier version started
    if program and not config["no_new_privileges"]:  # it takes what is about to be given up
        kernel.install_filter(program, config["seccomp_flags"])
    confined = not config["privileged"]
    if confined:
        last = int(_first_line("/proc/sys/kernel/cap_last_cap") or 40)
        kernel.bound_capabilities(config["capabilities"], last)
    os.umask(0o022)
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if confined:  # before any path of the container is followed
        kernel.keep_capabilities(config["capabilities"])
    _change_directory(config["working_dir"] or "/")
    if config["no_new_privileges"]:
        kernel.no_new_privileges()
    command = found(config["args"][0], environment["PATH"])
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if program and config["no_new_privileges"]:
        kernel.install_filter(program, config["seccomp_flags"])
    try:
        os.execve(command, config["args"], environment)  # noqa: S606 that is what a container is
    except OSError as error:
        raise StartFailure(f"exec {command}: {worded(error)}", 126) from error


def keep_open(wanted: Iterable[int]) -> None:
    """Close every other file but the standard ones: an open directory of the host, in /proc/self/fd, is a way out."""
    lowest = 3
    for number in sorted(number for number in wanted if number >= lowest):
        os.closerange(lowest, number)
        lowest = number + 1
    os.closerange(lowest, FILES)


def found(program: str, path: str) -> str:
    """The file to execute."""
    quoted = json.dumps(program)
    if "/" in program:
        try:
            status = os.stat(program)
        except OSError as error:
            raise StartFailure(f"exec: {quoted}: stat {program}: {worded(error)}", 127) from error
        if status.st_mode & 0o170000 == 0o040000:
            raise StartFailure(f"exec: {quoted}: is a directory", 126)
        if not os.access(program, os.X_OK):
            raise StartFailure(f"exec: {quoted}: permission denied", 126)
        return program
    for directory in path.split(":"):
        candidate = f"{directory or '.'}/{program}"
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise StartFailure(f"exec: {quoted}: executable file not found in $PATH", 127)


def identity(user: str, group: int | None, groups: list[int]) -> tuple[int, int, list[int], str]:
    """User, group, supplementary groups and home, of `name`, `uid`, `name:group` or `uid:gid`, by this root's files."""
    name, _, wanted = (user or "0").partition(":")
    row = next((row for row in _rows("/etc/passwd") if len(row) > 5 and name in (row[0], row[2])), None)
    if row is None and not name.isdigit():
        raise StartFailure(f"unable to find user {name}: no matching entries in passwd file")
    uid, gid, home = (int(row[2]), int(row[3]), row[5]) if row else (int(name), 0, "/")
    members = _rows("/etc/group")
    if wanted:
        line = next((line for line in members if len(line) > 2 and wanted in (line[0], line[2])), None)
        if line is None and not wanted.isdigit():
            raise StartFailure(f"unable to find group {wanted}: no matching entries in group file")
        gid = int(line[2]) if line else int(wanted)
    gid = gid if group is None else group
    more = [int(line[2]) for line in members if row and len(line) > 3 and row[0] in line[3].split(",")]
    return uid, gid, sorted({gid, *groups, *more}), home or "/"


def _rows(path: str) -> list[list[str]]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n").split(":") for line in file]
    except OSError:
        return []


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.readline().strip()
    except OSError:
        return ""


def _change_directory(path: str) -> None:
    try:
        os.chdir(path)
    except OSError as error:
        reason = worded(error)
        raise StartFailure(f'chdir to cwd ("{path}") set in config.json failed: {reason}') from error
    try:
        os.getcwd()
    except OSError as error:  # no path from the root leads there
        message = "current working directory is outside of container mount namespace root"
        raise StartFailure(f"{message} -- possible container breakout detected") from error


def _connect(streams: tuple[int, int, int]) -> None:
    copies = [os.open("/dev/null", os.O_RDWR) if number < 0 else os.dup(number) for number in streams]
    for target, number in enumerate(copies):
        os.dup2(number, target)


def _new_terminal(terminal: socket.socket, uid: int, size: list[int] | None) -> None:
    """A terminal of the container's own devpts."""
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, TIOCSPTLCK, struct.pack("=i", 0))
    (number,) = struct.unpack("=I", fcntl.ioctl(master, TIOCGPTN, bytes(4)))
    slave = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    os.fchown(slave, uid, -1)
    if size:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("=HHHH", size[1], size[0], 0, 0))
    socket.send_fds(terminal, [b"terminal"], [master])
    os.close(master)
    os.login_tty(slave)
