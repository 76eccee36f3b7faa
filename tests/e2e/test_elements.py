"""What is put into the kernel's maps without the nft command is what nft would have put there."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from knarr.net import elements, namespace, nft
from knarr.net.base_rules import base
from knarr.net.families import FOUR, SIX, Family
from knarr.net.table import Change, Element, Part, Table

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(shutil.which("nft") is None, reason="it is about nft's maps")]
PLACE = "elementtest"
BASES = {FOUR: base("10.96.0.0/16", []), SIX: base("fd00:10:96::/112", [], SIX)}
MANY = 3000  #: more than one message holds


@pytest.fixture
def place(host: Path) -> Iterator[str]:
    namespace.create(PLACE)
    yield PLACE
    namespace.delete(PLACE)


def listed(family: Family, place: str) -> str:
    """The loaded table as nft shows it, the elements of each map in order."""
    command = ["ip", "netns", "exec", place, "nft", "list", "table", family.nft, "t"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines, _, rest = said.partition("elements = {")
    shown = [lines]
    while rest:
        inside, _, rest = rest.partition("}")
        shown.append("\n".join(sorted(each.strip() for each in inside.split(","))))
        lines, _, rest = rest.partition("elements = {")
        shown.append(lines)
    return "\n".join(shown)


def some(family: Family) -> dict[Element, str]:
    """Of each sort of element one, and of one sort many."""
    own, end = ("10.96.0.20", "10.244.0.7") if family is FOUR else ("fd00:10:96::20", "fd00:10:244::7")
    many = (f"10.96.{1 + n // 250}.{1 + n % 250}" if family is FOUR else f"fd00:10:96::1:{n:x}" for n in range(MANY))
    return {
        ("hairpin", f"{end} . {end}"): "",
        ("services", f"{own} . 6 . 80"): "goto spread-3",
        ("node-ports", "17 . 30053"): "goto spread-1",
        ("refused", f"{own} . 132 . 65535"): "drop",
        ("refused-node-ports", "6 . 1"): "goto refuse",
        ("host-ports", "6 . 8000"): f"{end} . 8080",
        ("host-ports-at", f"{own} . 17 . 53"): f"{end} . 53",
        ("end-7", f"{own} . 6 . 80"): f"{end} . 8080",
        **{("services", f"{ip} . 17 . 53"): "goto spread-8" for ip in many},
    }


def load(table: Table, base_rules: str) -> None:
    assert not asyncio.run(nft.load(table.whole(base_rules), PLACE))


def test_the_kernel_has_what_nft_would_have_loaded(place: str):
    for family, base_rules in BASES.items():
        given = {("default", "web"): Part(elements=some(family))}
        wanted = Table("t", family.nft)
        wanted.fill(given)
        load(wanted, base_rules)
        expected = listed(family, place)
        empty = Table("t", family.nft)
        load(empty, base_rules)
        assert listed(family, place) != expected
        (change,) = empty.changes(given, 0.0)
        assert elements.load("t", family, change, place) == ""
        assert listed(family, place) == expected


def test_what_goes_and_what_comes_is_one_transaction(place: str):
    table = Table("t")
    table.fill({("default", "web"): Part(elements=some(FOUR))})
    load(table, BASES[FOUR])
    before = listed(FOUR, place)
    key = ("services", "10.96.0.20 . 6 . 80")
    for gone, new, why in (
        ([key], {key: "goto nowhere"}, "No such file or directory"),
        ([("services", "10.96.0.99 . 6 . 80")], {("node-ports", "6 . 2"): "drop"}, "No such file or directory"),
        ([], {key: "goto spread-4"}, "File exists"),
        ([], {("services", "no address . 6 . 80"): "drop"}, "illegal IP address"),
        ([], {("node-ports", "6 . 70000"): "drop"}, "format requires"),
    ):
        assert why in elements.load("t", FOUR, Change("ip t", {}, {}, gone, new), place)
        assert listed(FOUR, place) == before
    assert elements.load("t", FOUR, Change("ip t", {}, {}, [key], {key: "goto spread-4"}), place) == ""
    assert "10.96.0.20 . tcp . 80 : goto spread-4" in listed(FOUR, place)
