"""Label selectors: matching, their LabelSelector form and their string form `app=db,tier in (a,b),!old`.

The registry filters lists and watches with them, controllers claim pods with them. The string form is read one
word at a time; `in` and `notin` are operators only where an operator may stand.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from knarr.meta.errors import BadRequest
from knarr.meta.field import FieldError, wrong
from knarr.meta.names import label_value_errors, qualified_errors

OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}  # of a LabelSelector object
BINARY = {"in": "in", "notin": "notin", "=": "=", "==": "=", "!=": "!=", ">": "gt", "<": "lt"}
_TOKEN = re.compile(r"[ \t\r\n]*(!=|==|[=!(),<>]|[^ \t\r\n=!(),<>]+)")
_SPECIAL = {"!=", "==", "=", "!", "(", ")", ",", "<", ">"}


class Expression(Protocol):
    """A LabelSelectorRequirement of any API version."""

    @property
    def key(self) -> str: ...
    @property
    def operator(self) -> str: ...
    @property
    def values(self) -> Sequence[str]: ...


class SelectorObject(Protocol):
    """A LabelSelector of any API version."""

    @property
    def matchLabels(self) -> Mapping[str, str]: ...  # noqa: N802 (the API's name)
    @property
    def matchExpressions(self) -> Sequence[Expression]: ...  # noqa: N802 (the API's name)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one key. `operator` is as in the string form: =, !=, in, notin, exists, !, gt, lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "=" | "in":
                return value in self.values
            case "!=" | "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        try:
            number, bound = int(value), int(self.values[0])
        except ValueError:
            return False
        return number > bound if self.operator == "gt" else number < bound

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return "!" + self.key
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(self.values)})"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == 'gt' else '<'}{self.values[0]}"
        return f"{self.key}{self.operator}{self.values[0]}"


@dataclass(frozen=True, slots=True)
class Selector:
    """Requirements that must all hold, sorted by key; or nothing at all."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False
    _equal: Mapping[str, str] = field(
        init=False, repr=False, compare=False
    )  # what the requirements of equality ask for
    _others: tuple[Requirement, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        equal = {each.key: each.values[0] for each in self.requirements if each.operator == "="}
        object.__setattr__(self, "_equal", equal)
        others = (each for each in self.requirements if each.operator != "=" or equal[each.key] != each.values[0])
        object.__setattr__(self, "_others", tuple(others))

    @property
    def empty(self) -> bool:
        """Whether it selects everything."""
        return not self.requirements and not self.nothing

    def matches(self, labels: Mapping[str, str]) -> bool:
        if self.nothing or not self._equal.items() <= labels.items():
            return False
        for requirement in self._others:  # noqa: SIM110 (a generator takes twice as long: all pods, each pass)
            if not requirement.matches(labels):
                return False
        return True

    def demands(self, labels: Mapping[str, str]) -> bool:
        """Whether whatever it selects has these labels; one that selects by other means than equality may say no."""
        return self.nothing or labels.items() <= self._equal.items()

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def of_labels(labels: Mapping[str, str]) -> Selector:
    """The selector of a plain map, as Services and ReplicationControllers have."""
    return Selector(tuple(Requirement(key, "=", (labels[key],)) for key in sorted(labels)))


def of_object(selector: SelectorObject | None) -> Selector:
    """The selector of a LabelSelector: None selects nothing, an empty one everything. Raises ValueError if invalid."""
    if selector is None:
        return NOTHING
    found = [Requirement(key, "=", (value,)) for key, value in selector.matchLabels.items()]
    for expression in selector.matchExpressions:
        operator = OPERATORS.get(expression.operator)
        if operator is None:
            raise ValueError(f'"{expression.operator}" is not a valid label selector operator')
        if bool(expression.values) is not (operator in ("in", "notin")):
            raise ValueError(f"{expression.operator} and its values do not go together")
        found.append(Requirement(expression.key, operator, tuple(sorted(set(expression.values)))))
    return Selector(tuple(sorted(found, key=lambda r: r.key)))


def selects(selector: SelectorObject | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects an object with these labels; cheap where it does not. Raises as `of_object`."""
    if selector is None or any(labels.get(key) != value for key, value in selector.matchLabels.items()):
        return False
    return not selector.matchExpressions or of_object(selector).matches(labels)


def shown(selector: SelectorObject | None) -> str:
    """A LabelSelector in string form, as tables and /scale show it; "" where there is none or it is invalid."""
    try:
        return str(of_object(selector))
    except ValueError:
        return ""


class _Unparsable(Exception):
    pass


@lru_cache(maxsize=512)
def parse(text: str) -> Selector:
    """Read a selector; raise BadRequest, worded as upstream does, when it is none."""
    if not text:
        return EVERYTHING
    try:
        return Selector(tuple(sorted(_Parser(text).selector(), key=lambda r: r.key)))
    except _Unparsable as wrong_text:
        raise BadRequest(str(wrong_text)) from None


class _Parser:
    """One pass over one selector."""

    def __init__(self, text: str) -> None:
        self.words: list[str] = [*_TOKEN.findall(text), ""]
        self.position = 0

    def selector(self) -> list[Requirement]:
        found: list[Requirement] = []
        while word := self.peek():
            if word != "!" and word in _SPECIAL:
                raise _Unparsable(f"found '{word}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self.requirement())
            except _Unparsable as error:
                raise _Unparsable(f"unable to parse requirement: {error}") from None
            if (word := self.next()) == "":
                break
            if word != ",":
                raise _Unparsable(f"found '{word}', expected: ',' or 'end of string'")
            if (word := self.peek()) != "!" and not _identifier(word):
                raise _Unparsable(f"found '{word}', expected: identifier after ','")
        return found

    def requirement(self) -> Requirement:
        negated = self.peek() == "!"
        if negated:
            self.next()
        key = self.next()
        if not _identifier(key):
            raise _Unparsable(f"found '{key}', expected: identifier")
        if complaints := qualified_errors(key):
            raise _Unparsable(str(wrong("<nil>", key, "; ".join(complaints))))
        if negated:
            return Requirement(key, "!")
        if self.peek() in ("", ","):
            return Requirement(key, "exists")
        operator = BINARY.get(word := self.next())
        if operator is None:
            raise _Unparsable(f"found '{word}', expected: in, notin, =, ==, !=, gt, lt")
        values = self.value_list() if operator in ("in", "notin") else self.exact_value()
        if errors := list(_value_errors(key, operator, values)):
            listed = ", ".join(map(str, errors))
            raise _Unparsable(listed if len(errors) == 1 else f"[{listed}]")
        return Requirement(key, operator, tuple(sorted(values)))

    def exact_value(self) -> set[str]:
        if self.peek() in ("", ","):
            return {""}
        if not _identifier(word := self.next()):
            raise _Unparsable(f"found '{word}', expected: identifier")
        return {word}

    def value_list(self) -> set[str]:
        if (word := self.next()) != "(":
            raise _Unparsable(f"found '{word}' expected: '('")
        values: set[str] = set()
        while True:
            before = self.peek()
            if before == ")" or before == ",":
                values |= {""} if before == "," or values else set()
            elif _identifier(before):
                values.add(self.next())
            else:
                raise _Unparsable(f"found '{before}', expected: ',', ')' or identifier")
            match word := self.next():
                case ")":
                    return values
                case "," if self.peek() == ")":
                    values.add("")
                case ",":
                    pass
                case _:
                    raise _Unparsable(f"found '{word}', expected: ',' or ')'")

    def peek(self) -> str:
        return self.words[self.position]

    def next(self) -> str:
        word = self.words[self.position]
        self.position += word != ""
        return word


def _identifier(word: str) -> bool:
    return word != "" and word not in _SPECIAL


def _value_errors(key: str, operator: str, values: set[str]) -> list[FieldError]:
    if operator in ("in", "notin") and not values:
        return [wrong("values", [], "for 'in', 'notin' operators, values set can't be empty")]
    errors = []
    for index, value in enumerate(sorted(values)):
        if operator in ("gt", "lt") and not re.fullmatch(r"[+-]?\d+", value):
            detail = "for 'Gt', 'Lt' operators, the value must be an integer"
            errors.append(wrong(f"values[{index}]", value, detail))
        if complaints := label_value_errors(value):
            errors.append(wrong(f"values[{index}][{key}]", value, "; ".join(complaints)))
    return errors
