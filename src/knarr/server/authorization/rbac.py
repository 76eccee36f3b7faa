"""Roles and bindings of the cluster: RBAC, read through a narrow view of the registry."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol, TypeVar

from knarr.client.transport import User
from knarr.kinds.types import rbac_v1
from knarr.kinds.types.base import Type
from knarr.server.authorization import Attributes
from knarr.server.authorization.rules import Rule, cover
from knarr.server.identity import SERVICE_ACCOUNT_PREFIX

T = TypeVar("T", bound=Type)
GROUP = "rbac.authorization.k8s.io"


class Roles(Protocol):
    """What RBAC reads: decoded objects of rbac.authorization.k8s.io/v1."""

    async def get(self, type_: type[T], namespace: str, name: str) -> T | None: ...
    async def list(self, type_: type[T], namespace: str = "") -> Iterable[T]: ...


class Rbac:
    """Allows what a role says that is bound to the user, one of the groups or the service account."""

    def __init__(self, roles: Roles) -> None:
        self._roles = roles
        self._indexed: Iterable[Any] = ()  # the bindings of the whole cluster, and who is in which of them
        self._by_subject: dict[tuple[str, str], list[Any]] = {}

    async def allows(self, attributes: Attributes) -> tuple[bool, str]:
        missing: list[str] = []
        async for rules in self.rules_of(attributes.user, attributes.namespace, missing):
            if cover(rules, attributes):
                return True, ""
        return False, _missing(missing)

    async def rules_of(self, user: User, namespace: str, missing: list[str]) -> AsyncIterator[list[Rule]]:
        """The rules of every role bound to the user there; names of roles that are gone are added to `missing`."""
        for binding in self._bound_everywhere(await self._roles.list(rbac_v1.ClusterRoleBinding), user):
            yield await self._role_rules(binding.roleRef, "", missing)
        if namespace:
            for local in await self._roles.list(rbac_v1.RoleBinding, namespace):
                if _binds(local, user, namespace):
                    yield await self._role_rules(local.roleRef, namespace, missing)

    def _bound_everywhere(self, bindings: Iterable[Any], user: User) -> list[Any]:
        """The bindings that name a user, in their order; indexed anew when the list is another."""
        if bindings is not self._indexed:
            self._by_subject = {}
            for binding in bindings:
                for key in dict.fromkeys(_key(subject) for subject in binding.subjects):
                    self._by_subject.setdefault(key, []).append(binding)
            self._indexed = bindings
        named = [self._by_subject.get(key, []) for key in (("User", user.name), *(("Group", g) for g in user.groups))]
        found = {binding.metadata.name: binding for some in named for binding in some}
        return [found[name] for name in sorted(found)]

    async def _role_rules(self, ref: Any, namespace: str, missing: list[str]) -> list[Rule]:
        if ref.kind == "ClusterRole":
            role: Any = await self._roles.get(rbac_v1.ClusterRole, "", ref.name)
            resource = "clusterrole"
        else:
            role = await self._roles.get(rbac_v1.Role, namespace, ref.name)
            resource = "role"
        if role is None:
            missing.append(f'{resource}.{GROUP} "{ref.name}" not found')
            return []
        return [rule_of(rule) for rule in role.rules]


def rule_of(rule: Any) -> Rule:
    """A PolicyRule of the API as a Rule."""
    return Rule(
        tuple(rule.verbs),
        tuple(rule.apiGroups),
        tuple(rule.resources),
        tuple(rule.resourceNames),
        tuple(rule.nonResourceURLs),
    )


def _key(subject: Any) -> tuple[str, str]:
    """What a subject of a cluster-wide binding matches: a user's name, or a group."""
    if subject.kind == "ServiceAccount":
        return "User", f"{SERVICE_ACCOUNT_PREFIX}{subject.namespace}:{subject.name}"
    return subject.kind, subject.name


def _binds(binding: Any, user: User, namespace: str) -> bool:
    return any(_is(subject, user, namespace) for subject in binding.subjects)


def _is(subject: Any, user: User, namespace: str) -> bool:
    if subject.kind == "User":
        return bool(subject.name == user.name)
    if subject.kind == "Group":
        return subject.name in user.groups
    if subject.kind == "ServiceAccount":
        return user.name == f"{SERVICE_ACCOUNT_PREFIX}{subject.namespace or namespace}:{subject.name}"
    return False


def _missing(names: list[str]) -> str:
    if not names:
        return ""
    return f"RBAC: {names[0]}" if len(names) == 1 else f"RBAC: [{', '.join(names)}]"
