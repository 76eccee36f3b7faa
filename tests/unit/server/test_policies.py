"""Admission policies in CEL: which requests they are about, what they refuse, warn of and change."""

import asyncio
import json
from pathlib import Path

import pytest

from knarr.client.transport import Request, User
from knarr.kinds.types.core_v1 import Pod
from knarr.meta.errors import ApiError
from knarr.testing.cluster import Cluster

JSON = {"content-type": "application/json"}
API = "admissionregistration.k8s.io/v1"
CONFIGMAPS = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE", "UPDATE"]}
LIMITS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: limits.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: limits, singular: limit, kind: Limit, listKind: LimitList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


@pytest.fixture
async def cluster():
    async with Cluster([]) as one:
        yield one


def policy(name="p", kind="ValidatingAdmissionPolicy", rules=(CONFIGMAPS,), match=None, **spec):
    spec = {"matchConstraints": {"resourceRules": list(rules), **(match or {})}, **spec}
    return json.dumps({"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec})


def binding(name="b", of="p", kind="ValidatingAdmissionPolicyBinding", actions=("Deny",), **spec):
    spec = {"policyName": of, **spec} | ({"validationActions": list(actions)} if kind.startswith("V") else {})
    return json.dumps({"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec})


def mutating(name="p", patch="ApplyConfiguration", expression="", again="Never", **spec):
    part = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}[patch]
    mutations = [{"patchType": patch, part: {"expression": expression}}]
    return policy(name, "MutatingAdmissionPolicy", mutations=mutations, reinvocationPolicy=again, **spec)


def bound(name="b", of="p", **spec):
    return binding(name, of, "MutatingAdmissionPolicyBinding", **spec)


def config_map(name="c", data=None, labels=None):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", "labels": labels or {}},
        "data": data or {},
    }


async def send(cluster, tree, user=None):
    path = f"/api/v1/namespaces/default/{tree['kind'].lower()}s"
    body = json.dumps(tree).encode()
    request = Request("POST", path, headers=dict(JSON), body=body, user=user or User())
    return await cluster.handler.handle(request)


async def ask_group(cluster):
    return (await cluster.handler.handle(Request("GET", "/apis/example.com/v1", user=User()))).status


async def made(cluster, **tree):
    """A config map as it was made."""
    response = await send(cluster, config_map(**tree))
    assert response.status == 201, response.body
    return json.loads(response.body)


async def refused(cluster, **tree):
    """The Status of a refusal."""
    response = await send(cluster, config_map(**tree))
    assert response.status >= 400, response.body
    return json.loads(response.body)


EXPRESSIONS = {
    "the object": "has(object.data) && has(object.data.wanted)",
    "what it was": "oldObject == null",
    "the request": "request.operation != 'CREATE' || request.name == 'good'",
    "its author": "request.userInfo.username == 'system:admin' && object.metadata.name == 'good'",
    "its resource": "request.resource.resource == 'configmaps' && request.name == 'good'",
    "its namespace": "namespaceObject.metadata.name == 'default' && request.name == 'good'",
    "the namespace's labels": "namespaceObject.metadata.labels['kubernetes.io/metadata.name'] == 'default' "
    "&& request.name == 'good'",
    "a permission": "authorizer.group('').resource('pods').namespace('default').check('create').allowed() "
    "&& request.name == 'good'",
    "a permission for the request itself": "authorizer.requestResource.check('create').allowed() "
    "&& request.name == 'good'",
    "a permission of an account": "!authorizer.serviceAccount('default', 'default').group('').resource('secrets')"
    ".namespace('default').check('get').allowed() && request.name == 'good'",
    "a path": "authorizer.path('/metrics').check('get').allowed() && request.name == 'good'",
}


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
async def test_a_validation_sees(cluster, expression):
    await cluster.apply(policy(validations=[{"expression": expression}]))
    await cluster.apply(binding())
    await made(cluster, name="good", data={"wanted": "x"})
    if expression != "oldObject == null":
        assert "failed expression: " in (await refused(cluster, name="bad"))["message"]


async def test_a_refusal_names_the_policy_and_its_binding(cluster):
    await cluster.apply(policy(validations=[{"expression": "false", "message": "never"}]))
    await cluster.apply(binding())
    status = await refused(cluster)
    message = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: never"
    assert status["message"] == f'configmaps "c" is forbidden: {message}'
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert status["details"] == {"name": "c", "kind": "configmaps", "causes": [{"message": message}]}


REASONS = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}


@pytest.mark.parametrize(("reason", "code"), REASONS.items())
async def test_a_validation_chooses_the_reason(cluster, reason, code):
    await cluster.apply(policy(validations=[{"expression": "false", "reason": reason}]))
    await cluster.apply(binding())
    status = await refused(cluster)
    assert (status["code"], status["reason"]) == (code, reason)


MESSAGES = {
    "its expression": ({}, "failed expression: request.name == 'x'"),
    "its message": ({"message": " plain "}, "plain"),
    "what an expression gives": ({"message": "plain", "messageExpression": "'not ' + request.name"}, "not c"),
    "its message, where the expression fails": (
        {"message": "plain", "messageExpression": "object.data.nope"},
        "plain",
    ),
    "its message, where the expression gives lines": ({"message": "plain", "messageExpression": "'a\\nb'"}, "plain"),
}


@pytest.mark.parametrize(("more", "said"), MESSAGES.values(), ids=MESSAGES)
async def test_a_broken_validation_says(cluster, more, said):
    await cluster.apply(policy(validations=[{"expression": "request.name == 'x'", **more}]))
    await cluster.apply(binding())
    assert (await refused(cluster))["message"].endswith(f"denied request: {said}")


async def test_a_policy_without_a_binding_does_nothing(cluster):
    await cluster.apply(policy(validations=[{"expression": "false"}]))
    await made(cluster)


async def test_a_binding_may_warn_instead(cluster):
    await cluster.apply(policy(validations=[{"expression": "false", "message": "hm"}]))
    await cluster.apply(binding(actions=("Warn", "Audit")))
    response = await send(cluster, config_map())
    warned = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': hm"
    assert (response.status, response.headers["warning"]) == (201, f'299 - "{warned}"')


async def test_a_changed_policy_is_compiled_anew(cluster):
    await cluster.apply(policy(validations=[{"expression": "false"}]))
    await cluster.apply(binding())
    await refused(cluster)
    await cluster.apply(policy(validations=[{"expression": "true"}]))
    await made(cluster)


async def test_a_policy_is_asked_by_everybody(cluster):
    await cluster.apply(policy(validations=[{"expression": "request.userInfo.username != 'eve'"}]))
    await cluster.apply(binding())
    response = await send(cluster, config_map(), user=User("eve", groups=("system:masters",)))
    assert response.status == 422


MATCHES = {
    "another resource": ({"rules": [{**CONFIGMAPS, "resources": ["secrets"]}]}, {}, False),
    "another operation": ({"rules": [{**CONFIGMAPS, "operations": ["UPDATE"]}]}, {}, False),
    "all resources": (
        {"rules": [{**CONFIGMAPS, "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}]},
        {},
        True,
    ),
    "the object's name": ({"rules": [{**CONFIGMAPS, "resourceNames": ["c"]}]}, {}, True),
    "another object's name": ({"rules": [{**CONFIGMAPS, "resourceNames": ["d"]}]}, {}, False),
    "what is excluded": ({"match": {"excludeResourceRules": [CONFIGMAPS]}}, {}, False),
    "labels that it has": ({"match": {"objectSelector": {"matchLabels": {"a": "b"}}}}, {}, True),
    "labels that it has not": ({"match": {"objectSelector": {"matchLabels": {"a": "c"}}}}, {}, False),
    "its namespace": (
        {"match": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}},
        {},
        True,
    ),
    "another namespace": ({"match": {"namespaceSelector": {"matchLabels": {"x": "y"}}}}, {}, False),
    "a binding to other labels": ({}, {"matchResources": {"objectSelector": {"matchLabels": {"a": "c"}}}}, False),
    "a binding to other resources": (
        {},
        {"matchResources": {"resourceRules": [{**CONFIGMAPS, "resources": ["secrets"]}]}},
        False,
    ),
    "a binding to all of it": ({}, {"matchResources": {}}, True),
    "a condition that holds": ({"matchConditions": [{"name": "n", "expression": "request.name == 'c'"}]}, {}, True),
    "a condition that does not": ({"matchConditions": [{"name": "n", "expression": "request.name == 'd'"}]}, {}, False),
}


@pytest.mark.parametrize(("of", "by", "meant"), MATCHES.values(), ids=MATCHES)
async def test_a_policy_is_about(cluster, of, by, meant):
    await cluster.apply(policy(validations=[{"expression": "false"}], **of))
    await cluster.apply(binding(**by))
    response = await send(cluster, config_map(labels={"a": "b"}))
    assert (response.status == 422) is meant


async def test_a_policy_sees_the_version_that_it_names(cluster):
    rule = {
        "apiGroups": ["autoscaling"], "apiVersions": ["v1"], "resources": ["horizontalpodautoscalers"],
        "operations": ["CREATE"],
    }  # fmt: skip
    expression = "request.kind.version != 'v1' || request.requestKind.version != 'v2' || has(object.spec.metrics)"
    await cluster.apply(policy(rules=[rule], validations=[{"expression": expression, "message": "seen"}]))
    await cluster.apply(binding())
    target = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "namespace": "default"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": target},
    }
    with pytest.raises(ApiError, match="denied request: seen"):
        await cluster.apply(json.dumps(autoscaler))
    exact = policy(rules=[rule], match={"matchPolicy": "Exact"}, validations=[{"expression": "false"}])
    await cluster.apply(exact)
    await cluster.apply(json.dumps(autoscaler))


VARIABLES = [
    {"name": "keys", "expression": "object.data.map(k, k)"},
    {"name": "first", "expression": "variables.keys[0]"},
    {"name": "broken", "expression": "object.data.nope"},
]


async def test_variables_build_on_one_another_and_fail_only_when_asked(cluster):
    await cluster.apply(policy(variables=VARIABLES, validations=[{"expression": "variables.first == 'a'"}]))
    await cluster.apply(binding())
    await made(cluster, data={"a": "1"})
    await cluster.apply(policy(variables=VARIABLES, validations=[{"expression": "variables.broken == 'a'"}]))
    message = (await refused(cluster, name="d", data={"a": "1"}))["message"]
    why = 'composited variable "broken" fails to evaluate: no such key: nope'
    assert message.endswith(f"denied request: expression 'variables.broken == 'a'' resulted in error: {why}")


FAILING = {
    "a validation": {"validations": [{"expression": "object.data.nope == 'x'"}]},
    "a match condition": {
        "validations": [{"expression": "true"}],
        "matchConditions": [{"name": "n", "expression": "object.data.nope == 'x'"}],
    },
    "a validation without end": {
        "validations": [
            {"expression": "[1,2,3,4,5,6,7,8,9,0].all(a, [1,2,3,4,5,6,7,8,9,0].all(b, [1,2,3,4,5,6,7,8,9,0].all(c,"
             "[1,2,3,4,5,6,7,8,9,0].all(d, [1,2,3,4,5,6,7,8,9,0].all(e, [1,2,3,4,5,6,7,8,9,0].all(f, a+b+c+d+e+f < 999)"
             ")))))"}
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("spec", FAILING.values(), ids=FAILING)
async def test_what_cannot_be_said_counts_by_the_failure_policy(cluster, spec):
    await cluster.apply(policy(**spec))
    await cluster.apply(binding())
    assert "resulted in error: " in (await refused(cluster))["message"]
    await cluster.apply(policy(failurePolicy="Ignore", **spec))
    await made(cluster)


async def make_limit(cluster, name, most, **labels):
    body = json.dumps({"metadata": {"name": name, "labels": labels}, "most": most}).encode()
    await cluster.api.raw("POST", "/apis/example.com/v1/namespaces/default/limits", body=body, headers=JSON)


def limited(**ref):
    return binding(paramRef={"parameterNotFoundAction": "Deny", **ref})


async def test_parameters_are_objects_of_any_kind(cluster):
    await cluster.apply(LIMITS)
    async with asyncio.timeout(60):
        while (await ask_group(cluster)) == 404:  # noqa: ASYNC110 discovery tells nobody
            await asyncio.sleep(0)
    expression = "size(object.data) <= params.most"
    kind = {"apiVersion": "example.com/v1", "kind": "Limit"}
    await cluster.apply(policy(paramKind=kind, validations=[{"expression": expression}]))
    await cluster.apply(limited(name="few"))
    missing = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
    assert (await refused(cluster))["message"].endswith(missing)
    await make_limit(cluster, "few", 1, size="few")
    await made(cluster, name="one", data={"a": "1"})
    assert "failed expression" in (await refused(cluster, name="two", data={"a": "1", "b": "2"}))["message"]
    await cluster.apply(limited(name=None, selector={"matchLabels": {"size": "few"}}))
    assert "failed expression" in (await refused(cluster, name="two", data={"a": "1", "b": "2"}))["message"]
    await cluster.apply(limited(name=None, selector={"matchLabels": {"size": "many"}}))
    assert (await refused(cluster, name="two"))["message"].endswith(missing)
    allow = binding(paramRef={"parameterNotFoundAction": "Allow", "name": "none", "selector": None})
    await cluster.apply(allow)
    await made(cluster, name="two", data={"a": "1", "b": "2"})


async def test_parameters_of_an_unknown_kind_are_a_failure(cluster):
    kind = {"apiVersion": "example.com/v9", "kind": "Limit"}
    await cluster.apply(policy(paramKind=kind, validations=[{"expression": "params == null"}]))
    await cluster.apply(limited(name="few"))
    why = "failed to configure policy: failed to find resource referenced by paramKind: 'example.com/v9, Kind=Limit'"
    assert (await refused(cluster))["message"].endswith(f"ValidatingAdmissionPolicy 'p' denied request: {why}")


async def test_a_policy_of_an_old_version_holds(cluster):
    for text in (policy(validations=[{"expression": "false"}]), binding()):
        await cluster.apply(text.replace(API, "admissionregistration.k8s.io/v1beta1"))
    assert "failed expression: false" in (await refused(cluster))["message"]


OPERATIONS = {
    "an update": ("UPDATE", "object.data.a == oldObject.data.a", "PATCH", {"data": {"a": "2"}}),
    "a delete": ("DELETE", "object != null || !has(oldObject.data)", "DELETE", None),
}


@pytest.mark.parametrize(("operation", "expression", "verb", "body"), OPERATIONS.values(), ids=OPERATIONS)
async def test_a_policy_sees_what_was_before(cluster, operation, expression, verb, body):
    await made(cluster, data={"a": "1"})
    await cluster.apply(
        policy(rules=[{**CONFIGMAPS, "operations": [operation]}], validations=[{"expression": expression}])
    )
    await cluster.apply(binding())
    headers = {"content-type": "application/merge-patch+json" if body else "application/json"}
    path, raw = "/api/v1/namespaces/default/configmaps/c", json.dumps(body).encode() if body else b""
    answer = await cluster.handler.handle(Request(verb, path, headers=headers, body=raw, user=User()))
    assert (answer.status, f"failed expression: {expression}" in json.loads(answer.body)["message"]) == (422, True)


async def test_policies_are_beyond_policies(cluster):
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"]}
    await cluster.apply(policy(rules=[rule], validations=[{"expression": "false"}]))
    await cluster.apply(binding())
    await cluster.apply(policy("q", validations=[{"expression": "true"}]))
    await refused(cluster)


MUTATIONS = {
    "a merged configuration": ("ApplyConfiguration", "Object{data: {'k': 'v'}}", {"a": "1", "k": "v"}),
    "one that names what is there": (
        "ApplyConfiguration",
        "Object{data: object.data.transformMap(k, v, v + '!')}",
        {"a": "1!"},
    ),
    "a patch": ("JSONPatch", "[JSONPatch{op: 'add', path: '/data/k', value: 'v'}]", {"a": "1", "k": "v"}),
    "a patch of several steps": (
        "JSONPatch",
        "[JSONPatch{op: 'copy', from: '/data/a', path: '/data/k'}, JSONPatch{op: 'remove', path: '/data/a'}]",
        {"k": "1"},
    ),
    "a patch whose test fails": (
        "JSONPatch",
        "[JSONPatch{op: 'test', path: '/data/a', value: '2'}, JSONPatch{op: 'remove', path: '/data/a'}]",
        {"a": "1"},
    ),
    "no patch": ("JSONPatch", "has(object.data.b) ? [JSONPatch{op: 'remove', path: '/data/a'}] : []", {"a": "1"}),
}


@pytest.mark.parametrize(("patch", "expression", "data"), MUTATIONS.values(), ids=MUTATIONS)
async def test_a_policy_changes_an_object_by(cluster, patch, expression, data):
    await cluster.apply(mutating(patch=patch, expression=expression))
    await cluster.apply(bound())
    assert (await made(cluster, data={"a": "1"}))["data"] == data


async def test_a_patch_escapes_the_keys_of_its_paths(cluster):
    steps = (
        "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'x': 'y'}}, "
        "JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey('a/b'), value: 'v'}]"
    )
    await cluster.apply(mutating(patch="JSONPatch", expression=steps))
    await cluster.apply(bound())
    assert (await made(cluster))["metadata"]["annotations"] == {"x": "y", "a/b": "v"}


async def test_a_list_merges_by_its_keys(cluster):
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    sidecar = "Object{spec: Object.spec{containers: [Object.spec.containers{name: 's', image: 'side'}]}}"
    await cluster.apply(mutating(expression=sidecar, rules=[rule]))
    await cluster.apply(bound())
    await cluster.apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{name: c, image: main}]}}"
    )
    pod = await cluster.api.get(Pod, "x", "default")
    assert [(c.name, c.image) for c in pod.spec.containers] == [("c", "main"), ("s", "side")]


IMPOSSIBLE = {
    "an atomic list": (
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'c', command: ['x']}]}}",
        "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: "
        ".spec.containers[0].command",
    ),
    "an unknown field": (
        "Object{spec: Object.spec{nope: 1}}",
        "error applying patch: failed to convert patch object to typed object: .spec.nope: field not declared in "
        "schema",
    ),
    "a type at another's place": (
        "Object{spec: Object.status{}}",
        'type mismatch: unexpected type name "Object.status", expected "Object.spec", which matches field name path '
        "from root Object type",
    ),
}


