"""What happened in a cluster: the last writes to its store and the events among them, as lines to read."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from knarr.store.store import Event

KEPT = 2000  #: writes, the last ones
#: heartbeats, and what each server registers of itself
ROUTINE = (
    "/registry/coordination.k8s.io/leases/",
    "/registry/core/nodes/",
    "/registry/apiregistration.k8s.io/apiservices/",
)
EVENTS = ("/registry/core/events/", "/registry/events.k8s.io/events/")


class Log:
    """Writes with the seconds since the cluster began; text is made of them only when somebody reads it."""

    def __init__(self) -> None:
        self._writes: deque[tuple[float, Event]] = deque(maxlen=KEPT)

    def take(self, seconds: float, writes: Iterable[Event]) -> None:
        self._writes.extend((seconds, write) for write in writes if not write.key.startswith(ROUTINE))

    def lines(self) -> list[str]:
        """The oldest first. They may be asked for by another thread than the one that writes go on in."""
        return [f"{seconds:9.3f}  {_line(write)}" for seconds, write in self._writes.copy()]


def _line(write: Event) -> str:
    _, _, resource, *where = write.key.strip("/").split("/")
    name = "/".join([resource, *where])
    if write.type == "delete":
        return f"delete  {name}"
    if write.key.startswith(EVENTS):
        return _event(msgspec.json.decode(write.value))
    return f"{'create' if write.previous is None else 'update'}  {name}  at {write.revision}{_phase(write.value)}"


def _event(tree: dict[str, Any]) -> str:
    about = tree.get("involvedObject") or {}
    name = f"{about.get('kind', '').lower()}s/{about.get('namespace', '')}/{about.get('name', '')}"
    return f"event   {name}: {tree.get('reason')}: {tree.get('message')}"


def _phase(value: bytes) -> str:
    tree = msgspec.json.decode(value)
    said = []
    if phase := (tree.get("status") or {}).get("phase"):
        said.append(phase)
    if tree["metadata"].get("deletionTimestamp"):
        said.append("being deleted")
    return f"  ({', '.join(said)})" if said else ""
