"""The rules of definitions of custom resources, beside those of their schemas."""

import copy

import msgspec
import pytest

from knarr.kinds import custom_names
from knarr.kinds.customresourcedefinition import KIND
from knarr.kinds.schema import normalise
from knarr.kinds.types.apiextensions_v1 import CustomResourceDefinition
from knarr.meta.errors import BadRequest

SPEC = {"type": "object", "properties": {"a": {"type": "string"}, "n": {"type": "integer"}}}
VERSION = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}}},
}
DEFINITION = {
    "metadata": {"name": "foos.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "foos", "kind": "Foo"},
        "versions": [VERSION],
    },
}


def complaints(tree):
    tree = copy.deepcopy(tree)
    normalise(tree, "apiextensions_v1.CustomResourceDefinition")
    KIND.defaults(tree)
    KIND.prepare_create(tree)
    return [str(error) for error in KIND.validate(msgspec.convert(tree, CustomResourceDefinition))]


def spec(**changes):
    return {**DEFINITION, "spec": {**DEFINITION["spec"], **changes}}


def version(**changes):
    return spec(versions=[{**VERSION, **changes}])


SCALE = {"specReplicasPath": ".spec.n", "statusReplicasPath": ".spec.n"}
COLUMN = {"name": "A", "type": "string", "jsonPath": ".spec.a"}
WEBHOOK = {"strategy": "Webhook"}
REFUSED = {
    "a kind that is no name": (
        spec(names={"plural": "foos", "kind": "Foo_"}),
        'spec.names.kind: Invalid value: "Foo_": may have mixed case, but should otherwise match: a DNS-1035 label',
    ),
    "a list of the kind's own name": (
        spec(names={"plural": "foos", "kind": "Foo", "listKind": "Foo"}),
        'spec.names.listKind: Invalid value: "Foo": kind and listKind may not be the same',
    ),
    "two versions of a name": (
        spec(versions=[VERSION, {**VERSION, "storage": False}]),
        "must contain unique version names",
    ),
    "no stored version": (version(storage=False), "must have exactly one version marked as storage version"),
    "a deprecation of what is not deprecated": (
        version(deprecationWarning="old"),
        'spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for deprecated versions',
    ),
    "a column of no type": (
        version(additionalPrinterColumns=[{**COLUMN, "type": "text"}]),
        'spec.additionalPrinterColumns[0].type: Unsupported value: "text": supported values: "boolean", "date"',
    ),
    "a column of no path": (
        version(additionalPrinterColumns=[{**COLUMN, "jsonPath": ".spec["}]),
        'spec.additionalPrinterColumns[0].jsonPath: Invalid value: ".spec[": unterminated array',
    ),
    "a scale that reads no status": (
        version(subresources={"scale": SCALE}),
        'spec.subresources.scale.statusReplicasPath: Invalid value: ".spec.n": should be a json path under .status',
    ),
    "a selectable field of the metadata": (
        version(selectableFields=[{"jsonPath": ".metadata.name"}]),
        'spec.selectableFields[0].jsonPath: Invalid value: ".metadata.name": must not point to fields in metadata',
    ),
    "a selectable field that is none": (
        version(selectableFields=[{"jsonPath": ".spec.b"}]),
        "is an invalid path: does not exist in schema: b",
    ),
    "a webhook without address": (
        spec(conversion=WEBHOOK),
        "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
    ),
    "a protected group": (
        {**spec(group="x.k8s.io"), "metadata": {"name": "foos.x.k8s.io"}},
        "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval",
    ),
}


@pytest.mark.parametrize("tree, wanted", REFUSED.values(), ids=REFUSED)
def test_refused(tree, wanted):
    assert wanted in "\n".join(complaints(tree))


def test_taken():
    columns = {"additionalPrinterColumns": [COLUMN], "selectableFields": [{"jsonPath": ".spec.a"}]}
    assert complaints(version(**columns)) == []


@pytest.mark.parametrize("items", [5, "x", [{"type": "string"}], {"type": 5}, {"properties": []}])
def test_what_is_no_schema_within_one_is_refused(items):
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": items}}}
    with pytest.raises(BadRequest):
        complaints(version(schema={"openAPIV3Schema": schema}))


CONFLICTS = {
    "nothing": ({}, ("True", "NoConflicts")),
    "the plural": ({"shortNames": ["foos"]}, ("False", "PluralConflict")),
    "the singular": ({"singular": "foo"}, ("False", "SingularConflict")),
    "a short name": ({"plural": "fo"}, ("False", "ShortNamesConflict")),
    "the kind": ({"kind": "Foo"}, ("False", "KindConflict")),
    "the kind of lists": ({"listKind": "FooList"}, ("False", "ListKindConflict")),
}


@pytest.mark.parametrize("taken, wanted", CONFLICTS.values(), ids=CONFLICTS)
def test_names_in_use(taken, wanted):
    names = {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList", "shortNames": ["fo"]}
    _, verdict = custom_names.deconflicted("mine", names, {}, custom_names.Taken({"other": taken}))
    assert (verdict["status"], verdict["reason"]) == wanted


def test_names_are_free_once_nobody_has_them():
    names = {"plural": "foos", "kind": "Foo"}
    taken = custom_names.Taken({"first": names, "second": names})
    taken.drop("first")
    assert taken.resource("foos", "third") and not taken.resource("foos", "second")
    taken.drop("second")
    assert not taken.resource("foos", "third") and not taken.kind("Foo", "third")


def test_what_one_has_is_not_in_the_way():
    names = {"plural": "foos", "kind": "Foo", "shortNames": ["fo"]}
    _, verdict = custom_names.deconflicted("mine", names, names, custom_names.Taken({"mine": names, "other": names}))
    assert verdict["status"] == "True"
