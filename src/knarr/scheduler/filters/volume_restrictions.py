"""Volumes that only so many pods may use: a claim of one pod alone, and disks that only one node can write to."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from knarr.kinds.pod_claims import claims_of
from knarr.kinds.types.core_v1 import Pod, Volume
from knarr.scheduler.board import Place, key_of
from knarr.scheduler.filters.complaint import Complaint, Round

ONE_POD = "ReadWriteOncePod"
TAKEN = Complaint(
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode", final=False
)
DISK_TAKEN = Complaint("node(s) had no available disk", final=False)


def concerns(round_: Round) -> bool:
    return any(claims_of(round_.pod)) or any(disks_of(round_.pod))


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    disks = round_.remember("disks", lambda: list(disks_of(round_.pod)))
    if disks and any(conflict(one, other) for pod in place.pods.values() for other in disks_of(pod) for one in disks):
        return (DISK_TAKEN,)
    alone: frozenset[str] = round_.remember("claims of one pod", lambda: for_one_pod(round_))
    if alone and round_.tally("users", partial(_users, round_, alone)).get(ONE_POD, 0) > 0:
        return (TAKEN,)
    return ()


def for_one_pod(round_: Round) -> frozenset[str]:
    """The claims of the pod that are for one pod alone."""
    known = round_.storage.claims
    return frozenset(
        name for name in claims_of(round_.pod) if name in known and ONE_POD in known[name].spec.accessModes
    )


def _users(round_: Round, alone: frozenset[str], place: Place) -> Mapping[str, int]:
    """How many other pods of a place use such a claim."""
    pod = round_.pod
    found = sum(
        other.metadata.namespace == pod.metadata.namespace
        and key_of(other) != key_of(pod)
        and not alone.isdisjoint(claims_of(other))
        for other in place.pods.values()
    )
    return {ONE_POD: found} if found else {}


Disk = tuple[str, frozenset[str], bool]  #: the sort of disk, what names it, and whether it is only read


def disks_of(pod: Pod) -> Iterator[Disk]:
    """The disks that a pod names itself, of the sorts that do not let everybody write."""
    for volume in pod.spec.volumes:
        yield from disk_of(volume)


def disk_of(volume: Volume) -> Iterator[Disk]:
    if (google := volume.gcePersistentDisk) is not None:
        yield "gcePersistentDisk", frozenset({google.pdName}), bool(google.readOnly)
    if (amazon := volume.awsElasticBlockStore) is not None:
        yield "awsElasticBlockStore", frozenset({amazon.volumeID}), False
    if (iscsi := volume.iscsi) is not None:
        yield "iscsi", frozenset({iscsi.iqn}), bool(iscsi.readOnly)
    if (ceph := volume.rbd) is not None:
        names = {f"{monitor} {ceph.pool}/{ceph.image}" for monitor in ceph.monitors}
        yield "rbd", frozenset(names), bool(ceph.readOnly)


def conflict(one: Disk, other: Disk) -> bool:
    """Whether two pods cannot have both on a node."""
    return one[0] == other[0] and not one[1].isdisjoint(other[1]) and not (one[2] and other[2])
