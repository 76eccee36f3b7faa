"""The compatibility table: written and read back, and compared with what a run showed."""

import pytest

from tests.wire.compatibility import differences, merged, page, read

TABLE = {
    "apply: again": {"kubectl 1.20": "yes", "kubectl 1.33": "yes"},
    "create token": {"kubectl 1.20": "n/a", "kubectl 1.33": "yes"},
    "watch": {"lightkube": "yes", "kr8s": "yes"},
}


def test_the_page_can_be_read_back():
    versions = {"kubectl 1.20": "1.20.2", "kubectl 1.33": "1.33.1", "lightkube": "1.0", "kr8s": "0.2"}
    assert read(page(TABLE, versions)) == (TABLE, versions)


DIFFERENCES = {
    "the same run": (TABLE, []),
    "a machine without an old kubectl and without kr8s": (
        {
            "apply: again": {"kubectl 1.33": "yes"},
            "create token": {"kubectl 1.33": "yes"},
            "watch": {"lightkube": "yes"},
        },
        [],
    ),
    "an operation that the page lacks": (
        {**TABLE, "wait": {"kr8s": "yes"}},
        ["wait with kr8s: the page says nothing, the run yes"],
    ),
    "an operation that no test shows any longer": (
        {"apply: again": {"kubectl 1.33": "yes"}, "watch": TABLE["watch"]},
        [
            "create token with kubectl 1.20: the page says n/a, the run nothing",
            "create token with kubectl 1.33: the page says yes, the run nothing",
        ],
    ),
    "another outcome": (
        {**TABLE, "watch": {"lightkube": "NO", "kr8s": "yes"}},
        ["watch with lightkube: the page says yes, the run NO"],
    ),
}


@pytest.mark.parametrize(("run", "told"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_page_is_stale_when_the_run_shows_otherwise(run, told):
    assert list(differences(TABLE, run)) == told
    assert list(differences(merged(TABLE, run), run)) == []
