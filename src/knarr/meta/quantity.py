"""Quantities: "100m", "1.5Gi", "12e6". Exact to the nano, with upstream's canonical form.

Values are kept as whole nano units, so adding and comparing is integer arithmetic. `canonical` is on every
write's path and remembers what it has seen.
"""

import re
from dataclasses import dataclass
from functools import lru_cache, total_ordering

NANO = 10**9
MOST = 2**63 - 1  #: a binary quantity is capped here
LONGEST = 1000  #: characters; Python reads only some thousands of digits

DECIMAL, BINARY, EXPONENT = "decimal", "binary", "exponent"
SUFFIXES: dict[str, tuple[int, int, str]] = {  # suffix -> base, exponent, format
    **{s: (10, e, DECIMAL) for s, e in (("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9))},
    **{s: (10, e, DECIMAL) for s, e in (("T", 12), ("P", 15), ("E", 18))},
    **{s: (2, e, BINARY) for s, e in (("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60))},
}
DECIMAL_SUFFIX = {e: s for s, (base, e, _) in SUFFIXES.items() if base == 10}
BINARY_SUFFIX = {e: s for s, (base, e, _) in SUFFIXES.items() if base == 2}

WRONG_FORMAT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
WRONG_SUFFIX = "unable to parse quantity's suffix"

_FORM = re.compile(r"([+-]?)(0*)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)", re.ASCII)
_EXPONENT = re.compile(r"[eE]([-+]?\d+)", re.ASCII)


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An amount in nano units and the family of suffixes it is shown with."""

    nano: int
    format: str = DECIMAL

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nano == other.nano

    def __lt__(self, other: "Quantity") -> bool:
        return self.nano < other.nano

    def __hash__(self) -> int:
        return hash(self.nano)

    def __bool__(self) -> bool:
        return self.nano != 0

    def __add__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.nano + other.nano, self.format if self.nano else other.format)

    def __sub__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.nano - other.nano, self.format if self.nano else other.format)

    def __neg__(self) -> "Quantity":
        return Quantity(-self.nano, self.format)

    def __mul__(self, factor: int) -> "Quantity":
        return Quantity(self.nano * factor, self.format)

    @property
    def value(self) -> int:
        """Whole units, rounded away from zero: bytes, cores, pods."""
        return self._scaled(NANO)

    @property
    def milli(self) -> int:
        """Thousandths, rounded away from zero: millicores."""
        return self._scaled(NANO // 1000)

    def _scaled(self, unit: int) -> int:
        size = -(-abs(self.nano) // unit)
        return size if self.nano >= 0 else -size

    def __str__(self) -> str:
        """The canonical form: no fraction, the largest suffix that keeps it exact."""
        if not self.nano:
            return "0"
        whole, rest = divmod(self.nano, NANO)
        if self.format == BINARY and not rest and not -1024 < whole < 1024:
            exponent = 0
            while whole % 1024 == 0 and exponent < 60:
                whole, exponent = whole // 1024, exponent + 10
            return f"{whole}{BINARY_SUFFIX.get(exponent, '')}"
        mantissa, exponent = self.nano, -9
        while mantissa % 1000 == 0 and (exponent < 18 or self.format == EXPONENT):
            mantissa, exponent = mantissa // 1000, exponent + 3
        if self.format == EXPONENT:
            return f"{mantissa}e{exponent}" if exponent else str(mantissa)
        return f"{mantissa}{DECIMAL_SUFFIX[exponent]}"


ZERO = Quantity(0)


@lru_cache(maxsize=8192)
def parse(text: str) -> Quantity:
    """Read a quantity; raise ValueError, worded as upstream does, when it is none."""
    return _read(text)[0]


@lru_cache(maxsize=8192)
def canonical(text: str) -> str:
    """A quantity as the API gives it back. Upstream leaves a few harmless spellings as they are, and so does this."""
    quantity, kept = _read(text)
    return text if kept else str(quantity)


def total(texts: "list[str]") -> Quantity:
    """The sum of quantities in text form."""
    return sum(map(parse, texts), ZERO)


def of(value: int, format_: str = DECIMAL) -> Quantity:
    """So many whole units."""
    return Quantity(value * NANO, format_)


def _read(text: str) -> tuple[Quantity, bool]:
    """The quantity, and whether upstream would keep the text as it stands."""
    found = _FORM.fullmatch(text)
    if not text or not found or len(text) > LONGEST:
        raise ValueError(WRONG_FORMAT)
    sign, _, digits, fraction, suffix = found.groups(default="")
    base, exponent, format_ = _suffix(suffix)
    significant = int((digits or "0") + fraction)
    scale = exponent - len(fraction) if base == 10 else -len(fraction)
    nano = _nano(significant << exponent if base == 2 else significant, scale)
    if format_ == BINARY:
        nano = min(nano, MOST * NANO)
        if 0 < nano < NANO:
            format_ = DECIMAL
    kept = _keeps_spelling(digits or "0", fraction, significant, base, exponent, scale)
    return Quantity(-nano if sign == "-" else nano, format_), kept


def _suffix(suffix: str) -> tuple[int, int, str]:
    if known := SUFFIXES.get(suffix):
        return known
    if found := _EXPONENT.fullmatch(suffix):
        if abs(exponent := int(found[1])) > 10_000:
            raise ValueError(WRONG_SUFFIX)
        return 10, exponent, EXPONENT
    raise ValueError(WRONG_SUFFIX)


def _nano(significant: int, scale: int) -> int:
    """`significant` times ten to the `scale`, in nano units, rounded up."""
    power = scale + 9
    return significant * int(10**power) if power >= 0 else -(-significant // int(10**-power))


def _keeps_spelling(digits: str, fraction: str, significant: int, base: int, exponent: int, scale: int) -> bool:
    """Whether upstream's quick parser takes the number and finds nothing to tidy up in it."""
    if base == 2:
        precise = not fraction and 15 - len(digits) - int(exponent * 3 / 10) - 1 >= 0
        return precise and significant & 7 != 0
    shifted = digits + fraction
    quick = len(shifted) <= 18 and scale >= -9
    return quick and scale % 3 == 0 and not shifted.endswith("000") and shifted[0] != "0"
