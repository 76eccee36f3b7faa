"""A schedule: what happens to a cluster, and when, as data. One line an act: `12.500 crash replicaset write=3 down=5`.

Two tables say which acts there are: what fails (`FAULTS`) and what users do (`knarr.testing.workloads.operations`).
Pure.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Given = tuple[tuple[str, str], ...]


class ScheduleError(ValueError):
    """A line that is no act: which, and why."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happens at `when`, in seconds of virtual time, to a subject. Values hold no white space."""

    when: float
    verb: str
    subject: str
    given: Given = ()

    def __str__(self) -> str:
        values = "".join(f" {name}={value}" for name, value in self.given)
        return f"{self.when:.3f} {self.verb} {self.subject}{values}"

    def get(self, name: str, default: str = "") -> str:
        return dict(self.given).get(name, default)

    def number(self, name: str, default: float = 0.0) -> float:
        text = self.get(name)
        return float(text) if text else default


@dataclass(frozen=True, slots=True)
class Verb:
    """What an act of a verb takes: its values' names with what reads and checks each, and those that must be given."""

    about: str
    takes: Mapping[str, Callable[[str], object]]
    needs: frozenset[str] = frozenset()
    subjects: str = "component"  #: component, node or object


def seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 86400:
        raise ValueError("must be from 0 to 86400 seconds")
    return value


def skewed(text: str) -> float:
    value = float(text)
    if not -3600 <= value <= 3600:
        raise ValueError("must be from -3600 to 3600 seconds")
    return value


def share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError("must be from 0 to 1")
    return value


def code(text: str) -> int:
    if text not in ("409", "429", "500", "503"):
        raise ValueError("must be 409, 429, 500 or 503")
    return int(text)


def count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError("must be at least 1")
    return value


def moment(text: str) -> str:
    if text not in ("before", "after"):
        raise ValueError("must be before or after")
    return text


FAULTS: Mapping[str, Verb] = {
    "errors": Verb(
        "some requests are answered with an error",
        {"code": code, "rate": share, "for": seconds},
        frozenset({"code", "rate", "for"}),
    ),
    "drop": Verb("some requests never reach the server", {"rate": share, "for": seconds}, frozenset({"rate", "for"})),
    "lose": Verb(
        "some requests are carried out, and their answers lost",
        {"rate": share, "for": seconds},
        frozenset({"rate", "for"}),
    ),
    "slow": Verb("writes take up to so long", {"seconds": seconds, "for": seconds}, frozenset({"seconds", "for"})),
    "stale": Verb(
        "what watches, or those `of` one resource, tell comes up to so late, in bursts",
        {"seconds": seconds, "for": seconds, "of": str},
        frozenset({"seconds", "for"}),
    ),
    "cut": Verb("all watches break", {}),
    "expire": Verb("all watches end with 410 Expired", {}),
    "crash": Verb(
        "it dies at its n-th write from now, before or after it, and starts again with an empty memory",
        {"write": count, "moment": moment, "down": seconds},
        frozenset({"down"}),
    ),
    "skew": Verb("its clock is off", {"seconds": skewed, "for": seconds}, frozenset({"seconds", "for"})),
    "partition": Verb("it cannot reach the server", {"for": seconds}, frozenset({"for"})),
    "kill": Verb("its machine loses power, and boots again", {"for": seconds}, frozenset({"for"}), "node"),
}


def verb_of(name: str, verbs: Mapping[str, Verb]) -> Verb:
    if (found := verbs.get(name)) is None:
        raise ScheduleError(f"{name!r} is no verb; there are {', '.join(sorted(verbs))}")
    return found


def checked(act: Act, verbs: Mapping[str, Verb]) -> Act:
    """The act, if it is one; else ScheduleError naming the value."""
    verb = verb_of(act.verb, verbs)
    names = [name for name, _ in act.given]
    if missing := sorted(verb.needs - set(names)):
        raise ScheduleError(f"{act.verb}: {', '.join(missing)} must be given")
    if len(names) > len(set(names)):
        raise ScheduleError(f"{act.verb}: a value is given twice")
    for name, value in act.given:
        if name not in verb.takes:
            raise ScheduleError(f"{act.verb}: takes no {name!r}")
        try:
            verb.takes[name](value)
        except ValueError as error:
            raise ScheduleError(f"{act.verb}: {name}={value}: {error}") from error
    return act


def parse_line(line: str, verbs: Mapping[str, Verb]) -> Act:
    """One act from its line; raises ScheduleError."""
    words = line.split()
    if len(words) < 3:
        raise ScheduleError("an act is: SECONDS VERB SUBJECT [NAME=VALUE]...")
    try:
        when = float(words[0])
    except ValueError as error:
        raise ScheduleError(f"{words[0]!r} is no number of seconds") from error
    if when < 0:
        raise ScheduleError(f"{words[0]}: time begins at 0")
    pairs = [word.partition("=") for word in words[3:]]
    if bad := [name for name, equals, _ in pairs if not equals]:
        raise ScheduleError(f"{bad[0]!r} is no NAME=VALUE")
    return checked(Act(when, words[1], words[2], tuple((name, value) for name, _, value in pairs)), verbs)


def parse(text: str, verbs: Mapping[str, Verb]) -> list[Act]:
    """The acts of a text, one a line, by their times; blank lines and those that begin with # are left out."""
    acts = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                acts.append(parse_line(line, verbs))
            except ScheduleError as error:
                raise ScheduleError(f"line {number}: {error}") from error
    return in_order(acts)


def in_order(acts: Iterable[Act]) -> list[Act]:
    return sorted(acts, key=lambda act: act.when)


def printed(acts: Sequence[Act]) -> str:
    return "".join(f"{act}\n" for act in acts)
