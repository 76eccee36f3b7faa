"""What admission adds and refuses."""

from copy import deepcopy

import pytest

from knarr.client.transport import User
from knarr.kinds.table import BUILTIN
from knarr.kinds.types import core_v1, meta_v1, node_v1, scheduling_v1, storage_v1
from knarr.meta.errors import ApiError
from knarr.server.admission import Admission, admit
from knarr.server.admission.chain import BY, default_plugins
from knarr.server.admission.node_restriction import NodeRestriction
from knarr.server.authorization.masters import Masters


async def no_charge(quota, used):
    raise AssertionError("nothing is charged here")


PLUGINS = default_plugins(no_charge, lambda kind: [kind], Masters())
ROOT = User("root", groups=("system:masters",))
NODE = User("system:node:n1", groups=("system:nodes",))


def meta(name, **more):
    return meta_v1.ObjectMeta(name=name, **more)


class World:
    """A cluster's objects, by type."""

    def __init__(self, *objects):
        defaults = (
            core_v1.Namespace(metadata=meta("a")),
            core_v1.ServiceAccount(metadata=meta("default", namespace="a")),
        )
        self.objects = [*defaults, *objects]

    async def get(self, type_, namespace, name):
        return next(
            (
                o
                for o in self.objects
                if type(o) is type_ and (o.metadata.namespace, o.metadata.name) == (namespace, name)
            ),
            None,
        )

    async def appears(self, type_, namespace, name, seconds):
        return await self.get(type_, namespace, name)

    async def list(self, type_, namespace=""):
        return [o for o in self.objects if type(o) is type_]


def kind(plural, group=""):
    return BUILTIN.by_resource(group, "v1", plural)


async def admitted(tree, plural="pods", *objects, verb="create", user=ROOT, group="", namespace="a"):
    admission = Admission(verb, kind(plural, group), namespace, tree["metadata"].get("name", ""), user, "", tree)
    await admit(PLUGINS.mutating, admission, World(*objects))
    return tree


