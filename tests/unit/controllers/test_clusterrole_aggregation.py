"""Roles made of other roles, case by case."""

import pytest

from knarr.controllers.clusterrole_aggregation import plan
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta
from knarr.kinds.types.rbac_v1 import AggregationRule, ClusterRole, PolicyRule

TO_VIEW = {"to-view": "true"}
PODS, JOBS, NODES = (PolicyRule(verbs=["get"], apiGroups=[""], resources=[name]) for name in ("pods", "jobs", "nodes"))


def a_role(name, *rules, labels=()):
    return ClusterRole(metadata=ObjectMeta(name=name, labels=dict(labels)), rules=list(rules))


def view(*rules, labels=()):
    chosen = AggregationRule(clusterRoleSelectors=[LabelSelector(matchLabels=TO_VIEW)])
    return ClusterRole(metadata=ObjectMeta(name="view", labels=dict(labels)), rules=list(rules), aggregationRule=chosen)


CASES = {
    "the chosen roles' rules are taken in the order of their names": (
        view(),
        [a_role("b", JOBS, labels=TO_VIEW), a_role("a", PODS, labels=TO_VIEW), a_role("c", NODES)],
        [PODS, JOBS],
    ),
    "a rule that two roles have is taken once": (
        view(),
        [a_role("a", PODS, labels=TO_VIEW), a_role("b", PODS, JOBS, labels=TO_VIEW)],
        [PODS, JOBS],
    ),
    "a role does not choose itself": (view(PODS, labels=TO_VIEW), [view(PODS, labels=TO_VIEW)], []),
    "rules that nobody gives any more go": (view(PODS, JOBS), [a_role("a", PODS, labels=TO_VIEW)], [PODS]),
    "rules that are right stay untouched": (view(PODS), [a_role("a", PODS, labels=TO_VIEW)], None),
    "a role of its own is left alone": (a_role("x", NODES), [a_role("a", PODS, labels=TO_VIEW)], None),
}


@pytest.mark.parametrize("role, others, rules", CASES.values(), ids=CASES)
def test_plan(role, others, rules):
    assert [step.patch for step in plan(role, others)] == ([] if rules is None else [{"rules": rules}])
