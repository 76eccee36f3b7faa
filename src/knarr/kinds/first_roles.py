"""The roles and bindings that every cluster has, as objects: admin, edit and view to bind to, and the system's own."""

from collections.abc import Iterator, Sequence

from knarr.kinds import first_controller_roles as controllers
from knarr.kinds.first_role_table import AGGREGATED, BINDINGS, FEEDS, GROUP, PATHS, ROLES, Grant
from knarr.kinds.types import rbac_v1
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta

AGGREGATE = f"{GROUP}/aggregate-to-"
LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
ANNOTATIONS = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
RoleObject = rbac_v1.ClusterRole | rbac_v1.ClusterRoleBinding | rbac_v1.Role


def objects() -> Iterator[RoleObject]:
    for name in AGGREGATED:
        yield aggregated_role(name)
    for name, grants in (ROLES | controllers.ROLES).items():
        yield cluster_role(name, grants)
    for name, subjects in (BINDINGS | controllers.BINDINGS).items():
        yield binding(name, subjects)
    yield authentication_reader()


def aggregated_role(name: str) -> rbac_v1.ClusterRole:
    selector = LabelSelector(matchLabels={AGGREGATE + name: "true"})
    aggregation = rbac_v1.AggregationRule(clusterRoleSelectors=[selector])
    return rbac_v1.ClusterRole(metadata=_about(name), aggregationRule=aggregation)


def cluster_role(name: str, grants: Sequence[Grant]) -> rbac_v1.ClusterRole:
    rules = [rule(grant) for grant in grants]
    if name in PATHS:
        verbs, paths = PATHS[name]
        rules.append(rbac_v1.PolicyRule(verbs=verbs.split(), nonResourceURLs=paths.split()))
    return rbac_v1.ClusterRole(metadata=_about(name), rules=rules)


def _about(name: str) -> ObjectMeta:
    labels = LABELS | ({AGGREGATE + FEEDS[name]: "true"} if name in FEEDS else {})
    return ObjectMeta(name=name, labels=labels, annotations=ANNOTATIONS)


def rule(grant: Grant) -> rbac_v1.PolicyRule:
    verbs, groups, resources, *names = grant
    return rbac_v1.PolicyRule(
        verbs=verbs.split(),
        apiGroups=["" if group == "core" else group for group in groups.split()],
        resources=resources.split(),
        resourceNames=[name for some in names for name in some.split()],
    )


def binding(name: str, subjects: Sequence[tuple[str, str]]) -> rbac_v1.ClusterRoleBinding:
    return rbac_v1.ClusterRoleBinding(
        metadata=ObjectMeta(name=name, labels=LABELS, annotations=ANNOTATIONS),
        roleRef=rbac_v1.RoleRef(apiGroup=GROUP, kind="ClusterRole", name=name),
        subjects=[subject(*each) for each in subjects],
    )


def subject(kind: str, name: str) -> rbac_v1.Subject:
    if kind == "ServiceAccount":
        return rbac_v1.Subject(kind=kind, namespace="kube-system", name=name)
    return rbac_v1.Subject(kind=kind, apiGroup=GROUP, name=name)


def authentication_reader() -> rbac_v1.Role:
    """What servers of further APIs bind to, to learn whom they may trust."""
    name = "extension-apiserver-authentication"
    about = ObjectMeta(name=f"{name}-reader", namespace="kube-system", labels=LABELS, annotations=ANNOTATIONS)
    return rbac_v1.Role(metadata=about, rules=[rule(("get list watch", "core", "configmaps", name))])