def pod(**spec):
    return {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c"}], **spec}}


async def test_a_pod_gets_an_account_a_token_tolerations_and_a_priority():
    spec = (await admitted(pod()))["spec"]
    volume = spec["volumes"][0]["name"]
    assert volume.startswith("kube-api-access-")
    assert spec["containers"][0]["volumeMounts"] == [
        {"name": volume, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    ]
    assert [t["key"] for t in spec["tolerations"]] == ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")


LIMITS = core_v1.LimitRangeItem(
    type="Container", default={"cpu": "1", "memory": "1Gi"}, defaultRequest={"cpu": "1", "memory": "1Mi"}
)
A_RANGE = core_v1.LimitRange(metadata=meta("l", namespace="a"), spec=core_v1.LimitRangeSpec(limits=[LIMITS]))
A_CLASS = node_v1.RuntimeClass(
    metadata=meta("r"),
    handler="h",
    overhead=node_v1.Overhead(podFixed={"cpu": "1m"}),
    scheduling=node_v1.Scheduling(nodeSelector={"a": "b"}, tolerations=[core_v1.Toleration(key="k")]),
)
A_STORAGE_CLASS = storage_v1.StorageClass(
    metadata=meta("s", annotations={"storageclass.kubernetes.io/is-default-class": "true"}), provisioner="p"
)
ADDED = {
    "a token, tolerations and a priority": ("pods", "", pod()["spec"], ()),
    "what a limit range asks for": ("pods", "", pod()["spec"], (A_RANGE,)),
    "what a runtime class asks for": ("pods", "", pod(runtimeClassName="r")["spec"], (A_CLASS,)),
    "a storage class and a finalizer": ("persistentvolumeclaims", "", {}, (A_STORAGE_CLASS,)),
    "a volume's finalizer": ("persistentvolumes", "", {"hostPath": {"path": "/x"}}, ()),
    "a node's taint": ("nodes", "", {}, ()),
    "who asks for a certificate": ("certificatesigningrequests", "certificates.k8s.io", {}, ()),
}


@pytest.mark.parametrize(("plural", "group", "spec", "objects"), ADDED.values(), ids=ADDED)
async def test_what_is_added_leaves_no_default_out(plural, group, spec, objects):
    tree = {"metadata": {"name": "x"}, "spec": deepcopy(spec)}
    kind(plural, group).defaults(tree)
    before = deepcopy(tree)
    await admitted(tree, plural, *objects, group=group)
    assert tree != before
    again = deepcopy(tree)
    kind(plural, group).defaults(again)
    assert again == tree


async def test_a_pod_that_declines_gets_no_token():
    assert "volumes" not in (await admitted(pod(automountServiceAccountToken=False)))["spec"]


async def test_a_pod_that_tolerates_everything_gets_no_more_tolerations():
    spec = (await admitted(pod(tolerations=[{"operator": "Exists"}])))["spec"]
    assert spec["tolerations"] == [{"operator": "Exists"}]


async def test_the_default_priority_class_is_taken():
    classes = scheduling_v1.PriorityClass(metadata=meta("std"), value=7, globalDefault=True, preemptionPolicy="Never")
    spec = (await admitted(pod(), "pods", classes))["spec"]
    assert (spec["priority"], spec["priorityClassName"], spec["preemptionPolicy"]) == (7, "std", "Never")


async def test_a_claim_gets_the_newest_default_class_and_its_finalizer():
    def storage(name, created):
        marked = {"storageclass.kubernetes.io/is-default-class": "true"}
        return storage_v1.StorageClass(
            metadata=meta(name, annotations=marked, creationTimestamp=created), provisioner="p"
        )

    older, newer = storage("older", "2026-01-01T00:00:00Z"), storage("newer", "2026-01-02T00:00:00Z")
    claim = await admitted({"metadata": {"name": "c"}, "spec": {}}, "persistentvolumeclaims", newer, older)
    assert claim["spec"]["storageClassName"] == "newer"
    assert claim["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


async def test_a_certificate_request_says_who_made_it_whatever_it_claims():
    tree = {"metadata": {"name": "c"}, "spec": {"username": "root", "extra": {"a": ["b"]}}}
    made = await admitted(tree, "certificatesigningrequests", user=NODE, group="certificates.k8s.io", namespace="")
    assert made["spec"] == {"username": NODE.name, "groups": list(NODE.groups)}


async def test_a_claim_that_wants_no_class_gets_none():
    claim = await admitted({"metadata": {"name": "c"}, "spec": {"storageClassName": ""}}, "persistentvolumeclaims")
    assert claim["spec"]["storageClassName"] == ""


TERMINATING = core_v1.Namespace(metadata=meta("b", deletionTimestamp="2026-01-01T00:00:00Z"))
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
OWN = {"key": "mine", "effect": "NoExecute"}
BIRTHS = {
    "a node is born not ready": ({}, [NOT_READY]),
    "taints it brings along come first": ({"spec": {"taints": [OWN]}}, [OWN, NOT_READY]),
    "the taint is added once": ({"spec": {"taints": [NOT_READY]}}, [NOT_READY]),
    "a node that says it is not ready is not": (
        {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
        [NOT_READY],
    ),
    "a node that is created ready has no taint": (
        {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        None,
    ),
}


@pytest.mark.parametrize(("node", "taints"), BIRTHS.values(), ids=BIRTHS)
async def test_new_nodes(node, taints):
    tree = {"metadata": {"name": "n"}, **node}
    assert (await admitted(tree, "nodes", namespace="")).get("spec", {}).get("taints") == taints


PLAIN = {"metadata": {"name": "x"}}
REFUSED = {
    "a missing namespace": (
        lambda: admitted(pod(), namespace="none"),
        (404, 'namespaces "none" not found'),
    ),
    "a namespace that is ending": (
        lambda: admitted(dict(PLAIN), "configmaps", TERMINATING, namespace="b"),
        (
            403,
            'configmaps "x" is forbidden: unable to create new content in namespace b because it is being terminated',
        ),
    ),
    "the default namespace's end": (
        lambda: admitted({"metadata": {"name": "default"}}, "namespaces", verb="delete", namespace="default"),
        (403, 'namespaces "default" is forbidden: this namespace may not be deleted'),
    ),
    "an account that is not there": (
        lambda: admitted(pod(serviceAccountName="who")),
        (403, 'pods "x" is forbidden: error looking up service account a/who: serviceaccount "who" not found'),
    ),
    "a priority class that is not there": (
        lambda: admitted(pod(priorityClassName="nope")),
        (403, 'pods "x" is forbidden: no PriorityClass with name nope was found'),
    ),
    "a priority of one's own": (
        lambda: admitted(pod(priority=9)),
        (
            403,
            'pods "x" is forbidden: the integer value of priority (9) must not be provided in pod spec; '
            "priority admission controller computed 0 from the given PriorityClass name",
        ),
    ),
    "the end of a class of the system's own": (
        lambda: admitted(
            {"metadata": {"name": "system-node-critical"}},
            "priorityclasses",
            verb="delete",
            group="scheduling.k8s.io",
            namespace="",
        ),
        (
            403,
            'priorityclasses.scheduling.k8s.io "system-node-critical" is forbidden: '
            "this is a system priority class and cannot be deleted",
        ),
    ),
    "a node that writes another": (
        lambda: admitted({"metadata": {"name": "n2"}}, "nodes", user=NODE, namespace=""),
        (403, 'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"'),
    ),
}


@pytest.mark.parametrize(("act", "wanted"), REFUSED.values(), ids=REFUSED)
async def test_refusals(act, wanted):
    with pytest.raises(ApiError) as raised:
        await act()
    assert (raised.value.code, raised.value.message) == wanted


@pytest.mark.parametrize(
    "tree",
    [
        {"metadata": {"name": "x"}, "spec": {"containers": "c"}},
        {"metadata": {"name": "x"}, "spec": {"containers": [1], "volumes": {}, "tolerations": 3}},
        {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "volumeMounts": "m"}]}},
    ],
    ids=["containers that are no list", "lists that are none", "mounts that are no list"],
)
async def test_malformed_pods_pass_unharmed_for_the_schema_to_refuse(tree):
    assert (await admitted(tree))["metadata"] == {"name": "x"}


TOKENS = {
    "for no pod": (None, "node requested token not bound to a pod"),
    "for any pod of a name": ({"name": "near"}, "node requested token with a pod binding without a uid"),
    "for another node's pod": (
        {"name": "far", "uid": "u"},
        "node requested token bound to a pod scheduled on a different node",
    ),
    "for its own pod": ({"name": "near", "uid": "u"}, ""),
}


@pytest.mark.parametrize(("bound", "message"), TOKENS.values(), ids=TOKENS)
async def test_a_node_gets_tokens_only_for_its_own_pods(bound, message):
    world = World(
        core_v1.Pod(metadata=meta("near", namespace="a"), spec=core_v1.PodSpec(nodeName="n1")),
        core_v1.Pod(metadata=meta("far", namespace="a"), spec=core_v1.PodSpec(nodeName="n2")),
    )
    spec = {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", **bound}} if bound else {}
    asked = Admission("create", kind("serviceaccounts"), "a", "default", NODE, "token", {"spec": spec})
    refused = ""
    try:
        await NodeRestriction().admit(asked, world)
    except ApiError as error:
        refused = str(error)
    assert refused == (f'serviceaccounts "default" is forbidden: {message}' if message else "")


VOLUME = {"metadata": {"name": "v", "finalizers": ["a", "b"], "resourceVersion": "1"}, "spec": {"x": 1}}
#: resource, name, the new object, and whether a node may write that
NODES_WRITES = {
    "its lease": ("leases", "n1", {}, True),
    "another's lease": ("leases", "n2", {}, False),
    "its drivers": ("csinodes", "n1", {}, True),
    "another's drivers": ("csinodes", "n2", {}, False),
    "another node": ("nodes", "n2", {}, False),
    "a volume without one of its finalizers": (
        "persistentvolumes",
        "v",
        VOLUME | {"metadata": {"name": "v", "finalizers": ["b"], "resourceVersion": "1"}},
        True,
    ),
    "a volume with another finalizer": (
        "persistentvolumes",
        "v",
        VOLUME | {"metadata": {"name": "v", "finalizers": ["a", "b", "c"]}},
        False,
    ),
    "a volume with another spec": ("persistentvolumes", "v", VOLUME | {"spec": {"x": 2}}, False),
    "a volume with labels": ("persistentvolumes", "v", VOLUME | {"metadata": {"name": "v", "labels": {}}}, False),
}


@pytest.mark.parametrize(("resource", "name", "tree", "allowed"), NODES_WRITES.values(), ids=NODES_WRITES)
async def test_a_node_writes(resource, name, tree, allowed):
    old = VOLUME if resource == "persistentvolumes" else None
    found = next(each for each in BUILTIN.all() if each.plural == resource)
    asked = Admission("update", found, "", name, NODE, tree=tree, old=old)
    refused = False
    try:
        for plugin in PLUGINS.mutate(found.kind, "", frozenset(BY.values())):
            if isinstance(plugin, NodeRestriction):
                await plugin.admit(asked, World())
    except ApiError:
        refused = True
    assert refused is not allowed


OWNER = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u1", "controller": True}
ITS_NODE = core_v1.Node(metadata=meta("n1", uid="u1"))


def a_mirror(owner=OWNER, **spec):
    owners = [owner] if owner else []
    metadata = {"name": "x", "annotations": {"kubernetes.io/config.mirror": "x"}, "ownerReferences": owners}
    container = {"name": "c", "image": "i"}
    return {"metadata": metadata, "spec": {"nodeName": "n1", "containers": [container], **spec}}


ITSELF = "can only create pods with an owner reference set to itself"
NAMES_NONE = "can not create pods that reference"
MIRRORS = {
    "its own": (a_mirror(), ""),
    "nobody's": (a_mirror(None), f'node "n1" {ITSELF}'),
    "another node's": (a_mirror(OWNER | {"name": "n2"}), f'node "n1" {ITSELF}'),
    "an earlier node's of its name": (a_mirror(OWNER | {"uid": "u0"}), f'node "n1" {ITSELF}'),
    "one that holds the node up": (a_mirror(OWNER | {"blockOwnerDeletion": True}), f'node "n1" {ITSELF}'),
    "with an account": (a_mirror(serviceAccountName="admin"), f'node "n1" {NAMES_NONE} a service account'),
    "with a Secret": (
        a_mirror(volumes=[{"name": "v", "secret": {"secretName": "s"}}]),
        f'node "n1" {NAMES_NONE} secrets',
    ),
    "with a claim": (
        a_mirror(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "s"}}]),
        f'node "n1" {NAMES_NONE} persistentvolumeclaims',
    ),
}


