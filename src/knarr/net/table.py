"""One nftables table as data, and the commands that turn what is loaded into what is wanted. Pure.

Each service has a part of its own: chains, maps and elements. Only the parts that changed are written. Two services may
want the same element (an external address, a pod that reaches itself): the first of them by name has it, and the next
one when it goes. A chain that is no longer wanted is emptied at once and deleted a second later: before Linux 6.2 it
counts as in use until the element that led to it is really gone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Owner = tuple[str, str]  #: namespace and name of a service
Element = tuple[str, str]  #: the map or set, and the key in it
STALE_SECONDS = 1.0


@dataclass(slots=True)
class Part:
    """What one service has in the table. `elements` of a set lead nowhere: their value is ""."""

    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    maps: dict[str, str] = field(default_factory=dict)  #: its own, name to declaration
    elements: dict[Element, str] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether it is nothing but elements."""
        return not (self.chains or self.maps)


EMPTY = Part()


@dataclass(frozen=True, slots=True)
class Change:
    """What makes what is wanted of what is loaded: of a chain its rules, of a map its declaration, of an element its
    goal; None takes it away."""

    table: str  #: as nft names it
    chains: Mapping[str, tuple[str, ...] | None]
    maps: Mapping[str, str | None]
    gone: Sequence[Element]
    new: Mapping[Element, str]

    @property
    def is_of_elements(self) -> bool:
        return not self.chains and not self.maps

    def __bool__(self) -> bool:
        return bool(self.chains or self.maps or self.gone or self.new)

    def text(self) -> str:
        """The commands for `nft -f`; "" when nothing has to be done."""
        return "".join(self._commands())

    def _commands(self) -> Iterable[str]:
        at = self.table
        yield from (f"add map {at} {name} {{ {text}; }}\n" for name, text in self.maps.items() if text is not None)
        yield from (f"add chain {at} {name}\n" for name, rules in self.chains.items() if rules is not None)
        yield from written("delete", at, dict.fromkeys(self.gone, ""))
        for name, rules in self.chains.items():
            yield f"flush chain {at} {name}\n"
            yield from (f"add rule {at} {name} {rule}\n" for rule in rules or ())
        yield from written("add", at, self.new)
        yield from (f"delete map {at} {name}\n" for name, text in self.maps.items() if text is None)


def written(verb: str, table: str, elements: Mapping[Element, str]) -> Iterable[str]:
    """The commands that do it with all elements of each map at once."""
    for name, held in by_map(elements).items():
        listed = ", ".join(f"{key} : {goal}" if goal else key for key, goal in held)
        yield f"{verb} element {table} {name} {{ {listed} }}\n"


def by_map(elements: Mapping[Element, str]) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Each map's keys and goals."""
    held: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for (name, key), goal in elements.items():
        held[name].append((key, goal))
    return held


