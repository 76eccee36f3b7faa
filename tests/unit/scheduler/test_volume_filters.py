"""Which nodes a pod's volumes leave to it, case by case."""

from dataclasses import replace as replace_field

import pytest
from msgspec.structs import replace

from knarr.kinds.types.core_v1 import (
    AWSElasticBlockStoreVolumeSource,
    CSIPersistentVolumeSource,
    EphemeralVolumeSource,
    GCEPersistentDiskVolumeSource,
    Node,
    NodeStatus,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec,
    Pod,
    PodSpec,
    RBDVolumeSource,
    Volume,
)
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.kinds.types.storage_v1 import CSINode, CSINodeDriver, CSINodeSpec, StorageClass, VolumeNodeResources
from knarr.scheduler.board import place
from knarr.scheduler.decision import Decision, schedule
from knarr.scheduler.preemption import conclude, verdicts
from knarr.scheduler.storage import Storage, limits

PREEMPTION = (
    "no new claims to deallocate, preemption: 0/{n} nodes are available: "
    "{n} No preemption victims found for incoming pod."
)
NO_HELP = (
    "no new claims to deallocate, preemption: 0/{n} nodes are available: {n} Preemption is not helpful for scheduling."
)


def a_node(name, **labels):
    labels = {"kubernetes.io/hostname": name} | {key.replace("__", "/"): value for key, value in labels.items()}
    return Node(
        metadata=ObjectMeta(name=name, labels=labels),
        status=NodeStatus(allocatable={"cpu": "4", "memory": "8Gi", "pods": "110"}),
    )


def a_pod(name="p", *, namespace="n", **source):
    return Pod(metadata=ObjectMeta(name=name, namespace=namespace), spec=PodSpec(volumes=[Volume(name="v", **source)]))


def claiming(name="p", **given):
    return a_pod(name, persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName="c"), **given)


def bound(mode):
    meta = ObjectMeta(name="c", namespace="n", uid="c", annotations={"pv.kubernetes.io/bind-completed": "yes"})
    return PersistentVolumeClaim(
        metadata=meta,
        spec=PersistentVolumeClaimSpec(accessModes=[mode], volumeName="v"),
        status=PersistentVolumeClaimStatus(phase="Bound"),
    )


def decided(pod, nodes, *, mode="ReadWriteOnce", labels=None):
    volume = PersistentVolume(metadata=ObjectMeta(name="v", labels=labels or {}))
    there = Storage({"c": bound(mode)}, {}, lambda name: volume, lambda: [volume])
    found = schedule(pod, [place(node, pods) for node, pods in nodes], there)
    return str(found if isinstance(found, Decision) else conclude(found, list(verdicts(found, ()))))


A, B = a_node("a"), a_node("b")
TAKEN = (
    "0/2 nodes are available: 2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod "
    "access mode. " + PREEMPTION.format(n=2)
)

#: sentence -> access mode, who is on node a, decision
ACCESS = {
    "a claim of one pod alone lets the first in": ("ReadWriteOncePod", [], "to a"),
    "a claim of one pod alone lets no second in, on no node": ("ReadWriteOncePod", [claiming("other")], TAKEN),
    "a claim of the same name elsewhere is another": (
        "ReadWriteOncePod", [claiming("other", namespace="elsewhere")], "to a"),
    "a claim of one node lets a second in": ("ReadWriteOnce", [claiming("other")], "to a"),
    "a claim of many lets many in": ("ReadWriteMany", [claiming("other")], "to a"),
}  # fmt: skip


@pytest.mark.parametrize(("mode", "others", "decision"), ACCESS.values(), ids=ACCESS)
def test_access_modes(mode, others, decision):
    assert decided(claiming(), [(A, others), (B, [])], mode=mode) == decision


def google(read_only=False, name="disk"):
    return {"gcePersistentDisk": GCEPersistentDiskVolumeSource(pdName=name, readOnly=read_only)}


AMAZON = {"awsElasticBlockStore": AWSElasticBlockStoreVolumeSource(volumeID="disk")}
NO_DISK = "0/1 nodes are available: 1 node(s) had no available disk. " + PREEMPTION.format(n=1)


def ceph(*monitors, read_only=False):
    return {"rbd": RBDVolumeSource(monitors=list(monitors), image="i", pool="rbd", readOnly=read_only)}


#: sentence -> the pod's volume, the volume of a pod that is there, decision
DISKS = {
    "a disk that a pod of the node writes to": (google(), google(), NO_DISK),
    "a disk that one reads and one writes": (google(read_only=True), google(), NO_DISK),
    "a disk that both read": (google(read_only=True), google(read_only=True), "to a"),
    "another disk": (google(), google(name="other"), "to a"),
    "a disk of a sort that nobody shares": (AMAZON, AMAZON, NO_DISK),
    "a disk of another sort with the same name": (google(), AMAZON, "to a"),
    "an image with a monitor in common": (ceph("m1", "m2"), ceph("m2"), NO_DISK),
    "an image of other monitors": (ceph("m1"), ceph("m2"), "to a"),
}


@pytest.mark.parametrize(("mine", "other", "decision"), DISKS.values(), ids=DISKS)
def test_disks(mine, other, decision):
    assert decided(a_pod(**mine), [(A, [a_pod("other", **other)])]) == decision


