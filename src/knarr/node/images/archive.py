"""Reading the tars that `docker save`, buildah and friends write: docker-archive and OCI layouts. Blocking."""

import contextlib
import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from knarr.node.images import layer
from knarr.node.images.store import ImageConfig, ImageError, ImageStore, StoredImage

INDEX = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
NAMED = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


def load(store: ImageStore, path: Path) -> list[StoredImage]:
    """Keep every image of the archive; ImageError says what is wrong with it."""
    try:
        with tarfile.open(path) as archive:
            members = {member.name.removeprefix("./"): member for member in archive if member.isfile()}
            source = Source(archive, members, path)
            if "manifest.json" in members:
                found = list(_docker(store, source))
            elif "index.json" in members:
                found = list(_oci(store, source))
            else:
                raise ImageError(f"{path}: neither a docker-archive (manifest.json) nor an OCI layout (index.json)")
    except (tarfile.TarError, layer.Unsafe, EOFError, ValueError) as error:
        raise ImageError(f"{path}: {error}") from error
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error
    if not found:
        raise ImageError(f"{path}: holds no image")
    return found


class Source:
    """The files of an open archive."""

    def __init__(self, archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], path: Path) -> None:
        self._archive, self._members, self._path = archive, members, path

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        member = self._members.get(name)
        file = self._archive.extractfile(member) if member else None
        if file is None:
            raise ImageError(f"{self._path}: {name} is missing")
        with file:
            yield file

    def json(self, name: str) -> Any:
        with self.open(name) as file:
            return json.load(file)


def blob(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    return f"blobs/{algorithm}/{value}"


def _docker(store: ImageStore, source: Source) -> Iterator[StoredImage]:
    for entry in source.json("manifest.json"):
        config = source.json(entry["Config"])
        image = _keep(store, source, config, entry["Layers"])
        yield _name(store, image, entry.get("RepoTags") or [])


def _oci(store: ImageStore, source: Source) -> Iterator[StoredImage]:
    for entry in source.json("index.json")["manifests"]:
        names = [value for key in NAMED if (value := entry.get("annotations", {}).get(key, ""))]
        manifest = source.json(blob(entry["digest"]))
        if manifest.get("mediaType") in INDEX or "manifests" in manifest:
            manifest = source.json(blob(_mine(manifest["manifests"])["digest"]))
        config = source.json(blob(manifest["config"]["digest"]))
        image = _keep(store, source, config, [blob(each["digest"]) for each in manifest["layers"]])
        yield _name(store, image, names[:1])


def _mine(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """The manifest for Linux on this machine's architecture, or the only one."""
    import platform

    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    fitting = [each for each in manifests if each.get("platform", {}).get("architecture") == machine]
    return (fitting or manifests)[0]


def _keep(store: ImageStore, source: Source, config: dict[str, Any], layers: list[str]) -> ImageConfig:
    kept = []
    for name, expected in zip(layers, config.get("rootfs", {}).get("diff_ids", layers), strict=True):
        known = str(expected).startswith("sha256:")
        digest = str(expected) if known else f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
        short = digest.removeprefix("sha256:")[:32]
        if not (store.layers / short).is_dir():
            with store.draft() as draft, source.open(name) as file:
                layer.unpack(file, draft)
                store.keep_layer(draft, digest)
        kept.append(short)
    own = config.get("config") or {}
    return ImageConfig(
        layers=tuple(kept),
        entrypoint=tuple(own.get("Entrypoint") or ()),
        command=tuple(own.get("Cmd") or ()),
        env=tuple((key, value) for key, _, value in (each.partition("=") for each in own.get("Env") or ())),
        working_dir=own.get("WorkingDir", ""),
        user=own.get("User", ""),
        stop_signal=own.get("StopSignal", ""),
        labels=own.get("Labels") or {},
        exposed=tuple(own.get("ExposedPorts") or ()),
    )


def _name(store: ImageStore, config: ImageConfig, names: list[str]) -> StoredImage:
    image = store.save(config)
    for name in names:
        image = store.save(config, name)
    return image
