"""Building an image from a Dockerfile: each COPY or ADD is a layer, everything else configuration. Blocking.

There is no RUN: nothing is executed. `FROM host` stands for this machine's own files.
"""

import os
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from knarr.node.images import layer
from knarr.node.images.dockerfile import DockerfileError, Instruction, command, expand, pairs, parse, paths, split
from knarr.node.images.ignore import ignored
from knarr.node.images.store import ImageConfig, ImageError, ImageStore, StoredImage, plain
from knarr.node.images.view import View

HOST = "host"
SCRATCH = "scratch"


def build(store: ImageStore, name: str, directory: Path, dockerfile: Path | None = None) -> StoredImage:
    """Build `directory`, whose file is called Dockerfile unless another is given. ImageError says what is wrong."""
    file = dockerfile or directory / "Dockerfile"
    if not directory.is_dir():
        raise ImageError(f"{directory}: no such directory")
    try:
        instructions = parse(file.read_text())
        builder = Builder(store, directory)
        for instruction in instructions:
            builder.carry_out(instruction)
    except OSError as error:
        raise ImageError(f"{error.filename or file}: {error.strerror}") from error
    except (DockerfileError, UnicodeDecodeError) as error:
        raise ImageError(str(error)) from error
    return store.save(builder.config, name)


