"""What all types of volume share: where a volume's files are and how contents are exchanged in one step."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from knarr.meta import clock

DATA = "..data"  #: the link that points at the current contents


class VolumeError(Exception):
    """A volume that cannot be had; the message is the FailedMount event's. `whole`: it names the volume already."""

    def __init__(self, message: str, *, whole: bool = False) -> None:
        super().__init__(message)
        self.whole = whole


@dataclass(frozen=True, slots=True)
class File:
    """One file of a volume made from API objects."""

    content: bytes
    mode: int = 0o644
    user: int | None = None  #: whose it is; None: the agent's


Files = Mapping[str, File]


def failed(volume: str, why: str) -> VolumeError:
    """In the kubelet's words."""
    return VolumeError(f'MountVolume.SetUp failed for volume "{volume}" : {why}', whole=True)


def no_driver(volume: str, driver: str) -> VolumeError:
    """A volume of a CSI driver: none runs on this node."""
    missing = f"driver name {driver} not found in the list of registered CSI drivers"
    how = "kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient"
    return VolumeError(f'MountVolume.MountDevice failed for volume "{volume}" : {how}: {missing}', whole=True)


def checked(path: str) -> PurePosixPath:
    """A relative path that stays inside its volume; VolumeError otherwise."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise VolumeError(f"invalid path: {path!r} must be relative and must not contain '..'")
    return pure


def current(folder: Path) -> Path | None:
    """The directory with the current contents; None when there is none, also when the link leads anywhere else."""
    link = folder / DATA
    if not link.is_symlink():
        return None
    name = str(link.readlink())
    place = folder / name
    return place if "/" not in name and place.is_dir() and not place.is_symlink() and name != ".." else None


def contents(folder: Path) -> dict[str, bytes]:
    """What a written volume holds now."""
    root = current(folder)
    if root is None:
        return {}
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def write(folder: Path, files: Files, group: int | None) -> bool:
    """Give a folder these files: readers see either the old or the new ones. Returns whether anything changed.

    A fresh directory takes the files, `..data` is switched to it, and the top level holds links through `..data`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    old = current(folder)
    if old is not None and contents(folder) == {name: each.content for name, each in files.items()}:
        return False
    fresh = folder / f"..{clock.now():%Y_%m_%d_%H_%M_%S}.{clock.suffix(10)}"
    fresh.mkdir(mode=0o755)
    for name, file in files.items():
        target = fresh / checked(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode if group is None else file.mode | 0o040)
        if group is not None or file.user is not None:
            os.chown(target, -1 if file.user is None else file.user, -1 if group is None else group)
    switch = folder / "..data_tmp"
    switch.unlink(missing_ok=True)
    switch.symlink_to(fresh.name)
    switch.rename(folder / DATA)
    link(folder, {checked(name).parts[0] for name in files})
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    return True


def link(folder: Path, names: set[str]) -> None:
    """Make the visible names links into the current contents; drop those that are gone."""
    for present in folder.iterdir():
        if not present.name.startswith("..") and present.name not in names:
            present.unlink()
    for name in names:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"{DATA}/{name}")
