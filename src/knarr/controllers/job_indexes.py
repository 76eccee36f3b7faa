"""Sets of completion indexes in the form that a Job's status and success policy write them: "1,3-5,7".

Kept as intervals, so that a Job of 100,000 indexes costs what it has gaps, not what it has indexes. Pure; called by
`job_plan`, `job_counting` and `job_policies`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Interval = tuple[int, int]  #: the first and the last index, both inside


@dataclass(frozen=True, slots=True)
class Indexes:
    """Intervals in order, with a gap between any two of them."""

    intervals: tuple[Interval, ...] = ()

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.intervals)

    def __contains__(self, index: int) -> bool:
        place = bisect_left(self.intervals, index, key=lambda interval: interval[1])
        return place < len(self.intervals) and self.intervals[place][0] <= index

    def __str__(self) -> str:
        return ",".join(_shown(first, last) for first, last in self.intervals)

    def __or__(self, other: "Indexes") -> "Indexes":
        return joined(sorted((*self.intervals, *other.intervals)))

    def __and__(self, other: "Indexes") -> "Indexes":
        return Indexes(tuple(_overlaps(self.intervals, other.intervals)))


def of(indexes: Iterable[int]) -> Indexes:
    """The set of these indexes."""
    return joined((index, index) for index in sorted(set(indexes)))


def joined(intervals: Iterable[Interval]) -> Indexes:
    """The set of these intervals, given in order; what touches becomes one."""
    result: list[Interval] = []
    for first, last in intervals:
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return Indexes(tuple(result))


def parse(text: str, completions: int) -> Indexes:
    """Read a set of indexes below `completions`; what is no interval is passed over, as upstream does."""
    found = (_interval(part) for part in text.split(",") if part)
    inside = [(first, min(last, completions - 1)) for first, last in filter(None, found) if first < completions]
    return joined(sorted(inside))


def missing(taken: Indexes, completions: int, count: int) -> list[int]:
    """The first `count` indexes below `completions` that are not taken."""
    result: list[int] = []
    candidate = 0
    for first, last in (*taken.intervals, (completions, completions)):
        stop = min(first, completions, candidate + count - len(result))
        result.extend(range(candidate, stop))
        candidate = max(candidate, last + 1)
        if len(result) >= count:
            break
    return result


def _interval(text: str) -> Interval | None:
    first, dash, last = text.partition("-")
    if not _is_number(first) or (dash and not _is_number(last)):
        return None
    start = int(first)
    return (start, max(start, int(last)) if dash else start)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _shown(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first},{last}" if last == first + 1 else f"{first}-{last}"


def _overlaps(one: tuple[Interval, ...], other: tuple[Interval, ...]) -> Iterator[Interval]:
    here = there = 0
    while here < len(one) and there < len(other):
        first, last = max(one[here][0], other[there][0]), min(one[here][1], other[there][1])
        if first <= last:
            yield first, last
        if one[here][1] < other[there][1]:
            here += 1
        else:
            there += 1