ZONE = "topology.kubernetes.io/zone"
NO_ZONE = "0/1 nodes are available: 1 node(s) had no available volume zone. " + NO_HELP.format(n=1)

#: sentence -> the volume's labels, the node's, decision
ZONES = {
    "a node in the volume's zone": ({ZONE: "z1"}, {"topology.kubernetes.io__zone": "z1"}, "to a"),
    "a node in another zone": ({ZONE: "z1"}, {"topology.kubernetes.io__zone": "z2"}, NO_ZONE),
    "a volume in several zones": ({ZONE: "z1__z2"}, {"topology.kubernetes.io__zone": "z2"}, "to a"),
    "a node without zones": ({ZONE: "z1"}, {}, "to a"),
    "a node with the old label": ({ZONE: "z1"}, {"failure-domain.beta.kubernetes.io__zone": "z1"}, "to a"),
}


@pytest.mark.parametrize(("volume", "node", "decision"), ZONES.values(), ids=ZONES)
def test_zones(volume, node, decision):
    assert decided(claiming(), [(a_node("a", **node), [])], labels=volume) == decision


def test_a_claim_that_has_the_name_of_the_pods_own_is_not_taken():
    pod = a_pod(ephemeral=EphemeralVolumeSource())
    there = Storage({"p-v": bound("ReadWriteOnce")})
    foreign = "PVC n/c was not created for pod n/p (pod is not owner)"
    assert str(schedule(pod, [place(A)], there)) == f"0/1 nodes are available: {foreign}. not found"


DRIVER = "csi.example.com"


def claimed(*names, name="p", namespace="n"):
    volumes = [
        Volume(name=each, persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName=each)) for each in names
    ]
    return Pod(metadata=ObjectMeta(name=name, namespace=namespace), spec=PodSpec(volumes=volumes))


def a_shelf(limit):
    """Claims `a` to `d` have volumes of the driver, `other` one of another; `e` waits for one that the driver makes."""
    handles = {**{name: (DRIVER, name) for name in "abcd"}, "twin": (DRIVER, "a"), "other": ("x.example.com", "x")}
    volumes = {
        name: PersistentVolume(
            metadata=ObjectMeta(name=name),
            spec=PersistentVolumeSpec(csi=CSIPersistentVolumeSource(driver=driver, volumeHandle=handle)),
        )
        for name, (driver, handle) in handles.items()
    }
    claims = {
        name: replace(bound("ReadWriteOnce"), spec=PersistentVolumeClaimSpec(volumeName=name)) for name in handles
    }
    late = PersistentVolumeClaim(
        metadata=ObjectMeta(name="e", namespace="n"), spec=PersistentVolumeClaimSpec(storageClassName="late")
    )
    class_ = StorageClass(
        metadata=ObjectMeta(name="late"), provisioner=DRIVER, volumeBindingMode="WaitForFirstConsumer"
    )
    known = {**claims, "e": late}
    return Storage(
        known, {"late": class_}, volumes.get, list, lambda name, _: known.get(name), lambda node: {DRIVER: limit}
    )


#: sentence -> the claims of the pod and of those that are there, the limit, and whether the node takes it
LIMITS = {
    "room is left": (["c"], [["a"], ["b"]], 3, True),
    "none is": (["c"], [["a"], ["b"]], 2, False),
    "two at once are one too many": (["c", "d"], [["a"], ["b"]], 3, False),
    "a volume that is there already takes none": (["a"], [["a"], ["b"]], 2, True),
    "nor does one that another claim has": (["twin"], [["a"], ["b"]], 2, True),
    "a volume in two pods counts once": (["c"], [["a", "b"], ["a"]], 3, True),
    "another driver's does not count": (["other"], [["a"], ["b"]], 2, True),
    "one that is to be made counts": (["e"], [["a"], ["b"]], 2, False),
    "a limit of none is one": (["a"], [], 0, False),
}


@pytest.mark.parametrize("wanted, there, limit, taken", LIMITS.values(), ids=LIMITS)
def test_a_node_takes_so_many_volumes_of_a_driver(wanted, there, limit, taken):
    others = [claimed(*claims, name=f"o{number}") for number, claims in enumerate(there)]
    found = schedule(claimed(*wanted), [place(a_node("a"), others)], a_shelf(limit))
    if taken:
        assert isinstance(found, Decision) and found.node == "a"
    else:
        assert str(found) == "0/1 nodes are available: 1 node(s) exceed max volume count."


def test_a_node_that_does_not_say_takes_any_number():
    shelf = replace_field(a_shelf(0), limits=lambda node: limits(None))
    assert schedule(claimed("a", "b"), [place(a_node("a"))], shelf).node == "a"


def test_limits_are_those_of_drivers_that_have_one():
    drivers = [
        CSINodeDriver(name="a", allocatable=VolumeNodeResources(count=2)),
        CSINodeDriver(name="b", allocatable=VolumeNodeResources()),
        CSINodeDriver(name="c"),
    ]
    assert limits(CSINode(spec=CSINodeSpec(drivers=drivers))) == {"a": 2}
