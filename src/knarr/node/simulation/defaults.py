"""What simulated pods do when no stage says otherwise, and what annotations of a pod say over all stages. Pure."""

from collections.abc import Mapping

from knarr.meta import quantity
from knarr.node.runtimes.runtime import RuntimeFailure
from knarr.node.simulation.stages import Exit, PodEffect, PodStage, Point

EXIT_AFTER = "knarr.dev/simulated-exit-after"  #: seconds a container runs
EXIT_CODE = "knarr.dev/simulated-exit-code"
UNREADY = "knarr.dev/simulated-unready"  #: "true": probes fail
CPU = "knarr.dev/simulated-cpu"  #: what each container uses, as a quantity
MEMORY = "knarr.dev/simulated-memory"
MISSING = ("missing", "nonexistent", "does-not-exist", "broken")  #: words in the name of an image that is not there
TERMINATED = 143  #: the code of a process that knows nothing of SIGTERM
LONGEST = 1e9  #: seconds


def there(image: str) -> bool:
    """Whether an image of this name is there."""
    return not any(word in image for word in MISSING)


def interrupted(owner: str) -> Exit:
    """How a container ends that is stopped before its end, by its pod's owner: a server gladly, a Job's work undone."""
    return Exit(TERMINATED) if owner.startswith("Job/") else Exit()


def annotated_end(annotations: Mapping[str, str]) -> PodStage | None:
    """The stage that a pod's annotations ask for: its containers end. RuntimeFailure on a value that cannot be."""
    if EXIT_AFTER not in annotations:
        return None
    after = number(annotations, EXIT_AFTER, LONGEST)
    code = number(annotations, EXIT_CODE, 255) if EXIT_CODE in annotations else 0
    return PodStage(EXIT_AFTER, delay=after, effect=PodEffect(exit=Exit(int(code))))


def annotated_usage(annotations: Mapping[str, str]) -> tuple[Point, ...]:
    """What a pod's annotations say that each container uses. RuntimeFailure on a value that cannot be."""
    if CPU not in annotations and MEMORY not in annotations:
        return ()
    return (Point(0.0, amount(annotations, CPU), amount(annotations, MEMORY)),)


def number(annotations: Mapping[str, str], key: str, most: float) -> float:
    try:
        value = float(annotations[key])
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise wrong(key, annotations[key], f"a number from 0 to {most:g}")
    return value


def amount(annotations: Mapping[str, str], key: str) -> float:
    if key not in annotations:
        return 0.0
    try:
        return quantity.parse(annotations[key]).nano / 1e9
    except ValueError:
        raise wrong(key, annotations[key], "a quantity") from None


def wrong(key: str, value: str, rule: str) -> RuntimeFailure:
    return RuntimeFailure(f"annotation {key}: must be {rule}, not {value!r}", reason="CreateContainerConfigError")
