"""From an image and a ContainerSpec to the file the shim starts a container from. Pure but for seccomp profiles.

Called in a thread.
"""

import base64
import json
from pathlib import Path
from typing import Any, Protocol

from knarr.node.runtimes.runtime import ContainerSpec, RuntimeFailure
from knarr.node.runtimes.sandbox.seccomp import default, program
from knarr.node.runtimes.sandbox.shim.kernel import CAPABILITIES

DEFAULT_CAPABILITIES = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip


class ImageDefaults(Protocol):
    """What of an image counts when a container starts."""

    @property
    def id(self) -> str: ...
    @property
    def entrypoint(self) -> tuple[str, ...]: ...
    @property
    def command(self) -> tuple[str, ...]: ...
    @property
    def env(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def working_dir(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def host(self) -> bool: ...
    @property
    def layers(self) -> tuple[str, ...]: ...
    @property
    def stop_signal(self) -> str: ...


def arguments(image: ImageDefaults, spec: ContainerSpec) -> list[str]:
    """What to execute: the spec's command replaces the image's entrypoint and command, its args the command."""
    found = [*spec.command, *spec.args] if spec.command else [*image.entrypoint, *(spec.args or image.command)]
    if not found:
        raise RuntimeFailure("no command specified", reason="CreateContainerError")
    return found


def capabilities(spec: ContainerSpec) -> list[str]:
    """The default set, plus and minus what the spec says."""
    add = {name.upper().removeprefix("CAP_") for name in spec.capabilities_add}
    drop = {name.upper().removeprefix("CAP_") for name in spec.capabilities_drop}
    base = set(CAPABILITIES) if "ALL" in add else set() if "ALL" in drop else set(DEFAULT_CAPABILITIES) - drop
    return sorted((base | (add - {"ALL"})) - (drop if "ALL" in add else set()))


def environment(image: ImageDefaults, spec: ContainerSpec, hostname: str) -> list[tuple[str, str]]:
    """The image's variables, HOSTNAME, then the spec's."""
    return list(({**dict(image.env), "HOSTNAME": hostname} | dict(spec.env)).items())


def user(image: ImageDefaults, spec: ContainerSpec) -> str:
    """`user`, or the image's; a numeric one of the spec takes no group from the image."""
    return image.user if spec.user is None else str(spec.user)


def seccomp(spec: ContainerSpec) -> tuple[str, int]:
    """The program that judges its system calls, in base 64 ("": all are allowed), and the flags to install it with."""
    if spec.privileged or spec.seccomp.type == "Unconfined":
        return "", 0
    try:
        binary, flags = program.compiled(profile(spec))
    except program.NoLibrary as error:
        raise RuntimeFailure(str(error), reason="CreateContainerError") from error
    except program.ProfileError as error:
        message = f'decoding seccomp profile failed "{spec.seccomp.file}": {error}'
        raise RuntimeFailure(message, reason="CreateContainerError") from error
    return base64.b64encode(binary).decode(), flags


def profile(spec: ContainerSpec) -> str:
    file = spec.seccomp.file
    if file is None:
        return json.dumps(default.profile(capabilities(spec)))
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
        message = f'cannot load seccomp profile "{file}": open {file}: {why}'
        raise RuntimeFailure(message, reason="CreateContainerError") from error


def mounts(spec: ContainerSpec) -> list[dict[str, Any]]:
    """The outermost first, so that none covers another."""
    ordered = sorted(spec.mounts, key=lambda mount: mount.target.rstrip("/").count("/"))
    return [
        {
            "source": str(m.source),
            "target": m.target,
            "read_only": m.read_only,
            "propagation": m.propagation,
            "within": str(m.within or ""),
        }
        for m in ordered
    ]


def record(
    image: ImageDefaults,
    spec: ContainerSpec,
    *,
    id_: str,
    pod: Path,
    hostname: str,
    layers: Path,
    hidden: list[str],
    host_mounts: list[str],
    groups: list[str],
    host_ipc: bool = False,
) -> dict[str, Any]:
    """The contents of `config.json`."""
    here = pod / id_
    calls, flags = seccomp(spec)
    return {
        "id": id_,
        "root": str(here / "root"),
        "upper": str(here / "upper"),
        "work": str(here / "work"),
        "layers": str(layers),
        "lower": [*reversed(image.layers)],
        "host": image.host,
        "image": str(here / "image"),
        "empty": str(here / "empty"),
        "hidden": hidden if image.host else [],
        "host_mounts": host_mounts if image.host else [],
        "shm": "/dev/shm" if host_ipc else str(pod / "shm"),  # noqa: S108 the host's own, as the pod asks
        "files": {str(pod / name): f"/etc/{name}" for name in ("hosts", "hostname", "resolv.conf")},
        "mounts": mounts(spec),
        "termination_log": str(here / "termination-log") if spec.termination_log_path else "",
        "termination_log_path": spec.termination_log_path,
        "args": arguments(image, spec),
        "env": environment(image, spec, hostname),
        "working_dir": spec.working_dir or image.working_dir,
        "user": user(image, spec),
        "group": spec.group,
        "groups": list(spec.groups),
        "non_root": spec.non_root,
        "tty": spec.tty,
        "stdin": spec.stdin,
        "stdin_once": spec.stdin_once,
        "read_only_root": spec.read_only_root,
        "privileged": spec.privileged,
        "capabilities": capabilities(spec),
        "seccomp": calls,
        "seccomp_flags": flags,
        "no_new_privileges": spec.no_new_privileges,
        "groups_of_control": groups,
        "limits": {"memory": spec.limits.memory, "cpu": spec.limits.cpu, "cpu_request": spec.limits.cpu_request},
        "stop_signal": spec.stop_signal or image.stop_signal or "SIGTERM",
        "log_path": str(spec.log_path),
        "state": {
            "name": spec.name,
            "attempt": spec.attempt,
            "image": spec.image,
            "image_id": image.id,
            "log_path": str(spec.log_path),
        },
    }
