"""Cron schedules: five fields, a macro such as `@daily`, or `@every 1h30m`, as upstream's parser takes them.

`schedule_error` says what is wrong with one, `parse` reads one, `Schedule.next` gives its times. A schedule means the
times that a clock on the wall shows: what a change to summer time skips does not come, what a change back repeats
comes twice.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))  #: minute, hour, day, month, weekday
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
EVERY = "@every "
UNITS = {
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "\u03bcs": 1e-6,
    "ns": 1e-9,
}  #: seconds
YEARS = 5  #: ahead, in which a time is looked for
MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {name: number for number, name in enumerate(MONTH_NAMES, start=1)}
DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
WORDS: tuple[dict[str, int], ...] = ({}, {}, {}, MONTHS, DAYS)

_DURATION = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:h|ms|m|s|us|\u00b5s|\u03bcs|ns))+")
_PART = re.compile(r"([0-9.]+)(\D+)")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is due: at the minutes that match all fields, or `every` so many seconds after the last time.

    A day matches by its date and its weekday, or, where both are restricted, by either.
    """

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    dates: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()  #: from Sunday, 0
    either: bool = False
    every: int = 0

    def next(self, after: datetime, zone: tzinfo = UTC) -> datetime | None:
        """The first time after another, in UTC; None when none comes within five years. `zone` is the wall clock's."""
        if self.every:
            return (after + timedelta(seconds=self.every)).replace(microsecond=0)
        time = (after + timedelta(minutes=1)).replace(second=0, microsecond=0)
        last = after.astimezone(zone).year + YEARS
        while (local := time.astimezone(zone)).year <= last:
            if local.month not in self.months:
                time = _start(local.year + local.month // 12, local.month % 12 + 1, zone)
            elif not self._has_day(local):
                midnight = local.replace(hour=0, minute=0, fold=0) + timedelta(days=1)
                time = midnight.astimezone(UTC)
            elif local.hour not in self.hours:
                time += timedelta(minutes=60 - local.minute)
            elif local.minute not in self.minutes:
                later = min((minute for minute in self.minutes if minute > local.minute), default=60)
                time += timedelta(minutes=later - local.minute)
            else:
                return time
        return None

    def latest(self, after: datetime, until: datetime, zone: tzinfo = UTC) -> datetime | None:
        """The last time after one and not after another; None when there is none."""
        found = self.next(after, zone)
        if found is None or found > until:
            return None
        if self.every:
            return found + (until - found) // timedelta(seconds=self.every) * timedelta(seconds=self.every)
        high = until
        while (following := self.next(found, zone)) is not None and following <= until:
            middle = following + (high - following) / 2
            later = self.next(middle, zone)
            if later is not None and later <= until:
                found = later
            else:
                found, high = following, middle
        return found

    def _has_day(self, local: datetime) -> bool:
        date, weekday = local.day in self.dates, local.isoweekday() % 7 in self.weekdays
        return (date or weekday) if self.either else (date and weekday)


def _start(year: int, month: int, zone: tzinfo) -> datetime:
    return datetime(year, month, 1, tzinfo=zone).astimezone(UTC)


@lru_cache(4096)
def parse(text: str) -> Schedule:
    """Read a schedule; raise ValueError, saying why, when it is none."""
    if error := schedule_error(text):
        raise ValueError(error)
    if text.startswith(EVERY):
        return Schedule(every=max(1, int(_seconds(text.removeprefix(EVERY)))))
    fields = MACROS.get(text, text).split()
    sets = [
        frozenset().union(*(_values(part, low, high, words) for part in field.split(",")))
        for field, (low, high), words in zip(fields, FIELDS, WORDS, strict=True)
    ]
    either = not (_is_open(fields[2]) or _is_open(fields[4]))
    return Schedule(sets[0], sets[1], sets[2], sets[3], sets[4], either)


def _values(part: str, low: int, high: int, words: dict[str, int]) -> range:
    """The numbers of one part of a field; a single number with a step goes on to the end."""
    span, slash, step = part.partition("/")
    if span in ("*", "?"):
        return range(low, high + 1, int(step or 1))
    ends = [words.get(end.lower(), _number(end)) or 0 for end in span.split("-")]
    stop = high if slash and len(ends) == 1 else ends[-1]
    return range(ends[0], stop + 1, int(step or 1))


def _is_open(field: str) -> bool:
    """Whether the field leaves everything open: a star without a step."""
    return any(
        part.partition("/")[0] in ("*", "?") and part.partition("/")[2] in ("", "1") for part in field.split(",")
    )


def _seconds(text: str) -> float:
    """A duration such as "1h30m"."""
    sign = -1 if text.startswith("-") else 1
    return sign * sum(float(number) * UNITS[unit] for number, unit in _PART.findall(text.lstrip("+-")))


def schedule_error(text: str) -> str:
    """What is wrong with a schedule, "" when nothing is."""
    if not text.strip():
        return "empty spec string"
    if text.startswith("@"):
        if text.startswith(EVERY):
            return _duration_error(text)
        return "" if text in MACROS else f"unrecognized descriptor: {text}"
    fields = text.split()
    if len(fields) != len(FIELDS):
        return f"expected exactly {len(FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]"
    for field, (low, high), names in zip(fields, FIELDS, WORDS, strict=True):
        for part in field.split(","):
            if error := _part_error(part, low, high, names):
                return error
    return ""


def _duration_error(text: str) -> str:
    """What is wrong with the duration of an `@every`, in the words of Go's ParseDuration."""
    duration = text.removeprefix(EVERY)
    if duration in ("0", "+0", "-0") or _DURATION.fullmatch(duration):
        return ""
    quoted = f'"{duration}"'
    why = f"time: invalid duration {quoted}"
    if re.fullmatch(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)", duration):
        why = f"time: missing unit in duration {quoted}"
    elif (match := re.search(r"[0-9.]([^0-9.]+)", duration)) and match[1] not in UNITS:
        why = f'time: unknown unit "{match[1]}" in duration {quoted}'
    return f"failed to parse duration {text}: {why}"


def _part_error(part: str, low: int, high: int, names: dict[str, int]) -> str:
    """What is wrong with one part of a field: `*`, `5`, `1-5`, each with an optional `/step`."""
    span, slash, step = part.partition("/")
    if "/" in step:
        return f"too many slashes: {part}"
    if slash and (number := _number(step)) is None:
        return _not_a_number(step)
    if slash and not number:
        return f"step of range should be a positive number: {part}"
    if span in ("*", "?"):
        return ""
    ends = span.split("-")
    if len(ends) > 2:
        return f"too many hyphens: {part}"
    numbers = []
    for end in ends:
        if (number := names.get(end.lower(), _number(end))) is None:
            return _not_a_number(end)
        numbers.append(number)
    start, stop = numbers[0], numbers[-1]
    if start < low:
        return f"beginning of range ({start}) below minimum ({low}): {part}"
    if stop > high:
        return f"end of range ({stop}) above maximum ({high}): {part}"
    return f"beginning of range ({start}) beyond end of range ({stop}): {part}" if start > stop else ""


def _number(text: str) -> int | None:
    """A number as Go's Atoi reads it without a sign; None when it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _not_a_number(text: str) -> str:
    why = "value out of range" if text.isascii() and text.isdecimal() else "invalid syntax"
    return f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": {why}'
