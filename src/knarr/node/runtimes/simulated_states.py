"""What a simulated runtime shows of containers and images. Their ids follow from what they are."""

import hashlib
from functools import lru_cache

from msgspec.structs import replace

from knarr.meta import clock
from knarr.node.runtimes.runtime import NEVER_STARTED, START_ERROR, ContainerSpec, ContainerState, Image
from knarr.node.simulation.stages import Exit


def running(uid: str, spec: ContainerSpec) -> ContainerState:
    """A container of the pod with this uid that has just begun."""
    now = clock.unix()
    return ContainerState(
        id=hashlib.sha256(f"{uid}/{spec.name}/{spec.attempt}".encode()).hexdigest(),
        name=spec.name,
        attempt=spec.attempt,
        image=spec.image,
        image_id=image_id(spec.image),
        state="running",
        created=now,
        started=now,
    )


def never_started(made: ContainerState, why: str) -> ContainerState:
    """One that was made and could not be started."""
    return replace(
        made,
        state="exited",
        started=0.0,
        finished=clock.unix(),
        exit_code=NEVER_STARTED,
        reason=START_ERROR,
        message=why,
    )


def over(state: ContainerState, how: Exit) -> ContainerState:
    """One that has just ended."""
    return replace(
        state,
        state="exited",
        exit_code=how.code,
        signal=how.signal,
        finished=clock.unix(),
        reason=how.reason or ("Error" if how.code else "Completed"),
        message=how.message,
    )


@lru_cache(1024)
def image(name: str) -> Image:
    return Image(id=image_id(name), names=(name,), size=0)


@lru_cache(1024)
def image_id(name: str) -> str:
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()
