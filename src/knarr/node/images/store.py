"""The images of one machine: `layers/<digest>/` unpacked trees, `images/<digest>.json`, `names.json`.

Everything is named by its content and appears by one rename, so that builders, loaders and node agents share a
store without a daemon: a reader sees an image whole or not at all. Blocking; agents call it in threads.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from knarr.node.images.name import familiar, normalised


class ImageError(Exception):
    """An image that cannot be built or loaded; the message is for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """How containers of an image start, and what it is made of: its identity is the digest of this."""

    layers: tuple[str, ...] = ()  #: digests, the lowest first
    host: bool = False  #: the lowest layer is the host's own file system
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    user: str = ""
    stop_signal: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    exposed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage(ImageConfig):
    """An image that is here. `layers` are directory names in the store's `layers`."""

    id: str
    names: tuple[str, ...]
    size: int
    created: float

    @property
    def familiar(self) -> tuple[str, str]:
        """Repository and tag, of the first of its names."""
        return self.all_familiar[0]

    @property
    def all_familiar(self) -> list[tuple[str, str]]:
        """Repository and tag of each name for a table; `<none>` for an image that has lost its name."""
        return [familiar(name) for name in self.names] or [("<none>", "<none>")]


class ImageStore:
    """`root` is the directory; it need not be there yet."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.layers = root / "layers"
        self._images, self._names = root / "images", root / "names.json"

    # reading

    def find(self, name: str) -> StoredImage | None:
        """The image of that name or ID, or None. ValueError when it can't be a name."""
        if name.startswith("sha256:"):
            return self._load(name, self._read_names())
        names = self._read_names()
        id_ = names.get(normalised(name))
        return self._load(id_, names) if id_ else None

    def ls(self) -> list[StoredImage]:
        """Every image, the newest first."""
        names = self._read_names()
        found = (self._load(f"sha256:{path.stem}", names) for path in self._images.glob("*.json"))
        return sorted((image for image in found if image), key=lambda image: -image.created)

    def _read_names(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self._names.read_bytes())
        except FileNotFoundError:
            return {}
        return found

    def _load(self, id_: str, names: dict[str, str]) -> StoredImage | None:
        path = self._images / f"{id_.removeprefix('sha256:')}.json"
        try:
            tree = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        size = tree.pop("size")
        return StoredImage(
            **{
                **tree,
                "layers": tuple(tree["layers"]),
                "entrypoint": tuple(tree["entrypoint"]),
                "command": tuple(tree["command"]),
                "env": tuple((key, value) for key, value in tree["env"]),
                "exposed": tuple(tree["exposed"]),
            },
            id=id_,
            names=tuple(sorted(name for name, goal in names.items() if goal == id_)),
            size=size,
            created=path.stat().st_mtime,
        )

    # writing

    @contextlib.contextmanager
    def draft(self) -> Iterator[Path]:
        """An empty directory of this store's file system, removed when it was not kept."""
        self.layers.mkdir(mode=0o711, parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.layers))
        path.chmod(0o755)
        try:
            yield path
        finally:
            if path.exists():
                shutil.rmtree(path)

    def keep_layer(self, draft: Path, digest: str) -> str:
        """Make a draft the layer of that digest; return the layer's name."""
        name = digest.removeprefix("sha256:")[:32]
        with contextlib.suppress(OSError):  # somebody had the same one first
            draft.rename(self.layers / name)
        return name

    def save(self, config: ImageConfig, name: str = "") -> StoredImage:
        """Keep an image and, with a name, let the name be its; return it."""
        self._images.mkdir(parents=True, exist_ok=True)
        tree = {key: value for key, value in asdict(config).items() if key in ImageConfig.__dataclass_fields__}
        body = json.dumps(tree, sort_keys=True)
        id_ = hashlib.sha256(body.encode()).hexdigest()
        size = sum(_size(self.layers / layer) for layer in config.layers)
        _replace(self._images / f"{id_}.json", json.dumps({**tree, "size": size}))
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            names = self._read_names()
            if name:
                names[normalised(name)] = f"sha256:{id_}"
                _replace(self._names, json.dumps(names, indent=1))
        image = self._load(f"sha256:{id_}", names)
        if image is None:
            raise ImageError(f"{self._images}/{id_}.json disappeared while it was written")
        return image

    def load(self, archive: Path) -> list[StoredImage]:
        """Keep the images of a docker-archive or OCI tar."""
        from knarr.node.images.archive import load

        return load(self, archive)

    def build(self, name: str, directory: Path, *, dockerfile: Path | None = None) -> StoredImage:
        """Build a directory's Dockerfile and name the image."""
        from knarr.node.images.build import build

        normalised(name)
        return build(self, name, directory, dockerfile)


def plain(image: StoredImage) -> ImageConfig:
    """An image as the base of another."""
    return ImageConfig(**{key: getattr(image, key) for key in ImageConfig.__dataclass_fields__})


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # the machine may lose its power: then it is the old text or the new one
    draft.replace(path)


def _size(layer: Path) -> int:
    return sum(path.lstat().st_size for path in layer.rglob("*") if path.is_file() and not path.is_symlink())
