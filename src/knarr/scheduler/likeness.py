"""Which pods are alike to the scheduler: what is found out for one that waits is true of all. Pure.

Pods of one template differ in their names, and in what each has by itself: its token's volume, its host name. Whoever
has claims or disks is like no other, and so is a pod for which room is made somewhere.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from knarr.kinds.types.core_v1 import Container, Pod
from knarr.scheduler.decision import Decision
from knarr.scheduler.filters.volume_restrictions import disks_of
from knarr.scheduler.hints import has_claims

_encoder = msgspec.json.Encoder(order="sorted")


def likeness(pod: Pod) -> bytes | None:
    """The same for pods of which the filters, the hints and preemption say the same; None for one like no other."""
    if has_claims(pod) or pod.status.nominatedNodeName or next(disks_of(pod), None) is not None:
        return None
    spec = replace(
        pod.spec,
        hostname="",
        volumes=[],
        containers=[*map(_without_mounts, pod.spec.containers)],
        initContainers=[*map(_without_mounts, pod.spec.initContainers)],
    )
    return _encoder.encode((pod.metadata.namespace, pod.metadata.labels, spec))


def _without_mounts(container: Container) -> Container:
    return replace(container, volumeMounts=[])


State = tuple[int, ...]


class Refusals:
    """Why no node takes a pod, for those that are like it; forgotten as soon as anything changes."""

    def __init__(self, state: Callable[[], State]) -> None:
        """`state` is the same as long as nothing has changed that decisions depend on."""
        self._state = state
        self._at: State = ()
        self._known: dict[bytes, Decision] = {}

    def of(self, pod: Pod, alike: bytes | None = None) -> Decision | None:
        """What was said of a pod like this one; `alike` is its likeness, where that is known already."""
        if self._at != self._state():
            self._known.clear()
        if not self._known or (alike := alike or likeness(pod)) is None:
            return None
        return self._known.get(alike)

    def put(self, alike: bytes, refusal: Decision, began: State) -> None:
        """Remember what was decided from the state `began`, if it still is that."""
        if began != self._state():
            return
        if began != self._at:
            self._known.clear()
        self._at = began
        self._known[alike] = refusal
