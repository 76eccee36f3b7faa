"""What the status of a policy says of its expressions."""

import msgspec
import pytest

from knarr.controllers.policy_status import plan
from knarr.kinds.types.admissionregistration_v1 import ValidatingAdmissionPolicy
from knarr.kinds.types.apiextensions_v1 import CustomResourceDefinition

DEPLOYMENTS = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}
BOATS = {"apiGroups": ["example.com"], "apiVersions": ["v1"], "resources": ["boats"]}


def a_policy(expression, *, rules=(DEPLOYMENTS,), message="", generation=1, observed=None, **spec):
    validation = {"expression": expression, "messageExpression": message}
    tree = {
        "metadata": {"name": "p", "generation": generation},
        "spec": {"matchConstraints": {"resourceRules": list(rules)}, "validations": [validation], **spec},
        "status": {"observedGeneration": observed} if observed else {},
    }
    return msgspec.convert(tree, ValidatingAdmissionPolicy)


def a_definition(properties, version="v1"):
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}
    versions = [{"name": version, "served": True, "schema": {"openAPIV3Schema": schema}}]
    names = {"plural": "boats", "kind": "Boat"}
    return msgspec.convert(
        {"spec": {"group": "example.com", "names": names, "versions": versions}}, CustomResourceDefinition
    )


def warned(policy, *definitions):
    [step] = plan(policy, definitions)
    return [(each.fieldRef, each.warning) for each in step.patch["status"]["typeChecking"]["expressionWarnings"] or ()]


def undefined(said, field, text, at):
    shown = f" | {text}\n | {'.' * at}^"
    return f"{said}: ERROR: <input>:1:{at + 1}: undefined field '{field}'\n{shown}\n"


FINE = {
    "fields that are there": "object.spec.replicas <= 5 && object.spec.template.spec.containers.all(c, c.image != '')",
    "metadata": "object.metadata.name != '' && object.metadata.namespace != 'x' && 'a' in object.metadata.labels",
    "the old object": "oldObject.spec.replicas == object.spec.replicas",
    "quantities, which may be numbers": "object.spec.template.spec.containers[0].resources.limits['cpu'] == '1'",
    "a port or its name": "object.spec.strategy.rollingUpdate.maxSurge == 1",
    "what else a policy sees": "request.userInfo.username != '' && namespaceObject.metadata.name != ''",
}


@pytest.mark.parametrize("expression", FINE.values(), ids=FINE)
def test_nothing_is_said_of(expression):
    assert warned(a_policy(expression)) == []


def test_a_field_that_the_kind_does_not_have_is_named():
    said = undefined("apps/v1, Kind=Deployment", "replicas", "object.replicas > 1", 6)
    assert warned(a_policy("object.replicas > 1")) == [("spec.validations[0].expression", said)]


def test_types_that_do_not_go_together_are_named():
    [(_, said)] = warned(a_policy("object.spec.replicas > 'x'"))
    assert "found no matching overload for '_>_' applied to '(int, string)'" in said


def test_messages_are_checked_too():
    [(path, _)] = warned(a_policy("true", message="'no: ' + object.spec.nothing"))
    assert path == "spec.validations[0].messageExpression"


def test_each_kind_that_is_named_is_asked_and_those_of_the_core_have_no_group():
    rule = {"apiGroups": ["", "apps"], "apiVersions": ["v1"], "resources": ["pods", "replicasets", "pods/status"]}
    [(_, said)] = warned(a_policy("object.spec.replicas > 1", rules=[rule]))
    assert said == undefined("/v1, Kind=Pod", "replicas", "object.spec.replicas > 1", 11)


ANY = {
    "every group": {"apiGroups": ["*"], "apiVersions": ["v1"], "resources": ["deployments"]},
    "every resource": {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["*"]},
    "nothing that is served": {"apiGroups": ["apps"], "apiVersions": ["v7"], "resources": ["deployments"]},
    "what has no definition": BOATS,
}


@pytest.mark.parametrize("rule", ANY.values(), ids=ANY)
def test_nothing_is_checked_for_a_rule_that_names(rule):
    assert warned(a_policy("object.nothing", rules=[rule])) == []


def test_a_variable_has_the_type_of_its_expression():
    variables = [{"name": "size", "expression": "object.spec.replicas"}, {"name": "odd", "expression": "object.odd"}]
    assert warned(a_policy("variables.size > 1 && variables.odd > 1", variables=variables)) == []
    assert "applied to '(int, string)'" in warned(a_policy("variables.size == 'x'", variables=variables))[0][1]


def test_custom_resources_are_of_their_definitions():
    definition = a_definition({"masts": {"type": "integer"}})
    said = undefined("example.com/v1, Kind=Boat", "oars", "object.spec.oars > 1", 11)
    assert warned(a_policy("object.spec.oars > 1", rules=[BOATS]), definition)[0][1] == said
    fine = "object.spec.masts > 1 && object.metadata.name != '' && object.kind == 'Boat'"
    assert warned(a_policy(fine, rules=[BOATS]), definition) == []


PARAMS = {
    "of a kind that is there": ("ConfigMap", "params.data['x'] == '1'", []),
    "a field that it does not have": ("ConfigMap", "params.nothing", ["undefined field 'nothing'"]),
    "of a kind that is not": ("Nothing", "params.nothing", []),
}


@pytest.mark.parametrize("kind, expression, said", PARAMS.values(), ids=PARAMS)
def test_parameters(kind, expression, said):
    found = warned(a_policy(expression, paramKind={"apiVersion": "v1", "kind": kind}))
    assert [any(why in warning for why in said) for _, warning in found] == [True] * len(said)


def test_a_version_is_looked_at_once_and_what_was_said_of_another_goes():
    assert list(plan(a_policy("object.nothing", observed=1), ())) == []
    [step] = plan(a_policy("true", generation=2, observed=1), ())
    assert step.patch == {"status": {"observedGeneration": 2, "typeChecking": {"expressionWarnings": None}}}
    assert step.subresource == "status"


def test_a_type_within_itself_may_be_anything():
    rule = {"apiGroups": ["apiextensions.k8s.io"], "apiVersions": ["v1"], "resources": ["customresourcedefinitions"]}
    deep = "object.spec.versions[0].schema.openAPIV3Schema.properties['a'].whatever == 1"
    assert warned(a_policy(deep, rules=[rule])) == []
