"""An nftables table as data, its text, and the text that makes one of another. Pure; `policy.py` loads it.

What nft reads is one transaction: it happens as a whole or not at all.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

BATCH = 500  #: elements in one line


@dataclass(frozen=True, slots=True)
class Chain:
    """Rules; `hook` is what a chain says of where packets come in, "" when only other chains lead to it."""

    rules: tuple[str, ...]
    hook: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table. Without chains it does nothing, and is not loaded at all.

    `kinds`: what each set or map is, as nft declares it ("set", "type ipv4_addr"). `elements`: what is in them; of a
    map "key : verdict".
    """

    name: str
    chains: Mapping[str, Chain] = field(default_factory=dict)
    kinds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    elements: Mapping[str, frozenset[str]] = field(default_factory=dict)
    family: str = "ip"

    @property
    def title(self) -> str:
        """How nft names it."""
        return f"{self.family} {self.name}"


def suspects(table: Table) -> set[str]:
    """The chains that are policies' own: they have rules, and others lead to them by `jump`."""
    return {name for name, chain in table.chains.items() if chain.rules and name.startswith(("in-", "out-"))}


def emptied(table: Table, names: Collection[str]) -> Table:
    """The table with these chains empty."""
    if not names:
        return table
    return replace(table, chains={name: Chain(()) if name in names else each for name, each in table.chains.items()})


def whole(table: Table) -> str:
    """The text that puts this table in the place of whatever has its name."""
    clean = f"table {table.title} {{ }}\ndelete table {table.title}\n"
    return clean + (difference(None, table) if table.chains else "")


def difference(old: Table | None, new: Table) -> str:
    """The text that makes `new` of the loaded table `old`, "" when they are the same; None: of nothing at all."""
    if old is None or not old.chains:
        lines = (f"add table {new.title}", *_steps(Table(new.name, family=new.family), new)) if new.chains else ()
        return "".join(f"{line}\n" for line in lines)
    if not new.chains:
        return f"delete table {new.title}\n"
    return "".join(f"{line}\n" for line in _steps(old, new))


def _steps(old: Table, new: Table) -> Iterator[str]:
    """What is referred to comes before what refers to it, and goes after it."""
    stale = [name for name, chain in old.chains.items() if chain != new.chains.get(name)]
    fresh = [name for name, chain in new.chains.items() if chain != old.chains.get(name)]
    gone = [name for name, kind in old.kinds.items() if new.kinds.get(name) != kind]
    yield from (f"flush chain {new.title} {name}" for name in stale)
    for name, held in old.elements.items():
        left = frozenset() if name in gone else new.elements.get(name, frozenset())
        if held is not left:
            yield from _elements("delete", new.title, name, (_key(each) for each in held - left))
    yield from (f"delete {old.kinds[name][0]} {new.title} {name}" for name in gone)
    yield from (f"delete chain {new.title} {name}" for name in stale if not _stays(name, old, new))
    for name, (what, type_) in new.kinds.items():
        if name in gone or name not in old.kinds:
            yield f"add {what} {new.title} {name} {{ {type_}; }}"
    yield from (_chain(new, name) for name in fresh if not _stays(name, old, new))
    for name, held in new.elements.items():
        before = frozenset() if name in gone else old.elements.get(name, frozenset())
        if held is not before:
            yield from _elements("add", new.title, name, held - before)
    yield from (f"add rule {new.title} {name} {rule}" for name in fresh for rule in new.chains[name].rules)


def _stays(name: str, old: Table, new: Table) -> bool:
    """Whether a chain is in both, and only its rules change."""
    return name in old.chains and name in new.chains and old.chains[name].hook == new.chains[name].hook


def _chain(table: Table, name: str) -> str:
    hook = table.chains[name].hook
    return f"add chain {table.title} {name}" + (f" {{ {hook}; }}" if hook else "")


def _elements(verb: str, table: str, name: str, elements: Iterable[str]) -> Iterator[str]:
    ordered = sorted(elements)
    for at in range(0, len(ordered), BATCH):
        yield f"{verb} element {table} {name} {{ {', '.join(ordered[at : at + BATCH])} }}"


def _key(element: str) -> str:
    """What an element of a map is found by."""
    return element.partition(" : ")[0]
