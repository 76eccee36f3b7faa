"""Label selectors: the string form, the LabelSelector form, and matching."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.kinds.types.meta_v1 import LabelSelector, LabelSelectorRequirement
from knarr.meta import labels
from knarr.meta.errors import BadRequest
from knarr.meta.label_rules import validate_selector

PARSED = {
    "equality": ("app=db", "app=db"),
    "a double equals sign is one": ("app==db", "app=db"),
    "requirements are sorted": ("b=1,a!=2", "a!=2,b=1"),
    "sets are sorted": ("tier in (b, a)", "tier in (a,b)"),
    "presence and absence": ("app,!old", "app,!old"),
    "an operator's name may be a key": ("in=notin", "in=notin"),
    "numbers compare": ("size>3", "size>3"),
    "nothing selects everything": ("", ""),
    "a value may be missing": ("app=", "app="),
}

REFUSED = {
    "two words": ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    "too many equals signs": ("a===b", "unable to parse requirement: found '=', expected: identifier"),
    "a comma at the end": ("a,", "found '', expected: identifier after ','"),
    "an operator at the beginning": ("=a", "found '=', expected: !, identifier, or 'end of string'"),
    "a set without parentheses": ("a in b", "unable to parse requirement: found 'b' expected: '('"),
    "a word too many": ("a=b c", "found 'c', expected: ',' or 'end of string'"),
    "a bound that is no number": (
        "a>x",
        "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an "
        "integer",
    ),
}

MATCHES = {
    "an equal value": ("app=db", {"app": "db"}, True),
    "another value": ("app=db", {"app": "web"}, False),
    "an absent key is unequal": ("app!=db", {}, True),
    "an absent key is in no set": ("app in (db)", {}, False),
    "an absent key is outside every set": ("app notin (db)", {}, True),
    "a larger number": ("size>3", {"size": "4"}, True),
    "a word is not larger": ("size>3", {"size": "many"}, False),
}


@pytest.mark.parametrize("text, shown", PARSED.values(), ids=PARSED)
def test_parse(text, shown):
    assert str(labels.parse(text)) == shown


@pytest.mark.parametrize("text, message", REFUSED.values(), ids=REFUSED)
def test_refusals_are_worded_as_upstream_words_them(text, message):
    with pytest.raises(BadRequest) as caught:
        labels.parse(text)
    assert caught.value.message == message


@pytest.mark.parametrize("text, given_labels, expected", MATCHES.values(), ids=MATCHES)
def test_matching(text, given_labels, expected):
    assert labels.parse(text).matches(given_labels) is expected


def test_no_selector_selects_nothing_and_an_empty_one_everything():
    assert not labels.of_object(None).matches({})
    assert labels.of_object(LabelSelector()).matches({"any": "thing"})
    assert labels.of_object(LabelSelector()).empty


def test_an_object_reads_like_its_string():
    expression = LabelSelectorRequirement(key="tier", operator="In", values=["b", "a"])
    selector = LabelSelector(matchLabels={"app": "db"}, matchExpressions=[expression])
    assert labels.shown(selector) == "app=db,tier in (a,b)"
    assert labels.of_object(selector).matches({"app": "db", "tier": "a", "x": "y"})


def test_rules_of_an_object():
    expression = LabelSelectorRequirement(key="app", operator="In")
    found = list(validate_selector(LabelSelector(matchExpressions=[expression]), "spec.selector"))
    assert [str(error) for error in found] == [
        "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
    ]


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_refused(text):
    try:
        selector = labels.parse(text)
    except BadRequest:
        return
    assert labels.parse(str(selector)) == selector


WORD = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,5}[A-Za-z0-9])?", fullmatch=True)


@given(st.dictionaries(WORD, WORD, max_size=4), st.dictionaries(WORD, WORD, max_size=2))
def test_a_plain_map_selects_what_contains_it(wanted, more):
    assert labels.of_labels(wanted).matches({**more, **wanted})
    assert labels.parse(str(labels.of_labels(wanted))) == labels.of_labels(wanted)


#: sentence -> selector, labels, whether whatever it selects has them
DEMANDS = {
    "all that it asks for": ("a=b,c=d", {"a": "b", "c": "d"}, True),
    "one of them": ("a=b,c=d", {"c": "d"}, True),
    "none": ("a=b", {}, True),
    "not another value": ("a=b", {"a": "c"}, False),
    "not one more": ("a=b", {"a": "b", "c": "d"}, False),
    "not what it leaves open": ("a in (b,c)", {"a": "b"}, False),
}


@pytest.mark.parametrize(("text", "given_labels", "demanded"), DEMANDS.values(), ids=DEMANDS)
def test_labels_that_a_selector_demands(text, given_labels, demanded):
    assert labels.parse(text).demands(given_labels) is demanded


def test_what_selects_nothing_demands_everything():
    assert labels.NOTHING.demands({"a": "b"})
