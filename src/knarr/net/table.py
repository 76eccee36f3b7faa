"""One nftables table as data, and the commands that turn what is loaded into what is wanted. Pure.

Each service has a part of its own: chains, sets and elements. Only the parts that changed are written. Two services may
want the same element (an external address, a pod that reaches itself): the first of them by name has it, and the next
one when it goes. A chain that is no longer wanted is emptied at once and deleted a second later: before Linux 6.2 it
counts as in use until the element that led to it is really gone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Owner = tuple[str, str]  #: namespace and name of a service
Element = tuple[str, str]  #: the map or set, and the key in it
STALE_SECONDS = 1.0


@dataclass(slots=True)
class Part:
    """What one service has in the table. `elements` of a set lead nowhere: their value is ""."""

    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sets: dict[str, str] = field(default_factory=dict)  #: name to declaration
    elements: dict[Element, str] = field(default_factory=dict)


EMPTY = Part()


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

    def changes(self, parts: Mapping[Owner, Part], now: float) -> str:
        """Take in what changed of some services; the commands for it, "" when nothing has to be done."""
        before: dict[Element, str | None] = {}
        chains: dict[str, tuple[str, ...] | None] = {}
        sets: dict[str, str | None] = {}
        for owner, part in parts.items():
            old = self.parts.get(owner, EMPTY)
            if part == old:
                continue
            for element in {*old.elements, *part.elements}:
                before.setdefault(element, self.value(element))
            chains |= {name: None for name in old.chains if name not in part.chains}
            chains |= {name: rules for name, rules in part.chains.items() if old.chains.get(name) != rules}
            sets |= {name: None for name in old.sets if name not in part.sets}
            sets |= {name: text for name, text in part.sets.items() if name not in old.sets}
            self._put(owner, part)
        after = {element: self.value(element) for element in before}
        return "".join(self._commands(before, after, chains, sets, now))

    def _commands(
        self,
        before: Mapping[Element, str | None],
        after: Mapping[Element, str | None],
        chains: Mapping[str, tuple[str, ...] | None],
        sets: Mapping[str, str | None],
        now: float,
    ) -> Iterable[str]:
        at = self.title
        yield from (f"add set {at} {name} {{ {text}; }}\n" for name, text in sets.items() if text is not None)
        yield from (f"add chain {at} {name}\n" for name, rules in chains.items() if rules is not None)
        changed = [element for element in before if before[element] != after[element]]
        yield from self._elements("delete", {one: "" for one in changed if before[one] is not None})
        for name, rules in chains.items():
            yield f"flush chain {at} {name}\n"
            if rules is None:
                self.stale[name] = now
            else:
                self.stale.pop(name, None)
                yield from (f"add rule {at} {name} {rule}\n" for rule in rules)
        yield from self._elements("add", {one: goal for one in changed if (goal := after[one]) is not None})
        yield from (f"delete set {at} {name}\n" for name, text in sets.items() if text is None)

    def sweep(self, now: float) -> str:
        """The commands that delete what has been stale long enough."""
        due = [name for name, since in self.stale.items() if now - since >= STALE_SECONDS]
        for name in due:
            del self.stale[name]
        return "".join(f"delete chain {self.title} {name}\n" for name in due)

    def value(self, element: Element) -> str | None:
        """What an element leads to, None when nobody wants it."""
        claims = self._claims.get(element)
        return claims[min(claims)] if claims else None

    def whole(self, base: str) -> str:
        """Everything, as one text for `nft -f`; `base` is what every table has."""
        held: defaultdict[str, list[str]] = defaultdict(list)
        for (name, key), claims in self._claims.items():
            goal = claims[min(claims)] if len(claims) > 1 else next(iter(claims.values()))
            held[name].append(f"{key} : {goal}" if goal else key)
        chains = "".join(
            f"  chain {name} {{\n" + "".join(f"    {rule}\n" for rule in rules) + "  }\n"
            for part in self.parts.values()
            for name, rules in part.chains.items()
        )
        sets = "".join(
            f"  set {name} {{\n    {text}\n  }}\n" for part in self.parts.values() for name, text in part.sets.items()
        )
        filled = "".join(f"add element {self.title} {name} {{ {', '.join(of)} }}\n" for name, of in held.items())
        anew = f"table {self.title} {{}}\ndelete table {self.title}\n"
        return f"{anew}table {self.title} {{\n{sets}{base}{chains}}}\n{filled}"

    def _elements(self, verb: str, elements: Mapping[Element, str]) -> Iterable[str]:
        held: dict[str, list[str]] = {}
        for (name, key), goal in elements.items():
            held.setdefault(name, []).append(f"{key} : {goal}" if goal else key)
        yield from (f"{verb} element {self.title} {name} {{ {', '.join(of)} }}\n" for name, of in held.items())

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
