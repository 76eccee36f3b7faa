"""Nobody grants what they do not hold."""

import base64
import json

import pytest

from knarr.client.transport import Request
from knarr.kinds.types.rbac_v1 import ClusterRole, ClusterRoleBinding
from knarr.meta.errors import Forbidden, NotFound, Unauthorized
from knarr.server.authentication import Authenticator
from knarr.server.authorization.escalation import shown, uncovered
from knarr.server.authorization.rules import Rule
from knarr.testing.cluster import Cluster

ALL = (Rule(("*",), ("*",), ("*",)), Rule(("*",), paths=("*",)))
PODS = Rule(("get", "list"), ("",), ("pods",))
CASES = {
    "what is held": ([PODS], [PODS], []),
    "everything": (ALL, [PODS, Rule(("get",), paths=("/x",))], []),
    "verbs of two rules": ([Rule(("get",), ("",), ("pods",)), Rule(("list",), ("",), ("pods",))], [PODS], []),
    "a verb more": (
        [PODS],
        [Rule(("get", "delete"), ("",), ("pods",))],
        ['{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}'],
    ),
    "all verbs": ([PODS], [Rule(("*",), ("",), ("pods",))], ['{APIGroups:[""], Resources:["pods"], Verbs:["*"]}']),
    "one name of all": ([PODS], [Rule(("get",), ("",), ("pods",), ("a",))], []),
    "all names of one": (
        [Rule(("get",), ("",), ("pods",), ("a",))],
        [Rule(("get",), ("",), ("pods",))],
        ['{APIGroups:[""], Resources:["pods"], Verbs:["get"]}'],
    ),
    "a subresource of every resource": (
        [Rule(("get",), ("",), ("*/log",))],
        [Rule(("get",), ("",), ("pods/log",))],
        [],
    ),
    "a path below": ([Rule(("get",), paths=("/a/*",))], [Rule(("get",), paths=("/a/b*",))], []),
    "a path above": (
        [Rule(("get",), paths=("/a/*",))],
        [Rule(("get",), paths=("/b",))],
        ['{NonResourceURLs:["/b"], Verbs:["get"]}'],
    ),
}


@pytest.mark.parametrize(("held", "granted", "missing"), CASES.values(), ids=CASES)
def test_what_is_not_held(held, granted, missing):
    assert [shown(rule) for rule in uncovered(held, granted)] == missing


def role(name, *rules):
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    }


def rule(verbs, resources, group="", **more):
    return {"apiGroups": [group], "resources": resources, "verbs": verbs, **more}


RBAC = "rbac.authorization.k8s.io"
AUTHOR = rule(["create", "update", "patch"], ["clusterroles", "clusterrolebindings"], RBAC)
SEES_PODS = rule(["get"], ["pods"])


def binding(name, to, user="bob"):
    api = f"{RBAC}/v1"
    subject = {"kind": "User", "apiGroup": RBAC, "name": user}
    reference = {"kind": "ClusterRole", "apiGroup": RBAC, "name": to}
    return {
        "apiVersion": api,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": reference,
        "subjects": [subject],
    }


@pytest.fixture
async def bob():
    """A client of a user who may write roles and bindings and read pods; `cluster` hangs on it."""
    import yaml

    async with Cluster([]) as cluster:
        for tree in (
            role("author", AUTHOR, SEES_PODS),
            role("power", rule(["*"], ["*"], "*")),
            binding("bob", "author"),
        ):
            await cluster.apply(yaml.safe_dump(tree))
        api = cluster.client("bob", "team")
        api.cluster = cluster
        yield api


async def post(api, plural, tree):
    path = f"/apis/{RBAC}/v1/{plural}"
    await api.raw("POST", path, body=json.dumps(tree).encode())


async def test_a_role_of_what_is_held_is_written(bob):
    await post(bob, "clusterroles", role("mine", SEES_PODS))


async def test_a_role_of_more_is_refused(bob):
    with pytest.raises(Forbidden) as refused:
        await post(bob, "clusterroles", role("mine", rule(["get", "delete"], ["pods", "secrets"])))
    assert str(refused.value) == (
        'clusterroles.rbac.authorization.k8s.io "mine" is forbidden: '
        'user "bob" (groups=["team" "system:authenticated"]) '
        "is attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}'
    )


async def test_a_binding_to_more_is_refused(bob):
    with pytest.raises(Forbidden, match='"bob"'):
        await post(bob, "clusterrolebindings", binding("b", "power"))
    with pytest.raises(NotFound, match='"nothing" not found'):
        await post(bob, "clusterrolebindings", binding("b", "nothing"))
    await post(bob, "clusterrolebindings", binding("b", "author", "carol"))


