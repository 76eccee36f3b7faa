"""The roles and bindings that every cluster has, as objects: admin, edit and view to bind to, and the system's own.

`ensure` runs beside the server once it answers, creates what is missing all at once and leaves the rest as it is.
What these roles grant to everybody is also built into the server, so nobody waits for them.
"""

import asyncio
from collections.abc import Iterator, Sequence

from knarr.app import bootstrap_controller_roles as controllers
from knarr.app.bootstrap_role_table import AGGREGATED, BINDINGS, FEEDS, GROUP, PATHS, ROLES, Grant
from knarr.client.api import Api, metadata
from knarr.kinds.types import rbac_v1
from knarr.kinds.types.base import Type
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta
from knarr.meta.errors import AlreadyExists

AGGREGATE = f"{GROUP}/aggregate-to-"
LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
ANNOTATIONS = {"rbac.authorization.kubernetes.io/autoupdate": "true"}


async def ensure(api: Api) -> None:
    """Create each role and binding that is missing; the writes share one commit."""
    present = set()
    for type_ in (rbac_v1.ClusterRole, rbac_v1.ClusterRoleBinding, rbac_v1.Role):
        present |= {(type_, metadata(found).name) for found in (await api.list(type_)).items}
    missing = [object_ for object_ in objects() if (type(object_), object_.metadata.name) not in present]
    async with asyncio.TaskGroup() as tasks:
        for object_ in missing:
            tasks.create_task(_create(api, object_))


async def _create(api: Api, object_: Type) -> None:
    try:
        await api.create(object_)
    except AlreadyExists:
        return  # somebody else was quicker


def objects() -> Iterator[rbac_v1.ClusterRole | rbac_v1.ClusterRoleBinding | rbac_v1.Role]:
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