@pytest.mark.parametrize(("expression", "why"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
async def test_a_policy_cannot_change(cluster, expression, why):
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    await cluster.apply(mutating(expression=expression, rules=[rule]))
    await cluster.apply(bound())
    pod = {"kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    status = json.loads((await send(cluster, pod)).body)
    assert status["message"] == f"policy 'p' with binding 'b' denied request: {why}"
    assert (status["code"], status["reason"]) == (403, "Invalid")


async def test_a_policy_is_asked_again_when_another_changed_the_object(cluster):
    count = "Object{data: {'seen': string(size(object.data))}}"
    await cluster.apply(mutating("a", expression=count, again="IfNeeded"))
    await cluster.apply(bound("a", "a"))
    await cluster.apply(mutating("b", expression="Object{data: {'more': 'x'}}"))
    await cluster.apply(bound("b", "b"))
    assert (await made(cluster, data={"a": "1"}))["data"] == {"a": "1", "more": "x", "seen": "3"}


REFUSED = {
    "an unknown name": ({"validations": [{"expression": "nope"}]}, "undeclared reference to 'nope'"),
    "a type that is no answer": ({"validations": [{"expression": "1"}]}, "must evaluate to bool but got int"),
    "a field that requests do not have": (
        {"validations": [{"expression": "request.nope == 1"}]},
        "undefined field 'nope'",
    ),
    "parameters of no kind": ({"validations": [{"expression": "params.x"}]}, "undeclared reference to 'params'"),
    "a variable before it is there": (
        {
            "variables": [{"name": "a", "expression": "variables.b"}, {"name": "b", "expression": "1"}],
            "validations": [{"expression": "true"}],
        },
        "spec.variables[0].expression: Invalid value",
    ),
    "a variable's name that is none": (
        {"variables": [{"name": "a-b", "expression": "1"}], "validations": [{"expression": "true"}]},
        'spec.variables[0].name: Invalid value: "a-b": must be a valid CEL identifier',
    ),
    "variables in a match condition": (
        {
            "variables": [{"name": "a", "expression": "true"}],
            "matchConditions": [{"name": "n", "expression": "variables.a"}],
            "validations": [{"expression": "true"}],
        },
        "undeclared reference to 'variables'",
    ),
    "a message that is no text": (
        {"validations": [{"expression": "true", "messageExpression": "1"}]},
        "spec.validations[0].messageExpression: Invalid value",
    ),
    "built objects": ({"validations": [{"expression": "Object{} == null"}]}, "undeclared reference to 'Object'"),
}


@pytest.mark.parametrize(("spec", "why"), REFUSED.values(), ids=REFUSED)
async def test_a_policy_may_not_have(cluster, spec, why):
    with pytest.raises(ApiError) as error:
        await cluster.apply(policy(**spec))
    assert error.value.code == 422
    assert why in error.value.message


async def test_the_example_of_the_documentation_refuses(cluster):
    page = (Path(__file__).parents[3] / "docs/admission.md").read_text()
    await cluster.apply(page.partition("```yaml\n")[2].partition("```")[0])
    template = "{metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}"
    spec = f"{{replicas: 9, selector: {{matchLabels: {{a: b}}}}, template: {template}}}"
    with pytest.raises(ApiError) as error:
        await cluster.apply(f"{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: x}}, spec: {spec}}}")
    assert error.value.message.partition("is forbidden: ")[2] in page
