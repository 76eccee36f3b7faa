"""Nobody grants more than they have: what a role or a binding would give away, its author must hold, or be allowed to
`escalate` the role or to `bind` it.

Whether rules cover others is decided on their atoms: one verb on one resource of one group, of one name if any.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

import msgspec

from knarr.kinds.types import rbac_v1
from knarr.meta.errors import NotFound
from knarr.server.admission import Admission, State, Tree
from knarr.server.authorization import Attributes, Authorizer
from knarr.server.authorization.components import EVERYBODY
from knarr.server.authorization.rbac import GROUP, Rbac, rule_of
from knarr.server.authorization.rules import Rule
from knarr.server.identity import AUTHENTICATED

ROLES = ("Role", "ClusterRole")
BINDINGS = ("RoleBinding", "ClusterRoleBinding")
EVERYTHING = (Rule(("*",), ("*",), ("*",)), Rule(("*",), paths=("*",)))
UNIMPORTANT = ("ownerReferences", "finalizers", "managedFields", "resourceVersion", "generation")


class NoEscalation:
    """Refuses roles and bindings that grant what their author does not hold."""

    def __init__(self, authorizer: Authorizer, rbac: Rbac) -> None:
        self._authorizer, self._rbac = authorizer, rbac

    async def admit(self, admission: Admission, state: State) -> None:
        kind = admission.kind
        if kind.group != GROUP or admission.verb not in ("create", "update") or admission.subresource:
            return
        if admission.old is not None and important(admission.old) == important(admission.tree):
            return
        if kind.kind in ROLES:
            await self._role(admission)
        elif kind.kind in BINDINGS:
            await self._binding(admission, state)

    async def _role(self, admission: Admission) -> None:
        tree, old = admission.tree, admission.old or {}
        aggregated = tree.get("aggregationRule")
        same = all(tree.get(key) == old.get(key) for key in ("rules", "aggregationRule"))
        if admission.old is not None and same:
            return
        if await self._may("escalate", admission, admission.kind.plural, admission.name):
            return
        role = msgspec.convert(tree, admission.kind.type)
        granted = [rule_of(rule) for rule in role.rules]  # type: ignore[attr-defined]
        if aggregated and aggregated != old.get("aggregationRule"):
            granted += EVERYTHING  # what will be chosen is not known yet
        await self._held(admission, granted)

    async def _binding(self, admission: Admission, state: State) -> None:
        reference = admission.tree.get("roleRef") or {}
        name, cluster = reference.get("name", ""), reference.get("kind") == "ClusterRole"
        if await self._may("bind", admission, "clusterroles" if cluster else "roles", name):
            return
        found: rbac_v1.ClusterRole | rbac_v1.Role | None
        if cluster:
            found = await state.get(rbac_v1.ClusterRole, "", name)
        else:
            found = await state.get(rbac_v1.Role, admission.namespace, name)
        if found is None:
            singular = "clusterrole" if cluster else "role"
            raise NotFound(f'{singular}.{GROUP} "{name}" not found', kind=singular, group=GROUP, name=name)
        await self._held(admission, [rule_of(rule) for rule in found.rules])

    async def _may(self, verb: str, admission: Admission, resource: str, name: str) -> bool:
        asked = Attributes(admission.user, verb, GROUP, "v1", admission.namespace, resource, name=name)
        return (await self._authorizer.allows(asked))[0]

    async def _held(self, admission: Admission, granted: Sequence[Rule]) -> None:
        """Raise Forbidden unless the author holds all of it where the role would count."""
        user, unresolved = admission.user, list[str]()
        held: list[Rule] = list(EVERYBODY) if AUTHENTICATED in user.groups else []
        async for some in self._rbac.rules_of(user, admission.namespace, unresolved):
            held += some
        missing = uncovered(held, granted)
        if not missing:
            return
        groups = " ".join(f'"{group}"' for group in user.groups)
        lines = "\n".join(sorted({shown(rule) for rule in missing}))
        head = f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:'
        tail = f"; resolution errors: [{' '.join(unresolved)}]" if unresolved else ""
        raise admission.refuse(f"{head}\n{lines}{tail}")


def important(tree: Tree) -> Tree:
    """A role or binding without what the garbage collector and the server write."""
    metadata = {key: value for key, value in tree.get("metadata", {}).items() if key not in UNIMPORTANT}
    return tree | {"metadata": metadata}


def uncovered(held: Sequence[Rule], granted: Iterable[Rule]) -> list[Rule]:
    """What of the rules granted is not held, verbs of one resource together."""
    found: dict[Rule, list[str]] = {}
    for rule in granted:
        for atom in atoms(rule):
            if not any(covers(own, atom) for own in held):
                verbs = found.setdefault(replace(atom, verbs=()), [])
                verbs += [verb for verb in atom.verbs if verb not in verbs]
    return [replace(rule, verbs=tuple(verbs)) for rule, verbs in found.items()]


def atoms(rule: Rule) -> Iterator[Rule]:
    for path, verb in product(rule.paths, rule.verbs):
        yield Rule((verb,), paths=(path,))
    for group, resource, verb in product(rule.groups, rule.resources, rule.verbs):
        for name in rule.names or ("",):
            yield Rule((verb,), (group,), (resource,), (name,) if name else ())


def covers(own: Rule, atom: Rule) -> bool:
    """Whether a rule gives all that an atom does."""
    if not _has(own.verbs, atom.verbs[0]):
        return False
    if atom.paths:
        path = atom.paths[0]
        return any(p in ("*", path) or (p.endswith("*") and path.startswith(p[:-1])) for p in own.paths)
    resource = atom.resources[0]
    _, slash, part = resource.partition("/")
    return (
        _has(own.groups, atom.groups[0])
        and (_has(own.resources, resource) or (slash != "" and f"*/{part}" in own.resources))
        and (not own.names or (atom.names != () and atom.names[0] in own.names))
    )


def _has(values: Sequence[str], value: str) -> bool:
    return "*" in values or value in values


def shown(rule: Rule) -> str:
    """A rule as messages show it."""
    parts = (
        ("APIGroups", rule.groups),
        ("Resources", rule.resources),
        ("NonResourceURLs", rule.paths),
        ("ResourceNames", rule.names),
        ("Verbs", rule.verbs),
    )
    texts = [name + ":[" + " ".join(f'"{value}"' for value in values) + "]" for name, values in parts if values]
    return "{" + ", ".join(texts) + "}"
