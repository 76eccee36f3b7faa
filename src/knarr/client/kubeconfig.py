"""The user's kubeconfig: read as kubectl reads it, written as kind writes it.

A cluster is one entry under its name in `clusters`, `users` and `contexts`; merging makes it current. Whatever else the
file holds stays. The file is replaced in one step, readable for its owner only.
"""

import fcntl
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from knarr.client.http import Http

SECTIONS = ("clusters", "users", "contexts")
Tree = dict[str, Any]


class KubeconfigError(Exception):
    """A kubeconfig that cannot be read, or lacks what was asked for."""


@dataclass(frozen=True)
class Entry:
    """One cluster and how to be its user. Certificates and key are PEM."""

    name: str
    server: str
    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    namespace: str = ""
    verify: bool = True

    def transport(self) -> Http:
        """The way to this cluster."""
        return Http(
            self.server,
            ca=self.ca or None,
            cert=self.certificate or None,
            key=self.key or None,
            token=self.token,
            verify=self.verify,
        )


def paths(path: Path | None = None) -> list[Path]:
    """The files that make up the kubeconfig: the one given, or those of $KUBECONFIG, or the user's own."""
    if path is not None:
        return [path]
    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return list(dict.fromkeys(named)) or [Path.home() / ".kube" / "config"]


def written_path(path: Path | None = None) -> Path:
    """The file that a merge changes: the first that exists, else the last."""
    candidates = paths(path)
    return next((found for found in candidates if found.exists()), candidates[-1])


def load(path: Path | None = None, context: str = "") -> Entry:
    """How to reach the cluster of a context, by default the current one."""
    trees = [(file, read(file)) for file in paths(path) if file.exists()]
    if not context:
        context = next((tree["current-context"] for _, tree in trees if tree.get("current-context")), "")
    if not context:
        raise KubeconfigError(f"no current context in {_shown(path)}")
    _, chosen = _find(trees, "contexts", context, path)
    cluster_file, cluster = _find(trees, "clusters", chosen.get("cluster", ""), path)
    user_file, user = _find(trees, "users", chosen.get("user", ""), path)
    if "exec" in user or "auth-provider" in user:
        raise KubeconfigError(f"user {chosen['user']!r} needs a plugin, which is not supported")
    token: str = user.get("token") or _content(user, "tokenFile", user_file).decode().strip()
    return Entry(
        name=context,
        server=cluster.get("server", ""),
        ca=_content(cluster, "certificate-authority", cluster_file),
        certificate=_content(user, "client-certificate", user_file),
        key=_content(user, "client-key", user_file),
        token=token,
        namespace=chosen.get("namespace", ""),
        verify=not cluster.get("insecure-skip-tls-verify", False),
    )


def merge(entry: Entry, path: Path | None = None) -> Path:
    """Add a cluster or replace the one of its name, and make it current; give the file that was written.

    The namespace that the user chose for it stays, unless the entry names one.
    """
    file = written_path(path)
    with _locked(file):
        tree = read(file) if file.exists() else {}
        if not entry.namespace:
            entry = replace(entry, namespace=_namespace(tree, entry.name))
        _remove(tree, entry.name)
        tree.setdefault("apiVersion", "v1")
        tree.setdefault("kind", "Config")
        for section, value in zip(SECTIONS, _sections(entry), strict=True):
            singular = section.removesuffix("s")
            tree[section] = [*(tree.get(section) or []), {"name": entry.name, singular: value}]
        tree["current-context"] = entry.name
        write(file, tree)
    return file


def remove(name: str, path: Path | None = None) -> bool:
    """Take a cluster out of every file that has it; give whether one had. Nothing becomes current in its place."""
    removed = False
    for file in paths(path):
        if not file.exists():
            continue
        with _locked(file):
            tree = read(file)
            if _remove(tree, name):
                if tree.get("current-context") == name:
                    tree["current-context"] = ""
                write(file, tree)
                removed = True
    return removed


def read(file: Path) -> Tree:
    """The file's content; every scalar that could be a date stays the text it is."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {  # noqa: RUF012 (a class attribute is how PyYAML takes it)
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    try:
        tree = yaml.load(file.read_bytes(), Loader)  # noqa: S506 (derived from the safe loader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise KubeconfigError(f"{file}: {error}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise KubeconfigError(f"{file} is not a kubeconfig")
    return tree


def write(file: Path, tree: Tree) -> None:
    """Replace the file in one step."""
    import yaml

    target = file.resolve()  # a link stays a link
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as stream:
            yaml.safe_dump(tree, stream, sort_keys=False)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _namespace(tree: Tree, name: str) -> str:
    """The namespace of a cluster's own context; "" when none was chosen."""
    contexts = (each.get("context") or {} for each in tree.get("contexts") or [] if each.get("name") == name)
    return str(next((each.get("namespace") or "" for each in contexts if each.get("cluster") == name), ""))


def _sections(entry: Entry) -> tuple[Tree, Tree, Tree]:
    """The cluster, the user and the context of an entry."""
    cluster: Tree = {"server": entry.server}
    if entry.ca:
        cluster["certificate-authority-data"] = b64encode(entry.ca).decode()
    if not entry.verify:
        cluster["insecure-skip-tls-verify"] = True
    user: Tree = {}
    if entry.certificate:
        user["client-certificate-data"] = b64encode(entry.certificate).decode()
    if entry.key:
        user["client-key-data"] = b64encode(entry.key).decode()
    if entry.token:
        user["token"] = entry.token
    context = {"cluster": entry.name, "user": entry.name}
    if entry.namespace:
        context["namespace"] = entry.namespace
    return cluster, user, context


def _remove(tree: Tree, name: str) -> bool:
    """Take the entries of a name out of the tree; give whether there were any."""
    removed = False
    for section in SECTIONS:
        entries = tree.get(section) or []
        kept = [entry for entry in entries if entry.get("name") != name]
        if len(kept) < len(entries):
            tree[section] = kept
            removed = True
    return removed


def _find(trees: list[tuple[Path, Tree]], section: str, name: str, path: Path | None) -> tuple[Path, Tree]:
    """The entry of a name, from the first file that has it, and that file."""
    for file, tree in trees:
        for entry in tree.get(section) or []:
            if entry.get("name") == name:
                return file, entry.get(section.removesuffix("s")) or {}
    raise KubeconfigError(f"no {section.removesuffix('s')} {name!r} in {_shown(path)}")


def _content(entry: Mapping[str, Any], field: str, file: Path) -> bytes:
    """A certificate, key or token: inline, or from the file named, relative to the kubeconfig."""
    if data := entry.get(f"{field}-data"):
        return b64decode(str(data))
    if not (name := entry.get(field)):
        return b""
    try:
        return (file.parent / str(name)).read_bytes()
    except OSError as error:
        raise KubeconfigError(f"{file}: {error}") from error


def _shown(path: Path | None) -> str:
    return ", ".join(map(str, paths(path)))


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keep other knarr processes from the folder's kubeconfigs meanwhile."""
    folder = file.resolve().parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