async def refusal_of(asked, *objects):
    """Why a node may not write that; "" when it may."""
    try:
        await NodeRestriction().admit(asked, World(*objects))
    except ApiError as error:
        return str(error).partition(" is forbidden: ")[2]
    return ""


@pytest.mark.parametrize(("tree", "message"), MIRRORS.values(), ids=MIRRORS)
async def test_a_node_creates_mirror_pods_that_give_it_nothing(tree, message):
    assert await refusal_of(Admission("create", kind("pods"), "a", "x", NODE, tree=tree), ITS_NODE) == message


A_NODE = {
    "metadata": {"name": "n1", "labels": {"team": "a"}},
    "spec": {"taints": [{"key": "own", "effect": "NoExecute"}]},
}
ZONE, ROLE = {"topology.kubernetes.io/zone": "b"}, {"node-role.kubernetes.io/control-plane": ""}
KEPT = {"a.node-restriction.kubernetes.io/pci": "yes"}


def with_labels(labels):
    return A_NODE | {"metadata": {"name": "n1", "labels": {"team": "a"} | labels}}


FORBIDDEN = 'node "n1" is not allowed to set the following labels: '
CHANGED = "is not allowed to modify labels: "
NODES = {
    "labels of its own": ("create", "", with_labels(ZONE), ""),
    "a role at its beginning": ("create", "", with_labels(ROLE), FORBIDDEN + "node-role.kubernetes.io/control-plane"),
    "a role": ("update", "", with_labels(ROLE), CHANGED + "node-role.kubernetes.io/control-plane"),
    "a role with its status": (
        "update",
        "status",
        with_labels(ROLE),
        CHANGED + "node-role.kubernetes.io/control-plane",
    ),
    "a label that is kept from nodes": (
        "update",
        "",
        with_labels(KEPT),
        CHANGED + "a.node-restriction.kubernetes.io/pci",
    ),
    "another zone": ("update", "", with_labels(ZONE), ""),
    "without its taint": ("update", "", A_NODE | {"spec": {}}, 'node "n1" is not allowed to modify taints'),
    "a status alone": ("update", "status", {"metadata": A_NODE["metadata"], "status": {}}, ""),
}


