"""Field selectors."""

import pytest

from knarr.meta import fields
from knarr.meta.errors import BadRequest

CASES = {
    "an equal value": ("metadata.name=db", {"metadata.name": "db"}, True),
    "a different value": ("metadata.name=db", {"metadata.name": "web"}, False),
    "every term must hold": ("a=1,b!=2", {"a": "1", "b": "2"}, False),
    "an absent field is empty": ("spec.nodeName=", {}, True),
    "nothing selects everything": ("", {"a": "b"}, True),
    "values may hold escaped commas": (r"a=x\,y", {"a": "x,y"}, True),
}


@pytest.mark.parametrize("text, found, expected", CASES.values(), ids=CASES)
def test_matching(text, found, expected):
    assert fields.parse(text).matches(lambda name: found.get(name, "")) is expected


def test_a_pinned_field_is_known():
    assert fields.parse("metadata.name=db,a!=b").required("metadata.name") == "db"
    assert fields.parse("metadata.name!=db").required("metadata.name") is None


def test_a_term_without_an_operator_is_refused():
    with pytest.raises(BadRequest, match="can't understand 'nonsense'"):
        fields.parse("nonsense")
