"""What simulated pods and nodes go through, as data: stages with a match, a delay and an effect. Pure.

A container is pulled, started, runs and is stopped. At each of these moments the stages that match it are looked up;
each counts with its own probability, and of those that count one is chosen by weight. While a container runs, a stage
that has taken effect may be followed by others, chosen in the same way. A node's stages begin when it has registered.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Literal, TypeVar

from msgspec import Struct

When = Literal["pulling", "starting", "running", "stopping"]


class Subject(Struct, frozen=True):
    """What a stage is matched against: a container of a pod, or a node. What is not known is ""."""

    name: str = ""  #: of the pod or the node
    namespace: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    owner: str = ""  #: KIND/NAME of the controller
    container: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """All that is given must fit; names, namespaces, owners, containers and images are shell patterns."""

    name: str = ""
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    container: str = ""
    image: str = ""

    def fits(self, subject: Subject) -> bool:
        return (
            all(
                not pattern or fnmatchcase(text, pattern)
                for text, pattern in (
                    (subject.name, self.name),
                    (subject.namespace, self.namespace),
                    (subject.owner, self.owner),
                    (subject.container, self.container),
                    (subject.image, self.image),
                )
            )
            and self.labels.items() <= subject.labels.items()
            and self.annotations.items() <= subject.annotations.items()
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a pull or a start fails; the reason is what the container waits for, e.g. ErrImagePull."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ends."""

    code: int = 0
    signal: int = 0
    reason: str = ""  #: "": Completed or Error, by the code
    message: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """What a container uses at a time: `at` in seconds since the effect, cpu in cores, memory in bytes."""

    at: float
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a node."""

    type: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class PodEffect:
    """What happens to a container; nothing, when only the delay counts."""

    failure: Failure | None = None  #: pulling, starting
    exit: Exit | None = None  #: running, stopping
    probes: Literal["", "pass", "fail"] = ""  #: running
    usage: tuple[Point, ...] = ()  #: running


@dataclass(frozen=True, slots=True)
class NodeEffect:
    """What happens to a node."""

    conditions: tuple[Condition, ...] = ()
    agent: Literal["", "stop", "start"] = ""
    network: Literal["", "partition", "heal"] = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """What pod and node stages share. Times are in seconds; the jitter is added, uniformly up to its value."""

    name: str
    match: Match = Match()
    delay: float = 0.0
    jitter: float = 0.0
    probability: float = 1.0
    weight: float = 1.0
    follows: str = ""  #: the stage whose effect it comes after

    def seconds(self, rng: Random) -> float:
        """How long until it takes effect."""
        return self.delay + (self.jitter * rng.random() if self.jitter else 0.0)


@dataclass(frozen=True, slots=True)
class PodStage(Stage):
    when: When = "running"
    effect: PodEffect = PodEffect()


@dataclass(frozen=True, slots=True)
class NodeStage(Stage):
    effect: NodeEffect = NodeEffect()


@dataclass(frozen=True, slots=True)
class Stages:
    """All of a simulation."""

    pods: tuple[PodStage, ...] = ()
    nodes: tuple[NodeStage, ...] = ()

    def pod(self, when: When, subject: Subject, rng: Random, follows: str = "") -> PodStage | None:
        """The stage that a container goes through at this moment, if there is one."""
        if not self.pods:
            return None
        return chosen([s for s in self.pods if s.when == when and s.follows == follows and s.match.fits(subject)], rng)

    def node(self, subject: Subject, rng: Random, follows: str = "") -> NodeStage | None:
        """The stage that a node goes through after another, or after its registration."""
        return chosen([s for s in self.nodes if s.follows == follows and s.match.fits(subject)], rng)


NO_STAGES = Stages()

AnyStage = TypeVar("AnyStage", bound=Stage)


def chosen(stages: Sequence[AnyStage], rng: Random) -> AnyStage | None:
    """One of these, by weight, of those that their probability does not leave out. Certain choices draw no number."""
    left = [stage for stage in stages if stage.probability >= 1 or rng.random() < stage.probability]
    if len(left) < 2:
        return left[0] if left else None
    return rng.choices(left, [stage.weight for stage in left])[0]


def usage(points: Sequence[Point], seconds: float) -> Point:
    """What is used so many seconds after the effect: straight lines between the points, level after the last."""
    after = bisect_right([point.at for point in points], seconds)
    if after in (0, len(points)):
        return points[min(after, len(points) - 1)]
    left, right = points[after - 1], points[after]
    share = (seconds - left.at) / (right.at - left.at)
    cpu, memory = left.cpu + share * (right.cpu - left.cpu), left.memory + share * (right.memory - left.memory)
    return Point(seconds, cpu, memory)
