"""Field selectors: `metadata.name=db-0,status.phase!=Failed`. The registry matches them against an Entry's fields."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from knarr.meta.errors import BadRequest

_TERM = re.compile(r"(.*?)(!=|==|=)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; `equal` says whether the field must or must not have the value."""

    field: str
    value: str
    equal: bool = True


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Every term must hold. Falsy when it selects everything."""

    terms: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __str__(self) -> str:
        return ",".join(f"{t.field}{'=' if t.equal else '!='}{escape(t.value)}" for t in self.terms)

    def matches(self, field: Callable[[str], str]) -> bool:
        """Whether an object is selected; `field` gives its fields, "" for one that it does not have."""
        return all((field(t.field) == t.value) is t.equal for t in self.terms)

    def required(self, field: str) -> str | None:
        """The value that `field` must have, when a term pins it."""
        return next((t.value for t in self.terms if t.field == field and t.equal), None)


EVERYTHING = FieldSelector()


def parse(text: str) -> FieldSelector:
    """Read a field selector; raise BadRequest when it is none."""
    terms = []
    for part in _split(text):
        if not part:
            continue
        if not (found := _TERM.fullmatch(part)):
            raise BadRequest(f"invalid selector: '{text}'; can't understand '{part}'")
        field, operator, value = found.groups()
        terms.append(Term(field, _unescape(value), operator != "!="))
    return FieldSelector(tuple(terms))


def escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def _split(text: str) -> list[str]:
    """The terms of a selector: parted by commas that are not escaped."""
    return re.findall(r"(?:\\.|[^,\\]|\\$)+", text, re.DOTALL) if "\\" in text else text.split(",")


def _unescape(value: str) -> str:
    if bad := re.search(r"\\([^\\,=])", value):
        raise BadRequest(f"invalid field selector: invalid escape sequence: \\{bad[1]}")
    if re.search(r"(?<!\\)(?:\\\\)*=", value):
        raise BadRequest("invalid field selector: unescaped character in value: =")
    return re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
