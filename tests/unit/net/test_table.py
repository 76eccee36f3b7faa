"""What is written into a table when something changes, and what is left alone."""

import re
from collections.abc import Iterable

from knarr.net.table import Change, Part, Table

WEB, DB = ("default", "web"), ("default", "db")
BASE = "  map services { }\n"


def a_part(goal="c/web", rule="dnat to 10.0.0.2:80", key="10.96.0.20 . tcp . 80", maps=()) -> Part:
    return Part({goal: (rule,)}, dict(maps), {("services", key): f"goto {goal}"})


def a_table(**parts: Part) -> Table:
    table = Table("t")
    table.fill({("default", name): part for name, part in parts.items()})
    return table


def text(changes: Iterable[Change]) -> str:
    return "".join(change.text() for change in changes)


def lines(changes: Iterable[Change]) -> list[str]:
    return text(changes).splitlines()


def test_the_whole_table_takes_the_place_of_the_old_one():
    text = a_table(web=a_part()).whole(BASE)
    assert text.startswith("table ip t {}\ndelete table ip t\ntable ip t {\n")
    assert "chain c/web {\n    dnat to 10.0.0.2:80\n" in text
    assert text.endswith("add element ip t services { 10.96.0.20 . tcp . 80 : goto c/web }\n")


def test_what_is_the_same_is_not_written():
    assert a_table(web=a_part()).changes({WEB: a_part()}, 0.0) == []


def test_a_changed_endpoint_changes_one_chain():
    changes = a_table(web=a_part(), db=a_part("c/db", key="x")).changes({WEB: a_part(rule="dnat to 10.0.0.3:80")}, 0.0)
    assert lines(changes) == [
        "add chain ip t c/web",
        "flush chain ip t c/web",
        "add rule ip t c/web dnat to 10.0.0.3:80",
    ]


def test_a_new_service_adds_its_chains_before_what_leads_there():
    changes = a_table().changes({WEB: a_part(maps={"known": "type ipv4_addr : mark"}.items())}, 0.0)
    assert lines(changes) == [
        "add map ip t known { type ipv4_addr : mark; }",
        "add chain ip t c/web",
        "flush chain ip t c/web",
        "add rule ip t c/web dnat to 10.0.0.2:80",
        "add element ip t services { 10.96.0.20 . tcp . 80 : goto c/web }",
    ]


def test_a_service_that_goes_has_its_chain_deleted_a_second_later():
    table = a_table(web=a_part())
    changes = table.changes({WEB: Part()}, 5.0)
    assert lines(changes) == ["delete element ip t services { 10.96.0.20 . tcp . 80 }", "flush chain ip t c/web"]
    assert table.sweep(5.5) == ""
    assert table.sweep(6.0) == "delete chain ip t c/web\n"
    assert table.sweep(9.0) == ""


def test_a_service_that_comes_back_in_time_keeps_its_chain():
    table = a_table(web=a_part())
    table.changes({WEB: Part()}, 5.0)
    assert "add chain ip t c/web" in lines(table.changes({WEB: a_part()}, 5.1))
    assert table.sweep(9.0) == ""


def test_an_address_that_two_want_is_the_firsts_until_it_goes():
    table = a_table(web=a_part(), db=a_part("c/db"))
    assert table.value(("services", "10.96.0.20 . tcp . 80")) == "goto c/db"
    changes = table.changes({DB: Part()}, 0.0)
    assert re.findall("element.*", text(changes)) == [
        "element ip t services { 10.96.0.20 . tcp . 80 }",
        "element ip t services { 10.96.0.20 . tcp . 80 : goto c/web }",
    ]


def test_a_second_one_that_wants_it_changes_nothing_of_it():
    table = a_table(db=a_part("c/db"))
    assert "element" not in text(table.changes({WEB: a_part()}, 0.0))


def test_a_map_is_deleted_after_the_rules_that_use_it():
    table = a_table(web=a_part(maps={"known": "type ipv4_addr : mark"}.items()))
    changes = table.changes({WEB: a_part(rule="dnat to 10.0.0.3:80")}, 0.0)
    assert lines(changes)[-1] == "delete map ip t known"


def plain(*keys: str) -> Part:
    """A service that is nothing but elements."""
    return Part(elements={("services", key): "goto spread-1" for key in keys})


def test_services_that_are_nothing_but_elements_are_changed_apart():
    table = a_table(web=plain("a", "b"))
    chained, alone = table.changes({WEB: plain("b", "c"), DB: a_part("c/db")}, 0.0)
    assert (chained.is_of_elements, list(chained.chains)) == (False, ["c/db"])
    assert alone.is_of_elements
    assert lines([alone]) == [
        "delete element ip t services { a }",
        "add element ip t services { c : goto spread-1 }",
    ]


def test_a_service_that_gets_chains_is_no_plain_one_and_neither_is_one_that_loses_them():
    table = a_table(web=plain("a"))
    for part in (a_part(), plain("a")):
        (change,) = table.changes({WEB: part}, 0.0)
        assert not change.is_of_elements
    assert not any(change.is_of_elements for change in a_table(web=a_part()).changes({WEB: Part()}, 0.0))


def test_everything_is_chains_and_what_is_in_their_own_maps_and_then_what_leads_there():
    own = Part(
        {"c/db": ("dnat",)}, {"ends": "type mark : ipv4_addr"}, {("ends", "1"): "x", ("services", "z"): "goto c/db"}
    )
    chained, leading = a_table(web=plain("a"), db=own).everything()
    assert lines([chained]) == [
        "add map ip t ends { type mark : ipv4_addr; }",
        "add chain ip t c/db",
        "flush chain ip t c/db",
        "add rule ip t c/db dnat",
        "add element ip t ends { 1 : x }",
    ]
    assert leading.is_of_elements
    assert lines([leading]) == ["add element ip t services { a : goto spread-1, z : goto c/db }"]
    assert a_table().everything() == []


def test_what_is_in_a_map_that_goes_is_not_taken_out_of_it():
    own = Part({"c/db": ("dnat",)}, {"ends": "type mark : ipv4_addr"}, {("ends", "1"): "x"})
    assert "element" not in text(a_table(db=own).changes({DB: Part()}, 0.0))
