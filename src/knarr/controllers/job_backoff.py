"""How long a Job waits before it replaces failed pods: 10 s after the first failure, twice as long after each further
one, at most 10 min, and not at all once a pod has succeeded. Pure; called by `job_plan`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from knarr.controllers.job_pods import all_failures_of, finished_at
from knarr.kinds.types.core_v1 import Pod

FIRST, LONGEST = timedelta(seconds=10), timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Failures:
    """How many pods failed since the last success, and when the last of them did."""

    count: int = 0
    last: datetime | None = None

    def after(self, succeeded: Iterable[Pod], failed: Iterable[Pod]) -> "Failures":
        """The count with these pods, newly finished: a success makes what failed before it forgotten."""
        successes = [finished_at(pod) for pod in succeeded]
        times = [finished_at(pod) for pod in failed]
        if successes:
            times = [time for time in times if time > max(successes)]
            return Failures(len(times), max(times, default=None))
        return Failures(self.count + len(times), max(times)) if times else self

    def left(self, now: datetime) -> timedelta:
        """How long to wait yet; zero when a pod may be made."""
        return left_after(self.count, self.last, now)


def left_after(failures: int, last: datetime | None, now: datetime) -> timedelta:
    """How long to wait after so many failures, the last of which was then."""
    if not failures or last is None:
        return timedelta()
    doublings = min(failures - 1, 6)  # six make it longer than the longest
    return max(timedelta(), last + min(FIRST * (1 << doublings), LONGEST) - now)


def ready_indexes(indexes: Sequence[int], replaced: Mapping[int, Pod], now: datetime) -> tuple[list[int], timedelta]:
    """The indexes that may have a pod now; when none may, how long until one may. `replaced` are their failed pods."""
    waits = {index: index_left(replaced.get(index), now) for index in indexes}
    ready = [index for index, wait in waits.items() if not wait]
    return ready, timedelta() if ready else min(waits.values(), default=timedelta())


def index_left(failed: Pod | None, now: datetime) -> timedelta:
    """How long an index waits after its last pod failed."""
    if failed is None:
        return timedelta()
    return left_after(all_failures_of(failed) + 1, finished_at(failed), now)