@pytest.mark.parametrize(("verb", "subresource", "tree", "message"), NODES.values(), ids=NODES)
async def test_a_node_steers_no_pods_to_itself(verb, subresource, tree, message):
    old = A_NODE if verb == "update" else None
    asked = Admission(verb, kind("nodes"), "", "n1", NODE, subresource, tree, old)
    assert await refusal_of(asked) == message


A_POD = {
    "metadata": {"name": "near", "labels": {"app": "a"}},
    "spec": {"nodeName": "n1"},
    "status": {"phase": "Pending"},
}
STATUSES = {
    "a phase": (A_POD | {"status": {"phase": "Running"}}, ""),
    "a label": (
        A_POD | {"metadata": {"name": "near", "labels": {"app": "b"}}},
        'node "n1" cannot update labels through pod status',
    ),
    "a claim": (
        A_POD | {"status": {"resourceClaimStatuses": [{"name": "x", "resourceClaimName": "y"}]}},
        'node "n1" cannot update resource claim statuses',
    ),
}


@pytest.mark.parametrize(("tree", "message"), STATUSES.values(), ids=STATUSES)
async def test_a_node_says_with_a_pods_status(tree, message):
    near = core_v1.Pod(metadata=meta("near", namespace="a"), spec=core_v1.PodSpec(nodeName="n1"))
    asked = Admission("update", kind("pods"), "a", "near", NODE, "status", tree, A_POD)
    assert await refusal_of(asked, near) == message


