"""Names of images. `kubia-stored` and `docker.io/library/kubia-stored:latest` are one name. Pure."""

import re
from functools import lru_cache

REGISTRY = "docker.io"
NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@lru_cache(1024)
def normalised(name: str) -> str:
    """The full name, with registry and tag (or digest). ValueError when it is none."""
    rest, at, digest = name.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise ValueError(f'couldn\'t parse image name "{name}": invalid reference format')
    path, tag = rest, ""
    if ":" in rest.rpartition("/")[2]:
        path, _, tag = rest.rpartition(":")
    first, slash, remainder = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first, remainder
    else:
        registry = REGISTRY
    if registry == "index.docker.io":
        registry = REGISTRY
    if registry == REGISTRY and "/" not in path:
        path = f"library/{path}"
    repository = path.partition(":")[0]
    if repository != repository.lower():
        reason = f"invalid reference format: repository name ({repository}) must be lowercase"
        raise ValueError(f'couldn\'t parse image name "{name}": {reason}')
    if not (NAME.fullmatch(path) and HOST.fullmatch(registry) and (not tag or TAG.fullmatch(tag))):
        raise ValueError(f'couldn\'t parse image name "{name}": invalid reference format')
    full = f"{registry}/{path}"
    if digest:
        return f"{full}@{digest}"
    return f"{full}:{tag or 'latest'}"


def familiar(name: str) -> tuple[str, str]:
    """Repository and tag as people write them: ("kubia-stored", "latest")."""
    path, at, digest = name.partition("@")
    tag = digest
    if not at:
        path, _, tag = name.rpartition(":")
    return path.removeprefix(f"{REGISTRY}/").removeprefix("library/"), tag
