"""What the invariants look at: every object of the kinds that they speak of, as it was and as it is.

The world follows the store's writes. It keeps each object's versions for a while, because a component is held to what
it could know when it decided: `Write.since` is the earliest moment by which the writer may have gone.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from knarr.client.codec import decode
from knarr.kinds.types.apps_v1 import ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet
from knarr.kinds.types.autoscaling_v2 import HorizontalPodAutoscaler
from knarr.kinds.types.base import Type
from knarr.kinds.types.batch_v1 import CronJob, Job
from knarr.kinds.types.core_v1 import (
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    ReplicationController,
    ResourceQuota,
    Service,
)
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.kinds.types.policy_v1 import PodDisruptionBudget

T = TypeVar("T", bound=Type)

KINDS: dict[str, type[Type]] = {  #: by the folder of their keys
    "core/pods": Pod,
    "core/nodes": Node,
    "core/persistentvolumeclaims": PersistentVolumeClaim,
    "core/persistentvolumes": PersistentVolume,
    "core/replicationcontrollers": ReplicationController,
    "apps/statefulsets": StatefulSet,
    "apps/deployments": Deployment,
    "apps/replicasets": ReplicaSet,
    "apps/daemonsets": DaemonSet,
    "apps/controllerrevisions": ControllerRevision,
    "batch/jobs": Job,
    "batch/cronjobs": CronJob,
    "core/resourcequotas": ResourceQuota,
    "core/services": Service,
    "policy/poddisruptionbudgets": PodDisruptionBudget,
    "autoscaling/horizontalpodautoscalers": HorizontalPodAutoscaler,
    "discovery.k8s.io/endpointslices": EndpointSlice,
}
COUNTING: dict[type[Any], str] = {
    PodDisruptionBudget: "disruption",
    ResourceQuota: "quota",
}  #: who counts what such an object allows
TRACKING = "batch.kubernetes.io/job-tracking"  #: a Job's pod is counted while it has this finalizer
MEMORY = 900.0  #: seconds that former versions are kept


class Count(NamedTuple):
    """When a controller last wrote what it counted, and the earliest moment that it went by."""

    time: float
    since: float


@dataclass(frozen=True, slots=True)
class Write:
    """One stored event: an object before and after, who wrote it, and the earliest moment the writer may go by.

    `doubts`: how many of the writer's creations since then had no answer, so that it cannot know of them.
    """

    time: float
    revision: int
    key: str
    old: Any
    new: Any
    writer: str = ""
    since: float = 0.0
    previous: int = 0  #: the revision of the version before; 0 for none
    doubts: int = 0

    @property
    def obj(self) -> Any:
        return self.old if self.new is None else self.new

    @property
    def type(self) -> type[Any]:
        return type(self.obj)

    @property
    def created(self) -> bool:
        return self.old is None

    @property
    def asked_to_go(self) -> bool:
        """Whether this write is somebody's wish that the object goes, for the first time."""
        if self.old is None or self.old.metadata.deletionTimestamp:
            return False
        return self.new is None or bool(self.new.metadata.deletionTimestamp)

    def __str__(self) -> str:
        verb = "update" if self.previous else "create"
        if self.old is not None and self.new is None:
            verb = "remove"
        if verb == "update" and self.asked_to_go:
            verb = "delete"
        return f"{self.time:.3f} r{self.revision} {self.writer or 'server'}: {verb} {self.key}"


@dataclass
class World:
    """The objects before the write that is judged, and what is true whatever the API says."""

    objects: dict[str, Any] = field(default_factory=dict)
    revision: int = 0
    revisions: dict[str, int] = field(default_factory=dict)  #: of every key's last write
    versions: dict[str, list[tuple[float, Any]]] = field(default_factory=lambda: defaultdict(list))
    children: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))  #: keys by controller uid
    running: Callable[[], set[str]] = set  #: uids of the pods with running containers, by the machines' word
    forced: set[str] = field(default_factory=set)  #: uids of pods that a user took for dead
    evicting: set[str] = field(default_factory=set)  #: uids of pods that a user asks to evict at this moment
    evicted: set[str] = field(default_factory=set)  #: uids of those that were
    counts: dict[str, Count] = field(default_factory=dict)  #: the last one of a budget or quota, by its key
    succeeded: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  #: counted pods' uids by Job's

    def get(self, type_: type[T], namespace: str, name: str) -> T | None:
        found: T | None = self.objects.get(key_of(type_, namespace, name))
        return found

    def all(self, type_: type[T]) -> list[T]:
        folder = f"/registry/{FOLDERS[type_]}/"
        return [obj for key, obj in self.objects.items() if key.startswith(folder)]

    def owned_by(self, type_: type[T], uid: str) -> list[T]:
        """The objects of a type that the owner of this uid manages."""
        folder = f"/registry/{FOLDERS[type_]}/"
        return [self.objects[key] for key in self.children.get(uid, ()) if key.startswith(folder)]

    def known(self, type_: type[T], namespace: str, name: str, since: float) -> Iterator[T]:
        """Every version of an object that was current at or after a moment, the newest first."""
        return self.known_at(key_of(type_, namespace, name), since)

    def known_at(self, key: str, since: float) -> Iterator[Any]:
        if (current := self.objects.get(key)) is not None:
            yield current
        for replaced, obj in reversed(self.versions.get(key, ())):
            if replaced < since:
                return
            if obj is not None:
                yield obj

    def apply(self, write: Write) -> None:
        """Take a write in."""
        if write.asked_to_go and write.obj.metadata.uid in self.evicting:
            self.evicted.add(write.obj.metadata.uid)
        if write.writer and COUNTING.get(write.type) == write.writer:
            self.counts[write.key] = Count(write.time, write.since)
        former = self.versions[write.key]
        former.append((write.time, write.old))
        while former[0][0] < write.time - MEMORY:
            del former[0]
        if write.old is not None and (uid := controller_uid(write.old)):
            self.children[uid].pop(write.key, None)
            if write.writer == "job" and write.asked_to_go:  # one too many, whatever it had come to meanwhile
                self.succeeded[uid].discard(write.old.metadata.uid)
        if write.new is None:
            self.objects.pop(write.key, None)
            return
        self.objects[write.key] = write.new
        if uid := controller_uid(write.new):
            self.children[uid][write.key] = None
            if (
                isinstance(write.new, Pod)
                and write.new.status.phase == "Succeeded"
                and TRACKING in write.new.metadata.finalizers
            ):
                self.succeeded[uid].add(write.new.metadata.uid)


FOLDERS: dict[type[Any], str] = {type_: folder for folder, type_ in KINDS.items()}
Rule = Callable[[Write, World], Iterator[str]]  #: what of a write breaks the rule, in words


def key_of(type_: type[Any], namespace: str, name: str) -> str:
    return f"/registry/{FOLDERS[type_]}/" + (f"{namespace}/{name}" if namespace else name)


def type_of(key: str) -> type[Type] | None:
    """The type of what a key holds; None when no rule speaks of it."""
    parts = key.split("/", 4)
    return KINDS.get("/".join(parts[2:4]))


def decoded(key: str, value: bytes | None) -> Any:
    """The object in a record; None for none."""
    type_ = type_of(key)
    return decode(type_, value) if type_ is not None and value else None


def controller_uid(obj: Any) -> str:
    return next((owner.uid for owner in obj.metadata.ownerReferences if owner.controller), "")


def controller_kind(obj: Any) -> str:
    return next((owner.kind for owner in obj.metadata.ownerReferences if owner.controller), "")
