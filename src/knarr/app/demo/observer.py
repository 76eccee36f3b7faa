"""What the demo sees of the cluster: every change of one resource, in order, as any client's watch would show it."""

import http.client
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from knarr.meta import clock

LONGEST = 1800  #: seconds that a watch may take
Tree = dict[str, Any]
Connect = Callable[[], http.client.HTTPSConnection]  #: opens a connection of its own to the API


class BrokenPromise(Exception):
    """The cluster did not do what it promised; the message says what was promised and what was seen."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One change: what happened to which object, and when (seconds since the epoch)."""

    at: float
    type: str
    object: Tree

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])


class Observer:
    """Watches one resource in a thread of its own. `with Observer(connect, path) as pods:` sees every change from then
    on, however late the thread begins."""

    def __init__(self, connect: Connect, path: str) -> None:
        self.path = path
        self.objects: dict[str, Tree] = {}
        self.history: list[Seen] = []
        self._changed = threading.Condition()
        self._link = connect()
        self._closing, self._after = False, ""
        self._thread = threading.Thread(target=self._watch, name=f"observe {path}", daemon=True)

    def __enter__(self) -> "Observer":
        self._link.request("GET", self.path)
        answer = self._link.getresponse()
        if answer.status != 200:
            raise BrokenPromise(f"GET {self.path}: {answer.status} {answer.reason}")
        there = json.loads(answer.read())
        for each in there["items"]:
            self._see({"type": "ADDED", "object": each})
        self._after = str(there["metadata"]["resourceVersion"])
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing = True
        if self._link.sock is not None:
            self._link.sock.close()

    def wait(self, promise: str, kept: Callable[[dict[str, Tree]], bool], seconds: float = 60.0) -> float:
        """Wait until `kept` holds of the objects by name; return how long that took. BrokenPromise otherwise."""
        began = clock.unix()
        with self._changed:
            if not self._changed.wait_for(lambda: kept(self.objects), timeout=seconds):
                raise BrokenPromise(f"{promise}: not seen within {seconds:.0f} s; {self._summary()}")
        return clock.unix() - began

    def since(self, moment: float) -> list[Seen]:
        """Every change after `moment`, oldest first."""
        with self._changed:
            return [seen for seen in self.history if seen.at >= moment]

    def _watch(self) -> None:
        try:
            asked = f"resourceVersion={self._after}&timeoutSeconds={LONGEST}"
            self._link.request("GET", f"{self.path}?watch=true&{asked}")
            answer = self._link.getresponse()
            while line := answer.readline():
                self._see(json.loads(line))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            if not self._closing:
                raise

    def _see(self, event: Tree) -> None:
        with self._changed:
            seen = Seen(clock.unix(), event["type"], event["object"])
            self.history.append(seen)
            if seen.type == "DELETED":
                self.objects.pop(seen.name, None)
            else:
                self.objects[seen.name] = seen.object
            self._changed.notify_all()

    def _summary(self) -> str:
        if not self.objects:
            return "there is nothing there"
        return "seen: " + ", ".join(f"{name} {phase(object_)}" for name, object_ in sorted(self.objects.items()))


def phase(object_: Tree) -> str:
    """An object's state in a word or two, for messages."""
    if object_["metadata"].get("deletionTimestamp"):
        return "terminating"
    return f"{object_.get('status', {}).get('phase', '')}{' ready' if ready(object_) else ''}".strip() or "present"


def ready(object_: Tree) -> bool:
    """Whether a pod is Ready and not on its way out."""
    if object_["metadata"].get("deletionTimestamp"):
        return False
    conditions = object_.get("status", {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def image(pod: Tree) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def order_of_readiness(history: Iterable[Seen]) -> list[str]:
    """Names in the order in which pods became Ready."""
    order: list[str] = []
    for seen in history:
        if seen.type != "DELETED" and ready(seen.object) and seen.name not in order:
            order.append(seen.name)
    return order


def order_of_deletion(history: Iterable[Seen]) -> list[str]:
    """Names in the order in which pods began to terminate."""
    order: list[str] = []
    for seen in history:
        if seen.object["metadata"].get("deletionTimestamp") and seen.name not in order:
            order.append(seen.name)
    return order


def most_at_once(history: Iterable[Seen], before: dict[str, str]) -> dict[str, int]:
    """For each name, how many pod objects of it were there at the same time at most; `before` is {name: uid}."""
    alive: dict[str, set[str]] = {name: {uid} for name, uid in before.items()}
    most = dict.fromkeys(before, 1)
    for seen in history:
        uids = alive.setdefault(seen.name, set())
        uid = seen.object["metadata"]["uid"]
        if seen.type == "DELETED":
            uids.discard(uid)
        else:
            uids.add(uid)
        most[seen.name] = max(most.get(seen.name, 0), len(uids))
    return most
