"""A controller acts only on what is its own, adopts only orphans, and makes nothing for an owner that is gone."""

from collections.abc import Iterator

from knarr.kinds.types.apps_v1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from knarr.kinds.types.batch_v1 import CronJob, Job
from knarr.kinds.types.core_v1 import Pod, ReplicationController
from knarr.testing.invariants.world import World, Write, controller_kind, controller_uid, key_of

OWNERS = {  #: what each controller manages, and for which kind of owner
    "statefulset": (Pod, StatefulSet),
    "replicaset": (Pod, ReplicaSet),
    "replicationcontroller": (Pod, ReplicationController),
    "deployment": (ReplicaSet, Deployment),
    "daemonset": (Pod, DaemonSet),
    "job": (Pod, Job),
    "cronjob": (Job, CronJob),
}


def ownership(write: Write, world: World) -> Iterator[str]:
    managed, owner = OWNERS.get(write.writer, (None, None))
    if managed is None or owner is None or write.type is not managed:
        return
    before = controller_kind(write.old) if write.old is not None else ""
    after = controller_kind(write.new) if write.new is not None else before
    kind = owner.__name__
    if write.writer == "job" and before == "" and after == "":
        return  # the finalizers of pods that lost their Job
    if before not in ("", kind):
        yield f"it belongs to a {before}, not to a {kind}"
    elif before == "" and after != kind:
        yield f"it belongs to nobody, and not to a {kind}"
    elif write.created and not _is_known(write, world, owner):
        yield f"it is made for a {kind} that is gone"


def _is_known(write: Write, world: World, owner: type) -> bool:
    """Whether the owner was there at a moment that the writer may go by."""
    uid, meta = controller_uid(write.new), write.new.metadata
    name = next(each.name for each in meta.ownerReferences if each.controller)
    return any(found.metadata.uid == uid for found in world.known_at(key_of(owner, meta.namespace, name), write.since))
