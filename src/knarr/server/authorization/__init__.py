"""May they: one file for each source of permission, tried in order until one allows. Nobody is allowed by default."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from knarr.client.transport import User
from knarr.meta.errors import Forbidden
from knarr.server.paths import Target


class Attributes(msgspec.Struct, frozen=True):
    """What a user wants to do, as upstream's authorizers see it."""

    user: User
    verb: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    path: str = ""  #: of a request that is not about a resource
    fields: str = ""  #: the field selector of a list or a watch
    labels: str = ""  #: its label selector

    @property
    def qualified(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Authorizer(Protocol):
    """A source of permission."""

    async def allows(self, attributes: Attributes) -> tuple[bool, str]:
        """Whether it allows this, and the reason why or why not."""


class Chain:
    """Several sources; the first that allows decides."""

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = tuple(authorizers)

    async def allows(self, attributes: Attributes) -> tuple[bool, str]:
        reasons = []
        for authorizer in self._authorizers:
            allowed, reason = await authorizer.allows(attributes)
            if allowed:
                return True, reason
            if reason:
                reasons.append(reason)
        return False, ", ".join(reasons)


def attributes(user: User, target: Target) -> Attributes:
    """What a request's target needs permission for."""
    if not target.resource:
        return Attributes(user, target.verb, path=target.path)
    return Attributes(
        user,
        target.verb,
        target.group,
        target.version,
        target.namespace,
        target.resource,
        target.subresource,
        target.name or target.only,
        fields=target.fields,
        labels=target.labels,
    )


def refusal(asked: Attributes, reason: str) -> Forbidden:
    """The 403 in upstream's words."""
    text = f'User "{asked.user.name}" cannot {asked.verb} '
    if not asked.resource:
        text += f'path "{asked.path}"'
        return Forbidden(f"forbidden: {text}{': ' + reason if reason else ''}")
    text += f'resource "{asked.qualified}" in API group "{asked.group}" '
    text += f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    qualified = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    head = f'{qualified} "{asked.name}" is forbidden: ' if asked.name else f"{qualified} is forbidden: "
    return Forbidden(
        f"{head}{text}{': ' + reason if reason else ''}", kind=asked.resource, group=asked.group, name=asked.name
    )
