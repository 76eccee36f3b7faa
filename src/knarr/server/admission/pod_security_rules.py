"""What the rules of the Pod Security Standards are made of: the pod that is judged, and who is named how."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from knarr.kinds.types.core_v1 import Container, EphemeralContainer, PodSpec

AnyContainer = Container | EphemeralContainer
SECCOMP = ("RuntimeDefault", "Localhost")


@dataclass(frozen=True, slots=True)
class Pod:
    """What is judged: a pod's or a template's spec, by the standard of a minor version."""

    spec: PodSpec
    minor: int

    @property
    def containers(self) -> list[AnyContainer]:
        return [*self.spec.initContainers, *self.spec.containers, *self.spec.ephemeralContainers]

    @property
    def windows(self) -> bool:
        """Whether rules for Linux alone don't apply; known of a pod since 1.25."""
        return self.minor >= 25 and self.spec.os is not None and self.spec.os.name == "windows"


Found = tuple[str, str] | None  #: the rule, and who breaks it how; None when nobody does


@dataclass(frozen=True, slots=True)
class Check:
    id: str
    look: Callable[[Pod], Found]
    since: int = 0  #: minor version
    instead_of: tuple[str, ...] = ()  #: the baseline's checks that this one includes


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def named(word: str, names: Sequence[str]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"{word}{'s' if len(names) != 1 else ''} {quoted(names)}"


def bad(pod: Pod, wrong: Callable[[AnyContainer], bool]) -> list[str]:
    return [container.name for container in pod.containers if wrong(container)]


def setters(pod_is: bool, containers: Sequence[str]) -> str:
    """`pod and container "a"`."""
    return " and ".join((["pod"] if pod_is else []) + ([named("container", containers)] if containers else []))


def added(pod: Pod, allowed: frozenset[str], rule: str) -> Found:
    given = {c.name: set(c.securityContext.capabilities.add) - allowed for c in pod.containers
             if c.securityContext and c.securityContext.capabilities}  # fmt: skip
    containers = [name for name, extra in given.items() if extra]
    if not containers:
        return None
    extras = sorted(set[str]().union(*given.values()))
    return (
        rule,
        f"{named('container', containers)} must not include {quoted(extras)} in securityContext.capabilities.add",
    )


def seccomp_types(pod: Pod) -> tuple[str, dict[str, str]]:
    """The profile types of the pod and of its containers, "" where none is set."""
    context = pod.spec.securityContext
    own = context.seccompProfile.type if context and context.seccompProfile else ""
    return own, {
        c.name: c.securityContext.seccompProfile.type if c.securityContext and c.securityContext.seccompProfile else ""
        for c in pod.containers
    }
