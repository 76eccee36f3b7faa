"""Who may do what, and how it is refused."""

import pytest

from knarr.client.transport import User
from knarr.kinds.types import meta_v1, rbac_v1
from knarr.server.authorization import Attributes, Chain, refusal
from knarr.server.authorization.components import BuiltIn
from knarr.server.authorization.masters import Masters
from knarr.server.authorization.node import NodeAgents
from knarr.server.authorization.rbac import Rbac

EVERYBODY = ("system:authenticated",)
NODE = User("system:node:n1", groups=("system:nodes", *EVERYBODY))
ROOT = User("root", groups=("system:masters", *EVERYBODY))
BOB = User("bob", groups=("devs", *EVERYBODY))
ROBOT = User("system:serviceaccount:a:robot", groups=("system:serviceaccounts", *EVERYBODY))
ROLES = "rbac.authorization.k8s.io"


def named(name, namespace=""):
    return meta_v1.ObjectMeta(name=name, namespace=namespace)


def role_ref(kind, name):
    return rbac_v1.RoleRef(apiGroup=ROLES, kind=kind, name=name)


OBJECTS = {
    rbac_v1.ClusterRole: [
        rbac_v1.ClusterRole(
            metadata=named("view"),
            rules=[rbac_v1.PolicyRule(verbs=["get", "list"], apiGroups=[""], resources=["pods", "pods/log"])],
        ),
        rbac_v1.ClusterRole(
            metadata=named("one"),
            rules=[
                rbac_v1.PolicyRule(verbs=["get"], apiGroups=[""], resources=["secrets"], resourceNames=["s"]),
                rbac_v1.PolicyRule(verbs=["get"], nonResourceURLs=["/metrics*"]),
            ],
        ),
    ],
    rbac_v1.ClusterRoleBinding: [
        rbac_v1.ClusterRoleBinding(
            metadata=named("devs"),
            roleRef=role_ref("ClusterRole", "view"),
            subjects=[rbac_v1.Subject(kind="Group", name="devs")],
        ),
        rbac_v1.ClusterRoleBinding(
            metadata=named("lost"),
            roleRef=role_ref("ClusterRole", "gone"),
            subjects=[rbac_v1.Subject(kind="User", name="lost")],
        ),
    ],
    rbac_v1.Role: [],
    rbac_v1.RoleBinding: [
        rbac_v1.RoleBinding(
            metadata=named("robot", "a"),
            roleRef=role_ref("ClusterRole", "one"),
            subjects=[rbac_v1.Subject(kind="ServiceAccount", name="robot")],
        )
    ],
}


class Stored:
    """Roles in memory."""

    async def list(self, type_, namespace=""):
        return [o for o in OBJECTS[type_] if not namespace or o.metadata.namespace == namespace]

    async def get(self, type_, namespace, name):
        return next((o for o in OBJECTS[type_] if o.metadata.name == name), None)


CHAIN = Chain((Masters(), BuiltIn(), NodeAgents(), Rbac(Stored())))


def to(user, verb, resource, namespace="", name="", group="", subresource=""):
    return Attributes(user, verb, group, "v1", namespace, resource, subresource, name)


CASES = {
    "masters may do everything": (to(ROOT, "delete", "nodes"), True),
    "nobody may do anything by default": (to(User("x", groups=EVERYBODY), "list", "pods", "a"), False),
    "everybody may ask for discovery": (Attributes(BOB, "get", path="/apis/apps/v1"), True),
    "everybody may ask what they may do": (
        to(BOB, "create", "selfsubjectaccessreviews", group="authorization.k8s.io"),
        True,
    ),
    "a group's cluster role counts everywhere": (to(BOB, "list", "pods", "b"), True),
    "a role names its subresources": (to(BOB, "get", "pods", "b", "x", subresource="log"), True),
    "a subresource that no role names is refused": (to(BOB, "create", "pods", "b", "x", subresource="exec"), False),
    "a binding counts in its namespace": (to(ROBOT, "get", "secrets", "a", "s"), True),
    "a binding does not count in another namespace": (to(ROBOT, "get", "secrets", "b", "s"), False),
    "a rule with names does not cover others": (to(ROBOT, "get", "secrets", "a", "t"), False),
    "a path needs a cluster role binding": (Attributes(ROBOT, "get", path="/metrics"), False),
    "a node writes its own status": (to(NODE, "patch", "nodes", "", "n1", subresource="status"), True),
    "a node does not write another's status": (to(NODE, "patch", "nodes", "", "n2", subresource="status"), False),
    "a node renews its own lease": (to(NODE, "update", "leases", "kube-node-lease", "n1", "coordination.k8s.io"), True),
    "a node does not renew another's lease": (
        to(NODE, "update", "leases", "kube-node-lease", "n2", "coordination.k8s.io"),
        False,
    ),
    "a node writes its own drivers": (to(NODE, "update", "csinodes", "", "n1", "storage.k8s.io"), True),
    "a node does not write another's drivers": (to(NODE, "update", "csinodes", "", "n2", "storage.k8s.io"), False),
    "a node reads a secret by name": (to(NODE, "get", "secrets", "a", "s"), True),
    "a node does not list secrets": (to(NODE, "list", "secrets", "a"), False),
    "a node does not delete deployments": (to(NODE, "delete", "deployments", "a", "d", "apps"), False),
}


@pytest.mark.parametrize(("asked", "wanted"), CASES.values(), ids=CASES)
async def test_allows(asked, wanted):
    assert (await CHAIN.allows(asked))[0] is wanted


async def test_a_role_that_is_gone_is_named():
    lost = User("lost", groups=EVERYBODY)
    allowed, reason = await CHAIN.allows(to(lost, "get", "pods", "a", "x"))
    assert not allowed
    assert reason == 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found'


WORDS = {
    "a list": (
        to(BOB, "list", "secrets", "a"),
        'secrets is forbidden: User "bob" cannot list resource "secrets" in API group "" in the namespace "a"',
    ),
    "one object": (
        to(BOB, "get", "deployments", "a", "d", "apps"),
        'deployments.apps "d" is forbidden: User "bob" cannot get resource "deployments" in API group "apps" '
        'in the namespace "a"',
    ),
    "a subresource": (
        to(BOB, "create", "pods", "a", "p", subresource="exec"),
        'pods "p" is forbidden: User "bob" cannot create resource "pods/exec" in API group "" in the namespace "a"',
    ),
    "the cluster": (
        to(BOB, "list", "nodes"),
        'nodes is forbidden: User "bob" cannot list resource "nodes" in API group "" at the cluster scope',
    ),
    "a path": (Attributes(BOB, "get", path="/metrics"), 'forbidden: User "bob" cannot get path "/metrics"'),
}


@pytest.mark.parametrize(("asked", "words"), WORDS.values(), ids=WORDS)
def test_refusal(asked, words):
    assert refusal(asked, "").message == words