async def test_who_may_bind_or_escalate_need_not_hold(bob):
    import yaml

    more = rule(["bind"], ["clusterroles"], RBAC, resourceNames=["power"])
    even = rule(["escalate"], ["clusterroles"], RBAC, resourceNames=["mine"])
    for tree in (role("special", more, even), binding("special", "special")):
        await bob.cluster.apply(yaml.safe_dump(tree))
    await post(bob, "clusterrolebindings", binding("b", "power"))
    await post(bob, "clusterroles", role("mine", rule(["delete"], ["secrets"])))


async def test_a_role_of_more_may_be_labelled(bob):
    import yaml

    await bob.cluster.apply(yaml.safe_dump(role("big", rule(["delete"], ["secrets"]))))
    await bob.patch(ClusterRole, "big", "", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(Forbidden):
        await bob.patch(ClusterRole, "big", "", {"rules": [rule(["get", "delete"], ["secrets"])]})


async def test_masters_grant_what_they_like(bob):
    await post(bob.cluster.api, "clusterrolebindings", binding("root", "power"))
    assert (await bob.cluster.api.get(ClusterRoleBinding, "root")).roleRef.name == "power"


class Known:
    async def user(self, token):
        from knarr.client.transport import User

        return User("ann", groups=()) if token == "secret" else None


def socket(*protocols):
    headers = {"upgrade": "websocket", "sec-websocket-protocol": ", ".join(protocols)}
    return Request("GET", "/", [], headers)


def offered(token):
    return "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


async def test_a_websocket_may_offer_its_token_as_a_subprotocol():
    request = socket(offered("secret"), "v5.channel.k8s.io")
    assert (await Authenticator([Known()]).user(request)).name == "ann"
    assert request.headers["sec-websocket-protocol"] == "v5.channel.k8s.io"


REFUSED = {
    "no other subprotocol": socket(offered("secret")),
    "two tokens": socket(offered("secret"), offered("secret"), "v5.channel.k8s.io"),
    "a wrong token": socket(offered("other"), "v5.channel.k8s.io"),
    "no base64": socket("base64url.bearer.authorization.k8s.io.§", "v5.channel.k8s.io"),
}


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED)
async def test_a_websocket_without_a_good_token_is_refused(request_):
    with pytest.raises(Unauthorized):
        await Authenticator([Known()]).user(request_)


async def test_power_in_a_namespace_does_not_reach_what_is_in_none(bob):
    import yaml

    inside = binding("owner", "power") | {"kind": "RoleBinding"}
    inside["metadata"] = {"name": "owner", "namespace": "default"}
    await bob.cluster.apply(yaml.safe_dump(inside))
    rbac, core = f"/apis/{RBAC}/v1", "/api/v1"
    for path in (
        f"{rbac}/namespaces/default/clusterroles/power",
        f"{rbac}/namespaces/default/clusterroles",
        f"{rbac}/watch/namespaces/default/clusterroles",
        f"{core}/namespaces/default/nodes",
        f"{core}/namespaces/default/nodes/n/proxy/pods",
        f"{core}/namespaces/default/namespaces",
        "/apis/metrics.k8s.io/v1beta1/namespaces/default/nodes",
    ):
        with pytest.raises(NotFound, match="could not find the requested resource"):
            await bob.raw("GET", path)
    for path, tree in (
        (f"{rbac}/namespaces/default/clusterrolebindings", binding("b", "power")),
        ("/apis/authentication.k8s.io/v1/namespaces/default/tokenreviews", {}),
    ):
        with pytest.raises(NotFound, match="could not find the requested resource"):
            await bob.raw("POST", path, body=json.dumps(tree).encode())
    await bob.raw("GET", f"{core}/namespaces/default")


async def test_a_node_evicts_only_its_own_pods(bob):
    await bob.cluster.apply(AWAY)
    node = bob.cluster.client("system:node:n1", "system:nodes")
    with pytest.raises(Forbidden, match='node "n1" can only evict pods with'):
        await node.raw("POST", "/api/v1/namespaces/default/pods/far/eviction", body=b"{}")


AWAY = """
apiVersion: v1
kind: Pod
metadata: {name: far}
spec: {nodeName: n2, containers: [{name: c, image: i}]}
"""


async def test_an_apply_that_makes_an_object_takes_the_right_to_create_it(bob):
    import yaml

    patches = role("patches", rule(["patch"], ["configmaps"]))
    for tree in (patches, binding("patches", "patches")):
        await bob.cluster.apply(yaml.safe_dump(tree))
    path = "/api/v1/namespaces/default/configmaps/c"
    query, headers = [("fieldManager", "m")], {"content-type": "application/apply-patch+yaml"}
    body = b"{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}"
    with pytest.raises(Forbidden, match='User "bob" cannot create resource "configmaps"'):
        await bob.raw("PATCH", path, query=query, headers=headers, body=body)
    await bob.cluster.apply(body.decode())
    await bob.raw("PATCH", path, query=query, headers=headers, body=body)
