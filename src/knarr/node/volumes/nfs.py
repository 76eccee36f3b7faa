"""nfs: a directory of another machine. The host's own `mount` does it; what it says is what the pod's event says."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from knarr.kinds.types.core_v1 import NFSVolumeSource
from knarr.node.volumes.volume import VolumeError

COMMAND = "mount"
SECONDS = 90.0  #: that mounting may take
HELPER = "mount.nfs"


async def make(source: NFSVolumeSource, folder: Path, options: Sequence[str], *, read_only: bool) -> Path:
    """Mount it on a folder, unless it is there; VolumeError with what the host's `mount` said."""
    if source.server.startswith("-"):
        raise VolumeError(f'nfs.server: Invalid value: "{source.server}": must not begin with "-"')
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    if await asyncio.to_thread(os.path.ismount, folder):
        return folder
    arguments = mount_arguments(source, folder, options, read_only=read_only)
    code, said = await run(COMMAND, arguments)
    if code:
        raise VolumeError(complaint(arguments, code, said) + await asyncio.to_thread(lacking))
    return folder


def mount_arguments(
    source: NFSVolumeSource, folder: Path, options: Sequence[str], *, read_only: bool
) -> tuple[str, ...]:
    """What the host's `mount` is given: `source` is on the server, options are those of the volume."""
    server = f"[{source.server}]" if ":" in source.server else source.server
    given = [*options, *(["ro"] if read_only or source.readOnly else [])]
    chosen = ("-o", ",".join(given)) if given else ()
    return ("-t", "nfs", *chosen, f"{server}:{source.path}", str(folder))


def complaint(arguments: Sequence[str], code: int, said: str) -> str:
    """In the kubelet's words."""
    return (
        f"mount failed: exit status {code}\nMounting command: {COMMAND}\n"
        f"Mounting arguments: {' '.join(arguments)}\nOutput: {said}"
    )


def lacking() -> str:
    """What this host needs before it can mount any; "" when nothing is missing."""
    missing = []
    known = {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}
    if not known & {"nfs", "nfs4"}:
        missing.append("its kernel has no nfs file system (yet)")
    if shutil.which(HELPER, path=f"{os.environ.get('PATH', '')}:/sbin:/usr/sbin") is None:
        missing.append(f"it has no {HELPER} (Debian's package nfs-common)")
    return "".join(["\nThis host cannot mount nfs: ", " and ".join(missing), "."]) if missing else ""


async def run(command: str, arguments: Sequence[str]) -> tuple[int, str]:
    """Run a command; its exit code and what it said. One that takes too long is killed."""
    try:
        process = await asyncio.create_subprocess_exec(
            command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except FileNotFoundError:
        return 127, f"{command}: command not found\n"
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        return 124, f"{command}: no answer within {SECONDS:.0f} s\n"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode(errors="replace")
