"""Trees into layers: a tar unpacked safely, and the digest of a directory. Blocking.

Nothing of an archive may land outside its layer: absolute names lose their slash, `..` is refused, a link's
target is never followed, devices are left out. Docker's whiteouts become those of overlayfs.
"""

import hashlib
import os
import shutil
import stat
import tarfile
from pathlib import Path
from typing import IO

WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
CHUNK = 1 << 20


class Unsafe(Exception):
    """An archive that reaches outside; the message names the member."""


def unpack(source: IO[bytes], target: Path) -> None:
    """Unpack a layer's tar, compressed or not, into an empty directory."""
    with tarfile.open(fileobj=source, mode="r|*") as archive:
        directories: list[tuple[Path, tarfile.TarInfo]] = []
        for member in archive:
            place = _place(target, member.name)
            if place is None:
                continue
            if place.name.startswith(WHITEOUT):
                _white_out(place)
            elif member.isdir():
                _make_directory(place)
                directories.append((place, member))
            else:
                _member(archive, member, place, target)
    for place, member in reversed(directories):
        _dress(place, member)


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path, target: Path) -> None:
    if place.is_symlink() or place.exists():
        _remove(place)
    if member.issym():
        place.symlink_to(member.linkname)
        os.chown(place, member.uid, member.gid, follow_symlinks=False)
    elif member.islnk():
        original = _place(target, member.linkname)
        if original is None or not original.is_file() or original.is_symlink():
            raise Unsafe(f"{member.name}: a hard link to {member.linkname}, which is no file of this layer")
        os.link(original, place, follow_symlinks=False)
    elif member.isfile():
        content = archive.extractfile(member)
        with place.open("xb") as file:
            if content is not None:
                shutil.copyfileobj(content, file, CHUNK)
        _dress(place, member)
    elif member.isfifo():
        os.mkfifo(place)
        _dress(place, member)


def _place(target: Path, name: str) -> Path | None:
    """Where a member goes, its parents made; None for the root itself."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Unsafe(f"{name}: leads out of the layer")
    here = target
    for part in parts[:-1]:
        here = here / part
        if here.is_symlink():
            raise Unsafe(f"{name}: lies behind the symbolic link {here.relative_to(target)}")
        _make_directory(here)
    return here / parts[-1] if parts else None


def _make_directory(place: Path) -> None:
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        _remove(place)
    place.mkdir(mode=0o755, exist_ok=True)


def _white_out(place: Path) -> None:
    if place.name == OPAQUE:
        os.setxattr(place.parent, "trusted.overlay.opaque", b"y")
        return
    gone = place.with_name(place.name.removeprefix(WHITEOUT))
    if not gone.exists() and not gone.is_symlink():
        os.mknod(gone, 0o600 | stat.S_IFCHR, os.makedev(0, 0))


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink()


def _dress(place: Path, member: tarfile.TarInfo) -> None:
    """Owner, mode and time; the owner first, for it takes the set-user bits away."""
    os.chown(place, member.uid, member.gid, follow_symlinks=False)
    place.chmod(member.mode & 0o7777)
    os.utime(place, (member.mtime, member.mtime))


def digest(root: Path) -> str:
    """What identifies a tree: names, kinds, modes, owners and contents, not times."""
    total = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        kind = stat.S_IFMT(status.st_mode)
        head = f"{path.relative_to(root)}\0{status.st_mode}\0{status.st_uid}\0{status.st_gid}\0"
        total.update(head.encode("utf-8", "surrogateescape"))
        if kind == stat.S_IFLNK:
            total.update(os.fsencode(path.readlink()))
        elif kind == stat.S_IFREG:
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        elif kind == stat.S_IFCHR:
            total.update(str(status.st_rdev).encode())
    return "sha256:" + total.hexdigest()
