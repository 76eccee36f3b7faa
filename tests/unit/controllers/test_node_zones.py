"""How fast the pods of nodes that are not ready may go, by how their zones are."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from knarr.controllers.node_zones import Count, State, Zones, rate
from knarr.kinds.types.core_v1 import NodeCondition
from knarr.testing.builders import a_node

NOW = datetime(2026, 1, 1, tzinfo=UTC)

#: sentence -> ready, not ready, state, nodes a second
COUNTS = {
    "all are ready": (3, 0, State.NORMAL, 0.1),
    "two of three are not": (1, 2, State.NORMAL, 0.1),
    "less than 55 in a hundred are not": (46, 54, State.NORMAL, 0.1),
    "three of five are not": (2, 3, State.PARTIAL, 0.0),
    "more than half of fifty are not": (20, 30, State.PARTIAL, 0.0),
    "more than half of fifty-one are not": (21, 30, State.PARTIAL, 0.01),
    "none is ready": (0, 60, State.FULL, 0.1),
    "the only one is not": (0, 1, State.FULL, 0.1),
}


@pytest.mark.parametrize("ready, unready, state, speed", COUNTS.values(), ids=COUNTS)
def test_a_zone_where(ready, unready, state, speed):
    count = Count(ready, unready)
    assert (count.state, rate(count)) == (state, speed)


def node(name, zone="a", ready="True", **labels):
    found = a_node(name, labels={"topology.kubernetes.io/zone": zone, **labels})
    return replace(found, status=replace(found.status, conditions=[NodeCondition(type="Ready", status=ready)]))


def a_country(**zones):
    """Zones by their letters: "a" ready, "x" not."""
    country, nodes = Zones(), {}
    for zone, letters in zones.items():
        for number, letter in enumerate(letters):
            found = node(f"{zone}{number}", zone, "Unknown" if letter == "x" else "True")
            nodes[found.metadata.name] = found
            country.observe(None, found)
    return country, nodes


def falls(country, nodes, name):
    before = nodes[name]
    nodes[name] = node(name, name[0], "Unknown")
    return sorted(country.observe(before, nodes[name]))


def after(seconds):
    return NOW + timedelta(seconds=seconds)


def test_one_node_every_ten_seconds_of_each_zone():
    country, nodes = a_country(a="xx..", b="x...")
    assert country.turn(nodes["a0"], NOW) == NOW
    assert country.turn(nodes["a1"], after(4)) == after(10)
    assert country.turn(nodes["b0"], after(4)) == after(4)
    assert country.turn(nodes["a1"], after(10)) == after(10)
    assert country.turn(nodes["a0"], after(12)) == after(20)


def test_none_of_a_small_zone_that_is_mostly_down_and_one_in_hundred_seconds_of_a_large_one():
    country, nodes = a_country(a="xxx..", b="x" * 30 + "." * 21)
    assert country.turn(nodes["a0"], NOW) is None
    assert country.turn(nodes["b0"], NOW) == NOW
    assert country.turn(nodes["b1"], after(10)) == after(100)


def test_a_zone_that_is_wholly_down_loses_its_pods_as_fast_as_ever_unless_all_are():
    country, nodes = a_country(a="xxxx", b=".")
    assert country.turn(nodes["a0"], NOW) == NOW
    assert country.turn(nodes["a1"], NOW) == after(10)
    assert falls(country, nodes, "b0") == ["a0", "a1", "a2", "a3", "b0"]
    assert country.down
    assert country.turn(nodes["a1"], after(10)) is None


def test_the_nodes_of_a_zone_are_looked_at_when_its_state_changes():
    country, nodes = a_country(a=".....", b="..")
    assert falls(country, nodes, "a0") == []
    assert falls(country, nodes, "a1") == []
    assert falls(country, nodes, "a2") == ["a0", "a1", "a2", "a3", "a4"]
    assert country.states() == {State.PARTIAL: 1, State.NORMAL: 1}


def test_all_nodes_are_looked_at_when_the_first_is_ready_again():
    country, nodes = a_country(a="xx", b="x")
    assert country.down
    assert sorted(country.observe(nodes["b0"], node("b0", "b"))) == ["a0", "a1", "b0"]
    assert not country.down


def test_a_node_that_is_excluded_does_not_count():
    country, _ = a_country(a=".")
    country.observe(None, node("z", "a", "Unknown", **{"node.kubernetes.io/exclude-disruption": ""}))
    assert country.states() == {State.NORMAL: 1}


def test_a_zone_whose_nodes_are_gone_is_forgotten():
    country, nodes = a_country(a="x", b=".")
    country.observe(nodes["a0"], None)
    assert country.states() == {State.NORMAL: 1}
