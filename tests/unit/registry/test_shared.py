"""Shared lists are byte for byte what a list of one's own is, whatever is written in between."""

import msgspec
import pytest

from knarr.registry.shared import KEPT, Joined, Kept, Pages, together


class Item:
    def __init__(self, text):
        self.raw = b'{"apiVersion":"v1","kind":"X","metadata":{"name":"%b"}}' % text


@pytest.mark.parametrize("names", [[], [b"a"], [b"a", b"b", b"c"]], ids=["none", "one", "three"])
def test_a_list_is_its_items_joined(names):
    found = msgspec.json.decode(together(b'{"kind":"XList"', [Item(name) for name in names]))
    assert found == {"kind": "XList", "items": [{"metadata": {"name": name.decode()}} for name in names]}


def test_from_the_second_request_on_all_get_the_same_bytes():
    page = Kept(1, [Item(b"a")], more=False, asked=1)
    assert not isinstance(page.join(b'{"rv":"1"'), Joined)
    page.asked = 2
    first = page.join(b'{"rv":"1"')
    assert page.join(b'{"rv":"1"') is first


def test_another_head_leaves_the_items_as_they_are():
    page = Kept(1, [Item(b"a"), Item(b"b")], more=False, asked=2)
    page.join(b'{"rv":"1"')
    assert page.join(b'{"rv":"1000"') == together(b'{"rv":"1000"', page.entries)


def test_a_page_of_another_state_is_not_found():
    pages = Pages()
    pages.keep(("p", "", "", 0), Kept(1, [], more=False))
    assert pages.find(("p", "", "", 0), 2) is None
    assert pages.find(("p", "", "", 0), 1) is None  # what is old is forgotten


def test_what_is_kept_is_bounded():
    pages = Pages()
    for number in range(3):
        page = Kept(1, [], more=False, body=Joined(b"x" * (KEPT // 2 + 1)))
        pages.keep(("p", "", "", number), page)
    assert [pages.find(("p", "", "", number), 1) is not None for number in range(3)] == [False, False, True]