@dataclass(slots=True)
class Table:
    """What is loaded in one network namespace."""

    name: str
    family: str = "ip"  #: as nft calls it
    parts: dict[Owner, Part] = field(default_factory=dict)
    stale: dict[str, float] = field(default_factory=dict)  #: chains to delete, and since when
    _claims: dict[Element, dict[Owner, str]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """How nft names it."""
        return f"{self.family} {self.name}"

    def fill(self, parts: Mapping[Owner, Part]) -> None:
        """Begin anew with these parts."""
        self.parts, self.stale, self._claims = {}, {}, {}
        for owner, part in parts.items():
            self._put(owner, part)

    def changes(self, parts: Mapping[Owner, Part], now: float) -> list[Change]:
        """Take in what changed of some services; what is to be done for it, one after another. Services that were and
        are nothing but elements are changed apart from the others."""
        changed = {owner: part for owner, part in parts.items() if part != self.parts.get(owner, EMPTY)}
        plain = {owner for owner, part in changed.items() if part.is_plain and self.parts.get(owner, EMPTY).is_plain}
        groups = [[owner for owner in changed if (owner in plain) is which] for which in (False, True)]
        changes = (self._change({owner: changed[owner] for owner in group}, now) for group in groups if group)
        return [each for each in changes if each]

    def everything(self) -> list[Change]:
        """What makes all of it of a table without services: their chains, and then what leads there."""
        chains = {name: rules for part in self.parts.values() for name, rules in part.chains.items()}
        maps = {name: text for part in self.parts.values() for name, text in part.maps.items()}
        held: tuple[dict[Element, str], dict[Element, str]] = {}, {}
        for element, claims in self._claims.items():
            held[element[0] not in maps][element] = _first(claims)
        changes = Change(self.title, chains, maps, (), held[False]), Change(self.title, {}, {}, (), held[True])
        return [each for each in changes if each]

    def _change(self, parts: Mapping[Owner, Part], now: float) -> Change:
        before: dict[Element, str | None] = {}
        chains: dict[str, tuple[str, ...] | None] = {}
        maps: dict[str, str | None] = {}
        for owner, part in parts.items():
            old = self.parts.get(owner, EMPTY)
            for elements in (old.elements, part.elements):
                for each in elements:
                    if each not in before:
                        before[each] = self.value(each)
            chains |= {name: None for name in old.chains if name not in part.chains}
            chains |= {name: rules for name, rules in part.chains.items() if old.chains.get(name) != rules}
            maps |= {name: None for name in old.maps if name not in part.maps}
            maps |= {name: text for name, text in part.maps.items() if name not in old.maps}
            self._put(owner, part)
        for name, rules in chains.items():
            if rules is None:
                self.stale[name] = now
            else:
                self.stale.pop(name, None)
        gone: list[Element] = []
        new: dict[Element, str] = {}
        for each, goal in before.items():
            wanted = self.value(each)
            if goal == wanted:
                continue
            if goal is not None and maps.get(each[0], "") is not None:  # else it goes with its map
                gone.append(each)
            if wanted is not None:
                new[each] = wanted
        return Change(self.title, chains, maps, gone, new)

    def sweep(self, now: float) -> str:
        """The commands that delete what has been stale long enough."""
        due = [name for name, since in self.stale.items() if now - since >= STALE_SECONDS]
        for name in due:
            del self.stale[name]
        return "".join(f"delete chain {self.title} {name}\n" for name in due)

    def value(self, element: Element) -> str | None:
        """What an element leads to, None when nobody wants it."""
        claims = self._claims.get(element)
        return _first(claims) if claims else None

    def whole(self, base: str) -> str:
        """Everything, as one text for `nft -f`; `base` is what every table has."""
        chains = "".join(
            f"  chain {name} {{\n" + "".join(f"    {rule}\n" for rule in rules) + "  }\n"
            for part in self.parts.values()
            for name, rules in part.chains.items()
        )
        maps = "".join(
            f"  map {name} {{\n    {text}\n  }}\n" for part in self.parts.values() for name, text in part.maps.items()
        )
        elements = {each: _first(claims) for each, claims in self._claims.items()}
        filled = "".join(written("add", self.title, elements))
        anew = f"table {self.title} {{}}\ndelete table {self.title}\n"
        return f"{anew}table {self.title} {{\n{maps}{base}{chains}}}\n{filled}"

    def _put(self, owner: Owner, part: Part) -> None:
        for element in self.parts.get(owner, EMPTY).elements:
            claims = self._claims[element]
            del claims[owner]
            if not claims:
                del self._claims[element]
        for element, goal in part.elements.items():
            if (known := self._claims.get(element)) is None:
                self._claims[element] = {owner: goal}
            else:
                known[owner] = goal
        if part == EMPTY:
            self.parts.pop(owner, None)
        else:
            self.parts[owner] = part


def _first(claims: Mapping[Owner, str]) -> str:
    """What the first by name of those who want an element has it lead to."""
    return claims[min(claims)] if len(claims) > 1 else next(iter(claims.values()))
