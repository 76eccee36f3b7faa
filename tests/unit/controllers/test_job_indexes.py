"""Sets of completion indexes, as they are written and as they are reckoned with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.controllers.job_indexes import Indexes, missing, of, parse

TEXTS = {
    "nothing": ("", 10, ""),
    "one": ("3", 10, "3"),
    "two neighbours are no range": ("3,4", 10, "3,4"),
    "three are": ("3,4,5", 10, "3-5"),
    "ranges that touch are one": ("0-3,4-6", 10, "0-6"),
    "what is out of order": ("7,1-3", 10, "1-3,7"),
    "a range is cut at the completions": ("1-20", 5, "1-4"),
    "what begins after them is left out": ("1,5-9", 5, "1"),
    "what is no interval is passed over": ("1,x,3-y,-2,4", 10, "1,4"),
}


@pytest.mark.parametrize("text, completions, shown", TEXTS.values(), ids=TEXTS)
def test_parse(text, completions, shown):
    assert str(parse(text, completions)) == shown


MISSING = {
    "of none taken, the first": ("", 5, 3, [0, 1, 2]),
    "the gaps come first": ("0,2-3", 6, 3, [1, 4, 5]),
    "no more than there are": ("0,2", 4, 10, [1, 3]),
    "none of all": ("0-3", 4, 2, []),
    "what is taken beyond the completions does not matter": ("0,7-9", 3, 5, [1, 2]),
}


@pytest.mark.parametrize("taken, completions, count, found", MISSING.values(), ids=MISSING)
def test_missing(taken, completions, count, found):
    assert missing(parse(taken, 100), completions, count) == found


SETS = st.sets(st.integers(0, 40))


@given(SETS, SETS)
def test_they_are_sets(one, other):
    first, second = of(one), of(other)
    assert first | second == of(one | other)
    assert first & second == of(one & other)
    assert len(first) == len(one)
    assert {n for n in range(45) if n in first} == one
    assert parse(str(first), 45) == first
    assert missing(first, 30, 7) == sorted(set(range(30)) - one)[:7]


def test_a_large_set_costs_its_gaps_only():
    everything = parse("0-99999", 100_000)
    assert everything == Indexes(((0, 99_999),))
    assert missing(everything, 100_000, 500) == []
