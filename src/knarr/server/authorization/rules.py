"""Policy rules: whether one covers a request. Pure; for roles that lie in the cluster and for those built in."""

from collections.abc import Iterable
from dataclasses import dataclass

from knarr.server.authorization import Attributes


@dataclass(frozen=True, slots=True)
class Rule:
    """A PolicyRule."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def covers(self, asked: Attributes) -> bool:
        if not _listed(self.verbs, asked.verb):
            return False
        if not asked.resource:
            return any(_path_matches(path, asked.path) for path in self.paths)
        return (
            _listed(self.groups, asked.group)
            and _resource_listed(self.resources, asked)
            and (not self.names or asked.name in self.names)
        )


def cover(rules: Iterable[Rule], asked: Attributes) -> bool:
    """Whether any of the rules covers the request."""
    return any(rule.covers(asked) for rule in rules)


def _listed(values: tuple[str, ...], value: str) -> bool:
    return "*" in values or value in values


def _resource_listed(resources: tuple[str, ...], asked: Attributes) -> bool:
    return (
        "*" in resources
        or asked.qualified in resources
        or (asked.subresource != "" and f"*/{asked.subresource}" in resources)
    )


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern[:-1]))
