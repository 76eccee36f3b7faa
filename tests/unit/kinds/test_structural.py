"""What schemas of custom resources may not say."""

import pytest

from knarr.kinds import structural

STRING = {"type": "string"}


def of(**properties):
    return {"type": "object", "properties": properties}


REFUSED = {
    "no type at the root": ({}, ["p.type: Required value: must not be empty at the root"]),
    "no type of a field": (
        of(a={}),
        ["p.properties[a].type: Required value: must not be empty for specified object fields"],
    ),
    "an unheard-of type": (
        of(a={"type": "text"}),
        [
            'p.properties[a].type: Unsupported value: "text": supported values: "array", "boolean", '
            '"integer", "number", '
            '"object", "string"'
        ],
    ),
    "a list without items": (of(a={"type": "array"}), ["p.properties[a].items: Required value: must be specified"]),
    "properties beside additional ones": (
        of(a={**of(b=STRING), "additionalProperties": STRING}),
        ["p.properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"],
    ),
    "unique items": (
        of(a={"type": "array", "items": STRING, "uniqueItems": True}),
        [
            "p.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity "
            "becomes quadratic"
        ],
    ),
    "a list that is a map without keys": (
        of(a={"type": "array", "items": of(k=STRING), "x-kubernetes-list-type": "map"}),
        [
            "p.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if "
            "x-kubernetes-list-type is map"
        ],
    ),
    "a key that an item may lack": (
        of(
            a={
                "type": "array",
                "items": of(k=STRING),
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
            }
        ),
        [
            "p.properties[a].items.properties[k].default: Required value: this property is in "
            "x-kubernetes-list-map-keys, so it must have a default or be a required property"
        ],
    ),
    "unknown fields that are not kept": (
        of(a={"type": "object", "x-kubernetes-preserve-unknown-fields": False}),
        ["p.properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"],
    ),
    "a type within a choice": (
        of(a={**STRING, "anyOf": [{"type": "string"}]}),
        ["p.properties[a].anyOf[0].type: Forbidden: must be empty to be structural"],
    ),
    "a field that only a choice has": (
        of(a={"type": "object", "oneOf": [{"properties": {"b": {"minLength": 1}}}]}),
        [
            "p.properties[a].properties[b]: Required value: because it is defined in "
            "p.properties[a].oneOf[0].properties[b]"
        ],
    ),
    "a default that breaks its schema": (
        of(a={"type": "integer", "default": "x"}),
        ['p.properties[a].default: Invalid value: "string":  in body must be of type integer: "string"'],
    ),
    "metadata that is narrowed": (
        of(metadata={"type": "object", "properties": {"labels": {"type": "object"}}}),
        [
            "p.properties[metadata]: Forbidden: must not specify anything other than name and "
            "generateName, but metadata "
            "is implicitly specified"
        ],
    ),
    "a rule that is no condition": (
        {"type": "object", "x-kubernetes-validations": [{"rule": "1 + 1"}]},
        [
            'p.x-kubernetes-validations[0].rule: Invalid value: {"Rule":"1 + 1","Message":"","MessageExpression":"",'
            '"Reason":null,"FieldPath":"","OptionalOldSelf":null}: cel expression must evaluate to a bool'
        ],
    ),
    "a rule of old values where nobody can tell them": (
        of(a={"type": "array", "items": {**STRING, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}}),
        [
            'p.properties[a].items.x-kubernetes-validations[0].rule: Invalid value: "self == '
            'oldSelf": oldSelf cannot be '
            "used on the uncorrelatable portion of the schema within p.properties[a]"
        ],
    ),
}


@pytest.mark.parametrize("schema, wanted", REFUSED.values(), ids=REFUSED)
def test_refused(schema, wanted):
    assert [str(error) for error in structural.root_rules(schema, "p")] == wanted


def test_numbers_or_strings_may_say_so_by_a_choice():
    either = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert list(structural.root_rules(of(a=either), "p")) == []
