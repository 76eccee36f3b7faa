"""Who may do what, and how it is refused."""

import msgspec
import pytest
from msgspec.structs import replace

from knarr.client.codec import encode
from knarr.client.transport import User
from knarr.kinds.pod_references import references
from knarr.kinds.types import core_v1, meta_v1, rbac_v1
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


def a_pod(name, node, **spec):
    tree = {"metadata": {"name": name, "namespace": "a", "uid": name}, "spec": {"nodeName": node} | spec}
    return msgspec.convert(tree, core_v1.Pod)


def a_volume(name, claim="", node="", **spec):
    if claim:
        spec["claimRef"] = {"namespace": "a", "name": claim}
    if node:
        term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    return msgspec.convert({"metadata": {"name": name}, "spec": spec}, core_v1.PersistentVolume)


def made_for(node, volume):
    """As a provisioner leaves it, which knows the node's name."""
    meta = {"labels": {"kubernetes.io/hostname": node}, "annotations": {"pv.kubernetes.io/provisioned-by": "x"}}
    return replace(volume, metadata=replace(volume.metadata, **meta))


SOURCES = {"secrets": {"secretRef": {"name": "from-env"}}, "configmaps": {"configMapRef": {"name": "c"}}}
MAIN = {"name": "main", "envFrom": [*SOURCES.values()]}
VOLUMES = [
    {"name": "v", "secret": {"secretName": "s"}},
    {"name": "w", "persistentVolumeClaim": {"claimName": "claim"}},
    {"name": "x", "projected": {"sources": [{"configMap": {"name": "projected"}}]}},
    {"name": "own", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
]
CLUSTER = [
    a_pod("mine", "n1", serviceAccountName="robot", containers=[MAIN], volumes=VOLUMES),
    a_pod("other", "n2", serviceAccountName="n1", volumes=[{"name": "v", "secret": {"secretName": "other"}}]),
    a_volume("mounted", "claim", csi={"nodeStageSecretRef": {"name": "staged", "namespace": "vault"}}),
    a_volume("lying", node="n1"),
    a_volume("foreign", "elsewhere", node="n2"),
    made_for("n1", a_volume("of-another-name", node="host-1")),
    made_for("n2", a_volume("of-anothers-name", node="n3")),
]


class Objects:
    """Pods and volumes in memory."""

    async def get(self, type_, namespace, name):
        found = (o for o in CLUSTER if isinstance(o, type_) and o.metadata.namespace == namespace)
        return next((o for o in found if o.metadata.name == name), None)

    def mentioning(self, type_, namespace, *words):
        found = (o for o in CLUSTER if isinstance(o, type_) and o.metadata.namespace == namespace)
        return [o for o in found if all(f'"{word}"'.encode() in encode(o) for word in words)]


CHAIN = Chain((Masters(), BuiltIn(), NodeAgents(Objects()), Rbac(Stored())))


def to(user, verb, resource, namespace="", name="", group="", subresource="", **selectors):
    return Attributes(user, verb, group, "v1", namespace, resource, subresource, name, **selectors)


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
    "a node writes status; admission sees whose": (to(NODE, "patch", "nodes", "", "n1", subresource="status"), True),
    "a node renews its own lease": (to(NODE, "update", "leases", "kube-node-lease", "n1", "coordination.k8s.io"), True),
    "a node does not renew another's lease": (
        to(NODE, "update", "leases", "kube-node-lease", "n2", "coordination.k8s.io"),
        False,
    ),
    "a node writes its own drivers": (to(NODE, "update", "csinodes", "", "n1", "storage.k8s.io"), True),
    "a node does not write another's drivers": (to(NODE, "update", "csinodes", "", "n2", "storage.k8s.io"), False),
    "a node does not delete deployments": (to(NODE, "delete", "deployments", "a", "d", "apps"), False),
}


