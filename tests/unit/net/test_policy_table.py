"""A table's text, and the commands that make one of another."""

from knarr.net.policy_table import Chain, Table, difference, whole

HOOK = "type filter hook forward priority filter; policy accept"
KIND, MAP = ("set", "type ipv4_addr"), ("map", "type ipv4_addr : verdict")
OLD = Table(
    "t",
    {"base": Chain(("ip daddr vmap @m",), HOOK), "a": Chain(("ip saddr @s accept", "drop"))},
    {"m": MAP, "s": KIND},
    {"m": frozenset({"10.0.0.1 : jump a"}), "s": frozenset({"10.0.0.2"})},
)


def test_the_whole_of_a_table_replaces_what_is_there():
    assert whole(OLD).splitlines() == [
        "table ip t { }",
        "delete table ip t",
        "add table ip t",
        "add map ip t m { type ipv4_addr : verdict; }",
        "add set ip t s { type ipv4_addr; }",
        f"add chain ip t base {{ {HOOK}; }}",
        "add chain ip t a",
        "add element ip t m { 10.0.0.1 : jump a }",
        "add element ip t s { 10.0.0.2 }",
        "add rule ip t base ip daddr vmap @m",
        "add rule ip t a ip saddr @s accept",
        "add rule ip t a drop",
    ]


def test_a_table_without_chains_is_no_table():
    assert whole(Table("t")) == "table ip t { }\ndelete table ip t\n"
    assert difference(OLD, Table("t")) == "delete table ip t\n"
    assert difference(Table("t"), Table("t")) == ""


def test_the_same_table_needs_nothing():
    assert difference(OLD, OLD) == ""


def test_what_is_referred_to_goes_last_and_comes_first():
    new = Table(
        "t",
        {"base": OLD.chains["base"], "b": Chain(("ip saddr @q accept",))},
        {"m": MAP, "q": KIND},
        {"m": frozenset({"10.0.0.1 : jump b"}), "q": frozenset()},
    )
    assert difference(OLD, new).splitlines() == [
        "flush chain ip t a",
        "delete element ip t m { 10.0.0.1 }",
        "delete element ip t s { 10.0.0.2 }",
        "delete set ip t s",
        "delete chain ip t a",
        "add set ip t q { type ipv4_addr; }",
        "add chain ip t b",
        "add element ip t m { 10.0.0.1 : jump b }",
        "add rule ip t b ip saddr @q accept",
    ]


def test_a_chain_whose_rules_change_stays():
    new = Table("t", OLD.chains | {"a": Chain(("drop",))}, OLD.kinds, OLD.elements)
    assert difference(OLD, new).splitlines() == ["flush chain ip t a", "add rule ip t a drop"]
