"""What a custom resource's schema prunes, defaults and refuses."""

import copy

import pytest

from knarr.kinds.custom_schema import default, prune
from knarr.kinds.custom_validation import NEW, errors

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
OBJECT = {"type": "object"}


def of(**properties):
    return {"type": "object", "properties": properties}


PRUNED = {
    "an unknown field": (of(a=STRING), {"a": "x", "b": 1}, {"a": "x"}, ["b"]),
    "an unknown field of an item": (
        of(l={"type": "array", "items": of(a=STRING)}),
        {"l": [{"a": "x"}, {"b": 1}]},
        {"l": [{"a": "x"}, {}]},
        ["l[1].b"],
    ),
    "an unknown field of a map's value": (
        of(m={"type": "object", "additionalProperties": of(a=STRING)}),
        {"m": {"k": {"b": 1}}},
        {"m": {"k": {}}},
        ["m.k.b"],
    ),
    "nothing where unknown fields are kept": (
        of(o={"x-kubernetes-preserve-unknown-fields": True, "type": "object"}),
        {"o": {"b": {"c": 1}}},
        {"o": {"b": {"c": 1}}},
        [],
    ),
    "what a known field within kept ones does not know": (
        {"x-kubernetes-preserve-unknown-fields": True, **of(o=of(a=STRING))},
        {"b": 1, "o": {"b": 1}},
        {"b": 1, "o": {}},
        ["o.b"],
    ),
    "neither type nor metadata of an embedded resource": (
        of(o={"x-kubernetes-embedded-resource": True, **of(spec=OBJECT)}),
        {"o": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "n", "nope": 1}, "data": 1}},
        {"o": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "n"}}},
        ["o.metadata.nope", "o.data"],
    ),
}


@pytest.mark.parametrize("schema, tree, wanted, paths", PRUNED.values(), ids=PRUNED)
def test_pruning_takes_out(schema, tree, wanted, paths):
    tree = copy.deepcopy(tree)
    assert (list(prune(tree, schema)), tree) == (paths, wanted)


DEFAULTED = {
    "what is left out": (of(a={**STRING, "default": "x"}), {}, {"a": "x"}),
    "within what a default brings": (of(o={**of(a={**STRING, "default": "x"}), "default": {}}), {}, {"o": {"a": "x"}}),
    "not within what is left out": (of(o=of(a={**STRING, "default": "x"})), {}, {}),
    "a null that may not be": (of(a={**STRING, "default": "x"}), {"a": None}, {"a": "x"}),
    "no null that may be": (of(a={**STRING, "default": "x", "nullable": True}), {"a": None}, {"a": None}),
    "nothing for a null without default": (of(a=STRING), {"a": None}, {}),
    "items": (of(l={"type": "array", "items": of(a={**STRING, "default": "x"})}), {"l": [{}]}, {"l": [{"a": "x"}]}),
    "values of maps": (
        of(m={"type": "object", "additionalProperties": of(a={**STRING, "default": "x"})}),
        {"m": {"k": {}}},
        {"m": {"k": {"a": "x"}}},
    ),
}


@pytest.mark.parametrize("schema, tree, wanted", DEFAULTED.values(), ids=DEFAULTED)
def test_defaults_fill_in(schema, tree, wanted):
    tree = copy.deepcopy(tree)
    default(tree, schema)
    assert tree == wanted


def says(path, why, value):
    return f"{path}: Invalid value: {value}: {path} in body {why}"