UNRELATED = "no relationship found between node 'n1' and this object"
READ_ONE = "can only get individual resources of this type"
LISTING = "can only list/watch pods with spec.nodeName field selector"
#: what a node asks, and why it may not; None: it may
OF_NODE = {
    "a secret that its pod mounts": (to(NODE, "get", "secrets", "a", "s"), None),
    "a secret of its pod's environment, as a watch of one": (to(NODE, "watch", "secrets", "a", "from-env"), None),
    "a secret of another node's pod": (to(NODE, "get", "secrets", "a", "other"), UNRELATED),
    "a secret of that name in another namespace": (to(NODE, "get", "secrets", "b", "s"), UNRELATED),
    "a secret for a volume of its pod": (to(NODE, "get", "secrets", "vault", "staged"), None),
    "all secrets": (to(NODE, "list", "secrets", "a"), "No Object name found"),
    "to write a secret": (to(NODE, "update", "secrets", "a", "s"), "can only read resources of this type"),
    "a configmap of its pod": (to(NODE, "get", "configmaps", "a", "projected"), None),
    "another configmap": (to(NODE, "get", "configmaps", "a", "s"), UNRELATED),
    "its pod's claim": (to(NODE, "get", "persistentvolumeclaims", "a", "claim"), None),
    "its pod's own claim": (to(NODE, "get", "persistentvolumeclaims", "a", "mine-own"), None),
    "another pod's own claim": (to(NODE, "get", "persistentvolumeclaims", "a", "other-own"), UNRELATED),
    "claims": (to(NODE, "list", "persistentvolumeclaims", "a"), READ_ONE),
    "another claim": (to(NODE, "get", "persistentvolumeclaims", "a", "elsewhere"), UNRELATED),
    "the volume of its pod's claim": (to(NODE, "get", "persistentvolumes", name="mounted"), None),
    "to patch that volume": (to(NODE, "patch", "persistentvolumes", name="mounted"), UNRELATED),
    "to patch a volume that lies on it": (to(NODE, "patch", "persistentvolumes", name="lying"), None),
    "to patch a volume made on it under another host name": (
        to(NODE, "patch", "persistentvolumes", name="of-another-name"),
        None,
    ),
    "a volume made on another": (to(NODE, "get", "persistentvolumes", name="of-anothers-name"), UNRELATED),
    "another volume": (to(NODE, "get", "persistentvolumes", name="foreign"), UNRELATED),
    "volumes": (to(NODE, "list", "persistentvolumes"), READ_ONE),
    "the volumes that lie on it": (to(NODE, "watch", "persistentvolumes", labels="kubernetes.io/hostname=n1"), None),
    "those that lie on another": (to(NODE, "watch", "persistentvolumes", labels="kubernetes.io/hostname=n2"), READ_ONE),
    "those that lie on it or another": (
        to(NODE, "watch", "persistentvolumes", labels="kubernetes.io/hostname in (n1,n2)"),
        READ_ONE,
    ),
    "a token for its pod's account": (to(NODE, "create", "serviceaccounts", "a", "robot", subresource="token"), None),
    "a token for another account": (to(NODE, "create", "serviceaccounts", "a", "n1", subresource="token"), UNRELATED),
    "its pod": (to(NODE, "get", "pods", "a", "mine"), None),
    "another's pod": (to(NODE, "get", "pods", "a", "other"), UNRELATED),
    "its pods": (to(NODE, "watch", "pods", fields="spec.nodeName=n1"), None),
    "another's pods": (to(NODE, "list", "pods", fields="spec.nodeName=n2"), LISTING),
    "all pods but its own": (to(NODE, "list", "pods", fields="spec.nodeName!=n1"), LISTING),
    "all pods": (to(NODE, "list", "pods"), LISTING),
    "its node": (to(NODE, "get", "nodes", name="n1"), None),
    "all nodes": (to(NODE, "list", "nodes"), "node 'n1' cannot read all nodes, only its own Node object"),
    "another node": (to(NODE, "get", "nodes", name="n2"), "node 'n1' cannot read 'n2', only its own Node object"),
    "to exec into its pod": (to(NODE, "create", "pods", "a", "mine", subresource="exec"), ""),
    "services": (to(NODE, "list", "services"), None),
}


@pytest.mark.parametrize(("asked", "reason"), OF_NODE.values(), ids=OF_NODE)
async def test_a_node_asks_for(asked, reason):
    assert await NodeAgents(Objects()).allows(asked) == (reason is None, reason or "")


async def test_a_secret_is_refused_again_once_the_pod_has_gone(monkeypatch):
    agents, asked = NodeAgents(Objects()), to(NODE, "get", "secrets", "a", "s")
    assert (await agents.allows(asked))[0]
    assert (await agents.allows(asked))[0]
    monkeypatch.setitem(globals(), "CLUSTER", [])
    assert not (await agents.allows(asked))[0]


def test_a_mirror_pod_gives_its_node_nothing():
    pod = a_pod("mirror", "n1", volumes=VOLUMES)
    assert list(references(pod))
    annotations = {"kubernetes.io/config.mirror": "x"}
    assert not list(references(replace(pod, metadata=replace(pod.metadata, annotations=annotations))))


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
