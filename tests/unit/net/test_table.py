"""What is written into a table when something changes, and what is left alone."""

import re

from knarr.net.table import Part, Table

WEB, DB = ("default", "web"), ("default", "db")
BASE = "  map services { }\n"


def a_part(goal="c/web", rule="dnat to 10.0.0.2:80", key="10.96.0.20 . tcp . 80", sets=()) -> Part:
    return Part({goal: (rule,)}, dict(sets), {("services", key): f"goto {goal}"})


def a_table(**parts: Part) -> Table:
    table = Table("t")
    table.fill({("default", name): part for name, part in parts.items()})
    return table


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_the_whole_table_takes_the_place_of_the_old_one():
    text = a_table(web=a_part()).whole(BASE)
    assert text.startswith("table ip t {}\ndelete table ip t\ntable ip t {\n")
    assert "chain c/web {\n    dnat to 10.0.0.2:80\n" in text
    assert text.endswith("add element ip t services { 10.96.0.20 . tcp . 80 : goto c/web }\n")


def test_what_is_the_same_is_not_written():
    assert a_table(web=a_part()).changes({WEB: a_part()}, 0.0) == ""


def test_a_changed_endpoint_changes_one_chain():
    text = a_table(web=a_part(), db=a_part("c/db", key="x")).changes({WEB: a_part(rule="dnat to 10.0.0.3:80")}, 0.0)
    assert lines(text) == [
        "add chain ip t c/web",
        "flush chain ip t c/web",
        "add rule ip t c/web dnat to 10.0.0.3:80",
    ]


def test_a_new_service_adds_its_chains_before_what_leads_there():
    text = a_table().changes({WEB: a_part(sets={"known": "type ipv4_addr"}.items())}, 0.0)
    assert lines(text) == [
        "add set ip t known { type ipv4_addr; }",
        "add chain ip t c/web",
        "flush chain ip t c/web",
        "add rule ip t c/web dnat to 10.0.0.2:80",
        "add element ip t services { 10.96.0.20 . tcp . 80 : goto c/web }",
    ]


def test_a_service_that_goes_has_its_chain_deleted_a_second_later():
    table = a_table(web=a_part())
    text = table.changes({WEB: Part()}, 5.0)
    assert lines(text) == ["delete element ip t services { 10.96.0.20 . tcp . 80 }", "flush chain ip t c/web"]
    assert table.sweep(5.5) == ""
    assert table.sweep(6.0) == "delete chain ip t c/web\n"
    assert table.sweep(9.0) == ""


def test_a_service_that_comes_back_in_time_keeps_its_chain():
    table = a_table(web=a_part())
    table.changes({WEB: Part()}, 5.0)
    assert "add chain ip t c/web" in table.changes({WEB: a_part()}, 5.1)
    assert table.sweep(9.0) == ""


def test_an_address_that_two_want_is_the_firsts_until_it_goes():
    table = a_table(web=a_part(), db=a_part("c/db"))
    assert table.value(("services", "10.96.0.20 . tcp . 80")) == "goto c/db"
    text = table.changes({DB: Part()}, 0.0)
    assert re.findall("element.*", text) == [
        "element ip t services { 10.96.0.20 . tcp . 80 }",
        "element ip t services { 10.96.0.20 . tcp . 80 : goto c/web }",
    ]


def test_a_second_one_that_wants_it_changes_nothing_of_it():
    table = a_table(db=a_part("c/db"))
    assert "element" not in table.changes({WEB: a_part()}, 0.0)


def test_a_set_is_deleted_after_the_rules_that_use_it():
    table = a_table(web=a_part(sets={"known": "type ipv4_addr"}.items()))
    text = table.changes({WEB: a_part(rule="dnat to 10.0.0.3:80")}, 0.0)
    assert lines(text)[-1] == "delete set ip t known"
