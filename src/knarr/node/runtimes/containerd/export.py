"""An image of the store as an OCI archive, which every container tool loads. Blocking; equal images, equal bytes.

Called by `images`. Whiteouts of overlayfs become those of the OCI format again.
"""

import hashlib
import json
import os
import platform
import stat
import tarfile
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from knarr.node.images.layer import OPAQUE, WHITEOUT
from knarr.node.images.store import ImageConfig

OCI = "application/vnd.oci.image"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_archive(target: Path, layers: Sequence[Path], config: ImageConfig, names: Sequence[str]) -> str:
    """Write the image under all its names; return its digest, which is that of its configuration."""
    with tarfile.open(target, "w") as archive:
        _add(archive, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        described = [_add_layer(archive, layer, target.parent) for layer in layers]
        body = json.dumps(_configuration(config, [each["digest"] for each in described])).encode()
        digest = _add_blob(archive, body)
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": {"mediaType": f"{OCI}.config.v1+json", "digest": digest, "size": len(body)},
            "layers": described,
        }
        text = json.dumps(manifest).encode()
        entry = {"mediaType": manifest["mediaType"], "digest": _add_blob(archive, text), "size": len(text)}
        manifests = [{**entry, "annotations": {"io.containerd.image.name": name}} for name in names] or [entry]
        _add(archive, "index.json", json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())
    return digest


def _configuration(config: ImageConfig, layers: list[str]) -> dict[str, Any]:
    machine = platform.machine()
    wanted = {
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.command),
        "Env": [f"{name}={value}" for name, value in config.env],
        "WorkingDir": config.working_dir,
        "User": config.user,
        "StopSignal": config.stop_signal,
        "Labels": config.labels,
        "ExposedPorts": {port: {} for port in config.exposed},
    }
    return {
        "architecture": MACHINES.get(machine, machine),
        "os": "linux",
        "config": {key: value for key, value in wanted.items() if value},
        "rootfs": {"type": "layers", "diff_ids": layers},
    }


def _add_layer(archive: tarfile.TarFile, layer: Path, scratch: Path) -> dict[str, Any]:
    with tempfile.TemporaryFile(dir=scratch) as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as inner:
            _add_tree(inner, layer)
        file.seek(0)
        digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        name = _blob(digest)
        if name not in archive.getnames():
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, file)
    return {"mediaType": f"{OCI}.layer.v1.tar", "digest": digest, "size": size}


def _add_tree(archive: tarfile.TarFile, root: Path) -> None:
    """Everything below `root`, parents first."""
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(root))
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            archive.addfile(tarfile.TarInfo(str(Path(name).with_name(WHITEOUT + path.name))))
            continue
        archive.add(path, name, recursive=False)
        if stat.S_ISDIR(status.st_mode) and _opaque(path):
            archive.addfile(tarfile.TarInfo(f"{name}/{OPAQUE}"))


def _opaque(path: Path) -> bool:
    return "trusted.overlay.opaque" in os.listxattr(path)


def _add_blob(archive: tarfile.TarFile, body: bytes) -> str:
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    _add(archive, _blob(digest), body)
    return digest


def _add(archive: tarfile.TarFile, name: str, body: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(body)
    archive.addfile(member, BytesIO(body))


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")
