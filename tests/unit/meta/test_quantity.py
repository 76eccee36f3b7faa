"""Quantities: reading, the canonical form, arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.meta import quantity

CANONICAL = {
    "half a core is 500 millicores": ("0.5", "500m"),
    "a thousand millicores are a core": ("1000m", "1"),
    "a round thousand gets its suffix": ("1000", "1k"),
    "1024Mi is 1Gi": ("1024Mi", "1Gi"),
    "binary fractions go down a suffix": ("1.5Gi", "1536Mi"),
    "a binary fraction of a byte becomes decimal": ("0.1Gi", "107374182400m"),
    "a binary number without a factor of 1024 has no suffix": ("10906.25Ki", "11168000"),
    "exponents stay exponents": ("1e3", "1e3"),
    "less than a nano is rounded up": ("0.0001n", "1n"),
    "nothing is nothing": ("0Gi", "0"),
    "negative values keep their sign": ("-1.5", "-1500m"),
    "upstream leaves some spellings alone": ("1.500", "1.500"),
}

REFUSED = {
    "no number": ("x", quantity.WRONG_FORMAT),
    "nothing": ("", quantity.WRONG_FORMAT),
    "more digits than anybody counts": ("9" * 5000, quantity.WRONG_FORMAT),
    "two points": ("1.2.3", quantity.WRONG_FORMAT),
    "an unknown suffix": ("1KiB", quantity.WRONG_FORMAT),
    "a suffix of known letters": ("1GG", quantity.WRONG_SUFFIX),
}

TEXT = st.builds(
    lambda whole, fraction, suffix: f"{whole}{fraction}{suffix}",
    st.integers(-(10**6), 10**6),
    st.sampled_from(["", ".5", ".25", ".001"]),
    st.sampled_from([s for s in quantity.SUFFIXES if s not in ("n", "u")]),
)


@pytest.mark.parametrize("text, canonical", CANONICAL.values(), ids=CANONICAL)
def test_canonical_form(text, canonical):
    assert quantity.canonical(text) == canonical


@pytest.mark.parametrize("text, message", REFUSED.values(), ids=REFUSED)
def test_refusals(text, message):
    with pytest.raises(ValueError) as caught:
        quantity.parse(text)
    assert str(caught.value) == message


@given(TEXT)
def test_the_canonical_form_means_the_same(text):
    shown = quantity.canonical(text)
    assert quantity.parse(str(quantity.parse(text))) == quantity.parse(text)
    assert quantity.parse(shown) == quantity.parse(text)
    # a binary one that lost its suffix reads as decimal
    if quantity.parse(shown).format == quantity.parse(text).format:
        assert quantity.canonical(shown) == shown


@given(TEXT, TEXT)
def test_addition_and_order_agree(left, right):
    a, b = quantity.parse(left), quantity.parse(right)
    assert (a + b) - b == a
    assert (a < b) is (a - b < quantity.ZERO)
    assert a + b == b + a


def test_whole_units_are_rounded_away_from_zero():
    assert quantity.parse("1500m").value == 2
    assert quantity.parse("-1500m").value == -2
    assert quantity.parse("100m").milli == 100
    assert quantity.parse("1Gi").value == 1 << 30


def test_a_sum_keeps_the_family_of_the_first():
    assert str(quantity.parse("512Mi") + quantity.parse("512Mi")) == "1Gi"
    assert str(quantity.total(["500m", "500m"])) == "1"