class Builder:
    """The image so far."""

    def __init__(self, store: ImageStore, directory: Path) -> None:
        self.config = ImageConfig()
        self._store, self._directory = store, directory
        self._arguments: dict[str, str] = {}
        self._from = self._commanded = False
        rules = directory / ".dockerignore"
        self._ignored: Callable[[str], bool] = ignored(rules.read_text() if rules.is_file() else "")

    @property
    def _variables(self) -> dict[str, str]:
        return self._arguments | dict(self.config.env)

    def carry_out(self, step: Instruction) -> None:
        if not self._from and step.name not in ("FROM", "ARG"):
            raise DockerfileError(step.line, f"no build stage in current context: {step.name} stands before FROM")
        known = {"chown", "chmod"} if step.name in ("COPY", "ADD") else set()
        if unknown := sorted(step.flags.keys() - known):
            raise DockerfileError(step.line, f"can't do {step.name} --{unknown[0]}")
        (self._from_ if step.name == "FROM" else getattr(self, f"_{step.name.lower()}"))(step)

    def _arg(self, step: Instruction) -> None:
        for word in split(step, self._variables):
            key, _, value = word.partition("=")
            self._arguments.setdefault(key, value)

    def _from_(self, step: Instruction) -> None:
        words = expand(step.value, self._arguments).split()
        if self._from:
            raise DockerfileError(step.line, "can't do a second FROM: builds have one stage")
        if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
            raise DockerfileError(step.line, "FROM requires either one or three arguments")
        self.config, self._from = self._base(step, words[0]), True

    def _base(self, step: Instruction, name: str) -> ImageConfig:
        if name == SCRATCH:
            return ImageConfig()
        if name == HOST:
            path = os.environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            return ImageConfig(host=True, env=(("PATH", path),), command=("/bin/sh",))
        try:
            image = self._store.find(name)
        except ValueError as error:
            raise DockerfileError(step.line, str(error)) from error
        if image is None:
            raise DockerfileError(
                step.line,
                f"FROM {name}: this image is not loaded, and knarr pulls from no registry. Load it with"
                " `knarr image load FILE.tar`, or write `FROM host` to build on this machine's own files",
            )
        return plain(image)

    def _env(self, step: Instruction) -> None:
        merged = dict(self.config.env) | dict(pairs(step, self._variables))
        self.config = replace(self.config, env=tuple(merged.items()))

    def _label(self, step: Instruction) -> None:
        self.config = replace(self.config, labels=self.config.labels | dict(pairs(step, self._variables)))

    def _workdir(self, step: Instruction) -> None:
        self.config = replace(self.config, working_dir=self._absolute(expand(step.value, self._variables)))

    def _expose(self, step: Instruction) -> None:
        found = []
        for word in split(step, self._variables):
            port, _, protocol = word.partition("/")
            if not all(part.isdigit() for part in port.split("-")):
                raise DockerfileError(step.line, f"Invalid containerPort: {word}")
            found.append(f"{port}/{protocol or 'tcp'}")
        self.config = replace(self.config, exposed=tuple(sorted({*self.config.exposed, *found})))

    def _user(self, step: Instruction) -> None:
        self.config = replace(self.config, user=expand(step.value, self._variables))

    def _stopsignal(self, step: Instruction) -> None:
        self.config = replace(self.config, stop_signal=expand(step.value, self._variables))

    def _cmd(self, step: Instruction) -> None:
        self._commanded = True
        self.config = replace(self.config, command=command(step))

    def _entrypoint(self, step: Instruction) -> None:
        inherited = self.config.command if self._commanded else ()
        self.config = replace(self.config, entrypoint=command(step), command=inherited)

    def _add(self, step: Instruction) -> None:
        self._copy(step)

    def _copy(self, step: Instruction) -> None:
        *sources, goal = paths(step, self._variables)
        if not sources:
            raise DockerfileError(step.line, f"{step.name} requires at least two arguments")
        found = [path for source in sources for path in self._sources(step, source)]
        target = PurePosixPath(self._absolute(goal))
        into = goal.endswith("/") or goal in (".", "..") or len(found) > 1
        view = View([self._store.layers / name for name in reversed(self.config.layers)], host=self.config.host)
        owner, mode = self._owner(step), self._mode(step)
        with self._store.draft() as draft:
            for path in found:
                place = view.place(draft, target, directory=into or path.is_dir())
                if step.name == "ADD" and path.is_file() and tarfile.is_tarfile(path):
                    with path.open("rb") as file:
                        layer.unpack(file, view.place(draft, target, directory=True))
                elif path.is_dir():
                    self._tree(path, place, owner, mode)
                else:
                    _file(path, place / path.name if place.is_dir() else place, owner, mode)
            name = self._store.keep_layer(draft, layer.digest(draft))
        self.config = replace(self.config, layers=(*self.config.layers, name))

    def _absolute(self, path: str) -> str:
        return os.path.normpath(PurePosixPath("/", self.config.working_dir, path))

    def _sources(self, step: Instruction, pattern: str) -> list[Path]:
        if pattern.startswith(("http://", "https://", "git@")):
            raise DockerfileError(step.line, f"can't do {step.name} from a URL: {pattern}")
        relative = os.path.normpath(pattern.lstrip("/"))
        if relative.startswith(".."):
            raise DockerfileError(step.line, f"{step.name} {pattern}: forbidden path outside the build context")
        matches = [self._directory] if relative == "." else sorted(self._directory.glob(relative))
        root = self._directory.resolve()
        found = [path for path in matches if relative == "." or not self._ignored(self._relative(path))]
        for path in found:
            if not path.resolve().is_relative_to(root):
                raise DockerfileError(step.line, f"{step.name} {pattern}: forbidden path outside the build context")
        if not found or not all(path.exists() for path in found):
            reason = "file not found in build context or excluded by .dockerignore"
            raise DockerfileError(step.line, f"{step.name} failed: {reason}: stat {relative}: file does not exist")
        return found

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._directory).as_posix()

    def _tree(self, source: Path, target: Path, owner: tuple[int, int], mode: int | None) -> None:
        """The contents of a directory, without what is ignored."""
        for path in sorted(source.rglob("*")):
            if self._ignored(self._relative(path)):
                continue
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir() and not path.is_symlink():
                place.mkdir(exist_ok=True)
                place.chmod(path.stat().st_mode & 0o7777)
                os.chown(place, *owner)
            else:
                _file(path, place, owner, mode, follow=False)

    def _owner(self, step: Instruction) -> tuple[int, int]:
        user, _, group = step.flags.get("chown", "0:0").partition(":")
        user, group = ("0" if user == "root" else user), ("0" if group == "root" else group or user)
        if not (user.isdigit() and group.isdigit()):
            raise DockerfileError(step.line, f"can't do --chown={step.flags['chown']}: give numbers")
        return int(user), int(group)

    def _mode(self, step: Instruction) -> int | None:
        text = step.flags.get("chmod", "")
        if text and not text.isdigit():
            raise DockerfileError(step.line, f"can't do --chmod={text}: give an octal number")
        return int(text, 8) if text else None


def _file(source: Path, target: Path, owner: tuple[int, int], mode: int | None, *, follow: bool = True) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() or target.exists():
        target.unlink()
    shutil.copy2(source, target, follow_symlinks=follow)
    os.chown(target, *owner, follow_symlinks=False)
    if mode is not None and not target.is_symlink():
        target.chmod(mode)