REFUSED = {
    "a wrong type": (STRING, 1, [says("a", 'must be of type string: "integer"', '"integer"')]),
    "a null": (STRING, None, [says("a", 'must be of type string: "null"', '"null"')]),
    "neither number nor string": (
        {"x-kubernetes-int-or-string": True},
        True,
        [says("a", 'must be of type integer,string: "boolean"', '"boolean"')],
    ),
    "too small": ({**INTEGER, "minimum": 2}, 1, [says("a", "should be greater than or equal to 2", 1)]),
    "not above": ({**INTEGER, "minimum": 2, "exclusiveMinimum": True}, 2, [says("a", "should be greater than 2", 2)]),
    "too big": ({**INTEGER, "maximum": 2}, 3, [says("a", "should be less than or equal to 2", 3)]),
    "no multiple": ({**INTEGER, "multipleOf": 5}, 7, [says("a", "should be a multiple of 5", 7)]),
    "too short": ({**STRING, "minLength": 2}, "x", [says("a", "should be at least 2 chars long", '"x"')]),
    "too long": ({**STRING, "maxLength": 2}, "xyz", ["a: Too long: may not be more than 2 bytes"]),
    "no match": ({**STRING, "pattern": "^a$"}, "b", [says("a", "should match '^a$'", '"b"')]),
    "no such choice": (
        {**STRING, "enum": ["x", "y"]},
        "z",
        ['a: Unsupported value: "z": supported values: "x", "y"'],
    ),
    "no such time": (
        {**STRING, "format": "date-time"},
        "today",
        [says("a", 'must be of type date-time: "today"', '"today"')],
    ),
    "too few": ({"type": "array", "items": STRING, "minItems": 1}, [], [says("a", "should have at least 1 items", 0)]),
    "too many": (
        {"type": "array", "items": STRING, "maxItems": 1},
        ["x", "y"],
        ["a: Too many: 2: must have at most 1 items"],
    ),
    "twice in a set": (
        {"type": "array", "items": STRING, "x-kubernetes-list-type": "set"},
        ["x", "x"],
        ['a[1]: Duplicate value: "x"'],
    ),
    "twice in a map": (
        {
            "type": "array",
            "items": of(k=STRING),
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
        },
        [{"k": "x"}, {"k": "x"}],
        ['a[1]: Duplicate value: {"k":"x"}'],
    ),
    "a field that is missing": ({**of(b=STRING), "required": ["b"]}, {}, ["a.b: Required value"]),
    "a wrong item": (
        {"type": "array", "items": STRING},
        ["x", 1],
        [says("a[1]", 'must be of type string: "integer"', '"integer"')],
    ),
    "none of the choices": (
        {
            "type": "object",
            "properties": {"b": STRING, "c": STRING},
            "oneOf": [{"required": ["b"]}, {"required": ["c"]}],
        },
        {},
        [
            '<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found none valid',
            "a.b: Required value",
        ],
    ),
    "what must not be": (
        {**STRING, "not": {"enum": ["x"]}},
        "x",
        ['<nil>: Invalid value: "": "a" must not validate the schema (not)'],
    ),
}


@pytest.mark.parametrize("schema, given, wanted", REFUSED.values(), ids=REFUSED)
def test_refused(schema, given, wanted):
    assert list(map(str, errors({"a": given}, of(a=schema)))) == wanted


@pytest.mark.parametrize(
    "schema, given",
    [
        (STRING | {"nullable": True}, None),
        ({"type": "number"}, 1),
        (INTEGER, 1.0),
        ({"x-kubernetes-int-or-string": True}, "50%"),
        ({**STRING, "format": "ipv4"}, "10.0.0.1"),
        ({**STRING, "format": "unheard-of"}, "x"),
        ({"x-kubernetes-preserve-unknown-fields": True}, {"any": ["thing"]}),
    ],
)
def test_taken(schema, given):
    assert errors({"a": given}, of(a=schema)) == []


def test_what_was_broken_before_is_let_through_unchanged():
    schema = of(a={**STRING, "maxLength": 1}, b={**STRING, "maxLength": 1})
    old = {"a": "long", "b": "x"}
    assert errors({"a": "long", "b": "y"}, schema, old) == []
    assert [error.path for error in errors({"a": "long", "b": "yy"}, schema, old)] == ["b"]
    assert [error.path for error in errors(old, schema, NEW)] == ["a"]


def test_a_pattern_that_elsewhere_backtracks_for_ever_is_answered():
    schema = of(a={**STRING, "pattern": "^(a+)+$"})
    assert errors({"a": "a" * 5000}, schema) == []
    assert [error.path for error in errors({"a": "a" * 5000 + "b"}, schema)] == ["a"]
