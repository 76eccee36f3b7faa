"""What lies under a new layer, so that copying into /bin or /tmp neither replaces a link nor changes a mode."""

import os
import stat
from pathlib import Path, PurePosixPath

LOOPS = 40


class View:
    """The layers below, the topmost first; `host`: under them all are the host's own files."""

    def __init__(self, layers: list[Path], *, host: bool) -> None:
        self._layers = [*layers, Path("/")] if host else layers

    def find(self, path: PurePosixPath) -> Path | None:
        """The file that would be seen at an absolute path whose parents are no links."""
        for root in self._layers:
            place = root / str(path).lstrip("/")
            if os.path.lexists(place):
                status = place.lstat()
                return None if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0 else place
        return None

    def resolve(self, path: PurePosixPath) -> PurePosixPath:
        """The path with all links followed within the image."""
        done, left = PurePosixPath("/"), list(path.parts[1:])
        for _ in range(LOOPS * (len(left) + 1)):
            if not left:
                return done
            part = left.pop(0)
            found = self.find(done / part) if part != ".." else None
            if part == "..":
                done = done.parent
            elif found is not None and found.is_symlink():
                goal = PurePosixPath(found.readlink())
                done = PurePosixPath("/") if goal.is_absolute() else done
                left = [piece for piece in goal.parts if piece != "/"] + left
            else:
                done = done / part
        raise OSError(40, f"too many levels of symbolic links in {path}")

    def place(self, draft: Path, path: PurePosixPath, *, directory: bool) -> Path:
        """Where a path goes in the new layer, its parents made with the modes they have below."""
        resolved = self.resolve(path)
        found = self.find(resolved)
        target = draft / str(resolved).lstrip("/")
        if directory or (found is not None and found.is_dir()):
            self._directory(draft, resolved)
        else:
            self._directory(draft, resolved.parent)
        return target

    def _directory(self, draft: Path, path: PurePosixPath) -> None:
        for step in [*reversed(path.parents), path]:
            place = draft / str(step).lstrip("/")
            found = self.find(step)
            if place.is_dir() and step != PurePosixPath("/"):
                continue
            place.mkdir(mode=0o755, exist_ok=True)
            if found is not None and found.is_dir():
                status = found.stat()
                os.chown(place, status.st_uid, status.st_gid)
                place.chmod(status.st_mode & 0o7777)
