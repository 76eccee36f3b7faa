"""Whether a controller has written a newer object than its cache shows."""

import pytest

from knarr.loop.written import Written
from knarr.testing.builders import a_pod

KEY = ("default", "a")


def version(text, uid="u"):
    return a_pod("a", uid=uid, meta={"resourceVersion": text})


CASES = {
    "what was written is newer": (version("9"), version("10"), True),
    "the cache shows it": (version("10"), version("10"), False),
    "the cache shows a later one": (version("11"), version("10"), False),
    "another object of the name": (version("9", "v"), version("10"), False),
    "versions that are no numbers tell nothing": (version("x"), version("y"), False),
}


@pytest.mark.parametrize("cached, mine, newer", CASES.values(), ids=CASES)
def test_is_newer(cached, mine, newer):
    written = Written()
    written.note(KEY, mine)
    assert written.is_newer(KEY, cached) is newer


def test_what_is_forgotten_is_never_newer():
    written = Written()
    written.note(KEY, version("10"))
    written.forget(KEY)
    assert not written.is_newer(KEY, version("9"))
