"""Aggregated ClusterRoles: a role with an aggregationRule holds the rules of every role that its selectors choose.

So whoever adds a kind of their own adds it to admin, edit and view by a label on a role.
"""

from collections.abc import Collection, Sequence

from knarr.kinds.types.rbac_v1 import ClusterRole, PolicyRule
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Patch, Step
from knarr.meta.labels import of_object


def plan(role: ClusterRole, roles: Collection[ClusterRole]) -> list[Step]:
    """Return the step that brings an aggregated role's rules up to date."""
    if role.aggregationRule is None:
        return []
    rules = aggregated(role, roles)
    if rules == role.rules:
        return []
    return [Patch(role, {"rules": rules}, reason="the roles it is made of have changed")]


def aggregated(role: ClusterRole, roles: Collection[ClusterRole]) -> Sequence[PolicyRule]:
    """The rules of the chosen roles, by the selectors' order and the roles' names, each once."""
    rules: list[PolicyRule] = []
    by_name = sorted(roles, key=lambda other: other.metadata.name)
    for object_ in role.aggregationRule.clusterRoleSelectors if role.aggregationRule else ():
        selector = of_object(object_)
        for other in by_name:
            if other.metadata.name != role.metadata.name and selector.matches(other.metadata.labels):
                rules += [rule for rule in other.rules if rule not in rules]
    return rules


async def sync(key: Key, context: Context) -> None:
    roles = context.cache(ClusterRole)
    if (role := roles.get(key[1])) is not None:
        await carry_out(context.api, plan(role, roles.list()), context.recorder)


def made_of_others(_: ClusterRole, context: Context) -> list[Key]:
    """The aggregated roles: a change of any role may be one for them."""
    return [("", role.metadata.name) for role in context.cache(ClusterRole).list() if role.aggregationRule is not None]


CONTROLLER = Controller(
    name="clusterrole-aggregation-controller",
    sources=[Source(ClusterRole, itself, related=made_of_others)],
    sync=sync,
)