A_CLAIM = {"metadata": {"name": "c"}, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
ELSE = 'node "n1" is not allowed to update fields other than status.capacity and status.conditions'
CLAIMS = {
    "that it has grown": (A_CLAIM | {"status": {"phase": "Bound", "capacity": {"storage": "2Gi"}}}, ""),
    "another phase": (A_CLAIM | {"status": {"phase": "Lost"}}, ELSE),
    "a label": (A_CLAIM | {"metadata": {"name": "c", "labels": {"a": "b"}}}, ELSE),
}


@pytest.mark.parametrize(("tree", "message"), CLAIMS.values(), ids=CLAIMS)
async def test_a_node_says_of_a_claim(tree, message):
    asked = Admission("update", kind("persistentvolumeclaims"), "a", "c", NODE, "status", tree, A_CLAIM)
    assert await refusal_of(asked) == message


ON_THE_WAY = {
    "a new event changes nowhere": ("Event", "", frozenset(), ["NamespaceLifecycle", "NodeRestriction"]),
    "a pod's status neither": ("Pod", "status", frozenset(), ["NamespaceLifecycle", "NodeRestriction"]),
    "but where webhooks and policies are configured": (
        "Pod",
        "status",
        frozenset(BY.values()),
        ["NamespaceLifecycle", "NodeRestriction", "MutatingPolicies", "MutatingWebhooks"],
    ),
}


@pytest.mark.parametrize(("kind_", "part", "there", "met"), ON_THE_WAY.values(), ids=ON_THE_WAY)
def test_a_write_meets_the_plugins_that_look_at_it(kind_, part, there, met):
    assert [type(plugin).__name__ for plugin in PLUGINS.mutate(kind_, part, there)] == met
