"""Bodies become trees, or are refused in upstream's words."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from knarr.kinds import yaml_text
from knarr.kinds.decode import MAX_DEPTH, MOST_COMPLAINTS, decode_apply, decode_json, decode_yaml, warnings
from knarr.meta.errors import BadRequest

UNRECOGNIZED = "the object provided is unrecognized (must be of type ConfigMap): "
KINDLESS = UNRECOGNIZED + "couldn't get version/kind; "

REFUSED_JSON = {
    "an object that does not end": (b"{", "json parse error: unexpected end of JSON input ({)"),
    "nothing": (b"", "json parse error: unexpected end of JSON input (<empty>)"),
    "a number": (
        b"1",
        "json parse error: json: cannot unmarshal number into Go value of type struct { APIVersion string "
        r'"json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" } (31)',
    ),
    "something behind the object": (b"{}x", "json parse error: invalid character 'x' after top-level value ({}x)"),
    "too many brackets": (
        b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
        'json parse error: exceeded max depth ({"a":[[[[[[[[[[[[[[[[[[[[[[[[[ ...)',
    ),
}

YAML = {
    "yes and no are truths": ("a: yes\nb: no\nc: 'yes'", {"a": True, "b": False, "c": "yes"}),
    "keys are text": ("1: a\ntrue: b\nnull: c", {"1": "a", "true": "b", "null": "c"}),
    "numbers of all sorts": ("a: 0777\nb: 0x1f\nc: 1_000\nd: 1e3", {"a": 511, "b": 31, "c": 1000, "d": 1000.0}),
    "dates and clock times are text": ("a: 2001-01-01\nb: 1:30", {"a": "2001-01-01", "b": "1:30"}),
    "nothing is null": ("a:\nb: ~", {"a": None, "b": None}),
    "blocks are text": ("a: |\n  off\n", {"a": "off\n"}),
    "aliases and merges": (
        "a: &a {q: 1}\nb: *a\nc:\n  <<: *a\n  r: 2",
        {"a": {"q": 1}, "b": {"q": 1}, "c": {"q": 1, "r": 2}},
    ),
    "said to be text": (
        'a: !!str 12\nb: !!binary aGk=\nc: !!int "3"\nd: "<<"',
        {"a": "12", "b": "hi", "c": 3, "d": "<<"},
    ),
    "the first document counts": ("a: 1\n---\nb: 2", {"a": 1}),
    "tags of languages do nothing": ("a: !!python/object/apply:os.system [x]", {"a": ["x"]}),
}

BOMB = "a: &a [x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 8)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)

REFUSED_YAML = {
    "a list that does not end": ("a: [", "yaml: line 1: did not find expected node content (613a205b)"),
    "a list": (
        "- 1",
        "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type struct { "
        r'APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" } (2d2031)',
    ),
    "a bomb": (BOMB, f"yaml: document contains excessive aliasing ({BOMB[:30].encode().hex()} ...)"),
    "a snake that bites its tail": ("a: &x [*x]", "yaml: anchor 'x' value contains itself (613a202678205b2a785d)"),
    "an anchor that nothing defines": ("a: *x", "yaml: unknown anchor 'x' referenced (613a202a78)"),
    "a merge of what is no mapping": (
        "<<: 5",
        "yaml: map merge requires map or sequence of maps as the value (3c3c3a2035)",
    ),
    "a well of brackets": ("[" * 5000, f"yaml: exceeded max depth ({'5b' * 30} ...)"),
}


@pytest.mark.parametrize("body, message", REFUSED_JSON.values(), ids=REFUSED_JSON)
def test_json_that_is_refused(body, message):
    with pytest.raises(BadRequest) as caught:
        decode_json(body, "ConfigMap")
    assert caught.value.message == KINDLESS + message


@pytest.mark.parametrize("text, tree", YAML.values(), ids=YAML)
def test_yaml(text, tree):
    assert decode_yaml(text.encode()) == (tree, [])


@pytest.mark.parametrize("text, message", REFUSED_YAML.values(), ids=REFUSED_YAML)
def test_yaml_that_is_refused(text, message):
    with pytest.raises(BadRequest) as caught:
        decode_yaml(text.encode(), "ConfigMap")
    assert caught.value.message == UNRECOGNIZED + message


def test_fields_given_twice_are_named():
    body = '{"metadata":{"name":"x","name":"y"},"data":{"a":"1","a":"2"},"l":[{"b":1,"b":2}]}'
    tree, duplicates = decode_json(body.encode())
    assert tree["metadata"] == {"name": "y"}
    assert duplicates == [f'duplicate field "{path}"' for path in ("metadata.name", "data.a", "l[0].b")]
    assert decode_yaml(b"a: 1\nb:\n  c: 1\n  c: 2\na: 3")[1] == [
        'yaml: unmarshal errors:\n  line 4: key "c" already set in map\n  line 5: key "a" already set in map'
    ]


def test_an_apply_patch_is_refused_in_words_of_its_own():
    with pytest.raises(BadRequest, match="error decoding YAML: error converting YAML to JSON: yaml: line 1: did not"):
        decode_apply(b"a: [")
    with pytest.raises(
        BadRequest, match=r"error decoding YAML: error unmarshaling JSON: .* cannot unmarshal array into"
    ):
        decode_apply(b"[]")


def test_each_line_of_yaml_is_a_warning():
    _, twice = decode_yaml(b"a: 1\nb:\n  c: 1\n  c: 2\na: 3")
    lines = ['line 4: key "c" already set in map', 'line 5: key "a" already set in map']
    assert list(warnings(['duplicate field "x"', *twice])) == ['duplicate field "x"', *lines]


def test_complaints_come_to_an_end():
    keys = [f"k{n}" for n in range(300)]
    assert len(decode_json(("{" + ",".join(f'"{key}":1' for key in keys * 2) + "}").encode())[1]) == MOST_COMPLAINTS
    [said] = decode_yaml("".join(f"{key}: 1\n" for key in keys * 2).encode())[1]
    assert said.count("already set in map") == MOST_COMPLAINTS


def test_a_number_too_long_for_one_is_a_string():
    assert decode_yaml(b"a: " + b"9" * 5000) == ({"a": "9" * 5000}, [])


def test_quotes_in_escapes_hide_no_duplicate():
    assert decode_json(rb'{"a":"\u0022\u0022","a":"x"}')[1] == ['duplicate field "a"']
    assert decode_json(rb'{"a":"\"\"","b":"x"}')[1] == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=4), v, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
def test_json_comes_back_as_it_was(tree):
    assert decode_json(json.dumps(tree).encode()) == (tree, [])


@given(st.dictionaries(st.sampled_from(["items", "kind", "apiVersion", "y"]) | st.text(max_size=4), VALUES, max_size=4))
@example(
    {"items": [{"a": "y"}, {"b": ["1e3", "0o7", "a\nb\n", " x", "# c", "<<"]}, []], "kind": "L", "apiVersion": "v1"}
)
@example({"items": [{"a": "x\n\n"}, {"b": "y"}], "kind": "L"})
@example({"items": [{"\n": None}], "kind": None})
def test_what_is_written_as_yaml_comes_back_as_it_was(tree):
    assert yaml_text.load(yaml_text.dump(tree).decode(), MAX_DEPTH) == (tree, [])


@given(st.binary(max_size=60))
def test_any_body_is_read_or_refused(body):
    for decode in (decode_json, decode_yaml):
        try:
            tree, _ = decode(body)
        except BadRequest:
            continue
        assert isinstance(tree, dict)


@pytest.mark.parametrize(
    "body",
    [
        '{"a": 1, "b": {"c": [1, 2, "x"], "d": null, "e": true}, "f": "2020-01-01", "": -7}',
        '{"a": 1.5}',
        '{"a": 1e3}',
        '{"a": "x\\u0041\\n"}',
        '{"a": "\u00e9"}',
        '{"a": "\u0085"}',
        '{"a": 1, "<<": {"a": 2, "b": 3}}',
        '{"a": 1, "a": 2}',
        '{"a": 123456789012345678901234567890}',
        '{"a":1}\n',
        "{a: 1}",
        '{"a": 1} # so',
    ],
)
def test_an_apply_in_json_is_read_as_the_yaml_that_it_is(body):
    assert decode_apply(body.encode()) == yaml_text.load(body, MAX_DEPTH)
