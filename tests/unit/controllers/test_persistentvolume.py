"""What the binder does with a claim or a volume, case by case."""

import pytest
from msgspec.structs import replace

from knarr.controllers.persistentvolume import plan_claim, plan_volume
from knarr.controllers.persistentvolume_reclaim import recycler_pod
from knarr.controllers.persistentvolume_stock import Stock
from knarr.kinds.types.core_v1 import (
    ContainerState,
    ContainerStateWaiting,
    ContainerStatus,
    HostPathVolumeSource,
    NFSVolumeSource,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec,
    PersistentVolumeStatus,
    Pod,
    PodSpec,
    PodStatus,
    Volume,
    VolumeNodeAffinity,
    VolumeResourceRequirements,
)
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.kinds.volume_binding import BIND_COMPLETED, BOUND_BY_CONTROLLER, PROVISIONED_BY, PROVISIONER, SELECTED_NODE


def a_claim(
    class_="",
    *,
    size="1Gi",
    modes=("ReadWriteOnce",),
    volume="",
    phase="Pending",
    bound=False,
    notes=(),
    labels=None,
    **o,
):
    annotations = dict(notes) | ({BIND_COMPLETED: "yes"} if bound else {})
    capacity = {"storage": "1Gi"} if phase == "Bound" else {}
    return PersistentVolumeClaim(
        metadata=ObjectMeta(name="c", namespace="n", uid="c", annotations=annotations),
        spec=PersistentVolumeClaimSpec(
            storageClassName=class_,
            accessModes=list(modes),
            volumeName=volume,
            selector=LabelSelector(matchLabels=labels) if labels else None,
            resources=VolumeResourceRequirements(requests={"storage": size}),
        ),
        status=PersistentVolumeClaimStatus(
            phase=phase, capacity=capacity, accessModes=["ReadWriteOnce"] if phase == "Bound" else []
        ),
    )


def a_volume(
    name="v",
    class_="",
    *,
    size="1Gi",
    modes=("ReadWriteOnce",),
    ref=None,
    phase="Available",
    policy="Retain",
    notes=(),
    **o,
):
    return PersistentVolume(
        metadata=ObjectMeta(name=name, annotations=dict(notes), labels=o.pop("labels", {}), resourceVersion="1"),
        spec=PersistentVolumeSpec(
            storageClassName=class_,
            capacity={"storage": size},
            accessModes=list(modes),
            claimRef=ref,
            persistentVolumeReclaimPolicy=policy,
            **o,
        ),
        status=PersistentVolumeStatus(phase=phase),
    )


def a_class(name="late", provisioner="x/y", mode="WaitForFirstConsumer", default=False, created="2026-01-01T00:00:00Z"):
    notes = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return StorageClass(
        metadata=ObjectMeta(name=name, annotations=notes, creationTimestamp=created),
        provisioner=provisioner,
        volumeBindingMode=mode,
    )


def a_user(name="p", node=""):
    source = PersistentVolumeClaimVolumeSource(claimName="c")
    return Pod(
        metadata=ObjectMeta(name=name, namespace="n"),
        spec=PodSpec(nodeName=node, volumes=[Volume(name="d", persistentVolumeClaim=source)]),
    )


def ref(name="c", uid="c"):
    return ObjectReference(namespace="n", name=name, uid=uid)


BIND = [
    "patch persistentvolume v: for n/c",
    "patch status of persistentvolume v: Bound",
    "patch persistentvolumeclaim c: bound to v",
    "patch status of persistentvolumeclaim c: Bound",
]
WAITING = "event on persistentvolumeclaim c: "
CALLED = (
    WAITING + "ExternalProvisioning: Waiting for a volume to be created either by the external provisioner 'x/y' or "
    "manually by the system administrator. If volume creation is delayed, please verify that the provisioner is "
    "running and correctly registered."
)
NOTHING = WAITING + "FailedBinding: no persistent volumes available for this claim and no storage class is set"
LATE, NOW = a_class(), a_class("now", mode="Immediate")
SELECTED = {SELECTED_NODE: "a"}

#: sentence -> claim, volumes, classes, pods, steps
CLAIMS = {
    "a claim takes the only volume": (a_claim(), [a_volume()], [], [], BIND),
    "a claim takes the smallest volume that is large enough": (
        a_claim(), [a_volume("large", size="9Gi"), a_volume("v", size="2Gi"), a_volume("small", size="1Mi")],
        [], [], BIND),
    "a claim does not take a smaller volume": (a_claim(), [a_volume(size="1Mi")], [], [], [NOTHING]),
    "a claim does not take a volume of another class": (a_claim(), [a_volume(class_="x")], [], [], [NOTHING]),
    "a claim does not take a volume without its access mode": (
        a_claim(modes=["ReadWriteMany"]), [a_volume()], [], [], [NOTHING]),
    "a claim takes a volume that can do more": (
        a_claim(), [a_volume(modes=["ReadWriteOnce", "ReadWriteMany"])], [], [], BIND),
    "a claim takes only volumes that its selector selects": (
        a_claim(labels={"disk": "ssd"}), [a_volume("other"), a_volume(labels={"disk": "ssd"})], [], [], BIND),
    "a claim does not take a volume of another mode": (a_claim(), [a_volume(volumeMode="Block")], [], [], [NOTHING]),
    "a claim does not take a released volume": (
        a_claim(), [a_volume(phase="Released", ref=ref("o", "o"))], [], [], [NOTHING]),
    "a claim takes the volume set aside for it, however large": (
        a_claim(), [a_volume("a"), a_volume("v", size="9Gi", ref=ref(uid=""))], [], [], BIND),
    "a claim does not take a volume set aside for another": (
        a_claim(), [a_volume(ref=ref("other", ""))], [], [], [NOTHING]),
    "binding goes on where it stopped": (
        a_claim(), [a_volume(ref=ref(), phase="Bound")], [], [], BIND[2:]),
    # by name
    "a claim may name its volume": (a_claim(volume="v"), [a_volume()], [], [], BIND),
    "a claim waits for a volume of the name": (a_claim(volume="v"), [], [], [], []),
    "a named volume must be large enough": (
        a_claim(volume="v"), [a_volume(size="1Mi")], [], [],
        [WAITING + 'VolumeMismatch: Cannot bind to requested volume "v": requested PV is too small']),
    "a named volume must be of the class": (
        a_claim(volume="v"), [a_volume(class_="x")], [], [],
        [WAITING + 'VolumeMismatch: Cannot bind to requested volume "v": storageClassName does not match']),
    "a named volume may be taken": (
        a_claim(volume="v"), [a_volume(ref=ref("other", "o"), phase="Bound")], [], [],
        [WAITING + 'FailedBinding: volume "v" already bound to a different claim.']),
    # bound
    "a bound claim needs nothing": (
        a_claim(volume="v", phase="Bound", bound=True), [a_volume(ref=ref(), phase="Bound")], [], [], []),
    "a bound claim's volume is bound again": (
        a_claim(volume="v", phase="Bound", bound=True), [a_volume()], [], [], BIND[:2]),
    "a bound claim without its volume is lost": (
        a_claim(volume="v", phase="Bound", bound=True), [], [], [],
        ["patch status of persistentvolumeclaim c: Lost",
         WAITING + "ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!"]),
    "a lost claim stays lost, and says so once": (
        a_claim(volume="v", phase="Lost", bound=True), [], [], [], []),
    "a bound claim that names no volume any more is lost": (
        a_claim(phase="Bound", bound=True), [a_volume(ref=ref(), phase="Bound")], [], [],
        ["patch status of persistentvolumeclaim c: Lost",
         WAITING + "ClaimLost: Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"]),
    "of two claims bound to a volume one is lost": (
        a_claim(volume="v", phase="Bound", bound=True), [a_volume(ref=ref("o", "o"), phase="Bound")], [], [],
        ["patch status of persistentvolumeclaim c: Lost",
         WAITING + "ClaimMisbound: Two claims are bound to the same volume, this one is bound incorrectly"]),
    # waiting for a consumer
    "a claim waits for its first consumer": (
        a_claim("late"), [a_volume(class_="late")], [LATE], [],
        [WAITING + "WaitForFirstConsumer: waiting for first consumer to be created before binding"]),
    "a claim waits for its consumer to be placed": (
        a_claim("late"), [], [LATE], [a_user()],
        [WAITING + "WaitForPodScheduled: waiting for pod p to be scheduled"]),
    "a claim that waits takes the volume that the scheduler set aside": (
        a_claim("late"), [a_volume(class_="late", ref=ref(), notes={BOUND_BY_CONTROLLER: "yes"})], [LATE], [],
        BIND[1:]),
    "a claim with a selected node calls the provisioner": (
        a_claim("late", notes=SELECTED), [], [LATE], [a_user()],
        ["patch persistentvolumeclaim c: to be made by x/y", CALLED]),
    "a claim calls the provisioner once": (
        a_claim("late", notes=SELECTED | {PROVISIONER: "x/y"}), [], [LATE], [], [CALLED]),
    "a claim with a selected node takes no other volume": (
        a_claim("late", notes=SELECTED | {PROVISIONER: "x/y"}), [a_volume(class_="late")], [LATE], [], [CALLED]),
    # at once
    "a claim of an immediate class calls the provisioner": (
        a_claim("now"), [], [NOW], [], ["patch persistentvolumeclaim c: to be made by x/y", CALLED]),
    "a claim of an immediate class takes a free volume first": (
        a_claim("now"), [a_volume(class_="now")], [NOW], [], BIND),
    "a claim of a class that is not there": (
        a_claim("none"), [], [], [],
        [WAITING + 'ProvisioningFailed: storageclass.storage.k8s.io "none" not found']),
    "a claim of a class that nobody provisions": (
        a_claim("now"), [], [a_class("now", "kubernetes.io/no-provisioner", "Immediate")], [],
        [WAITING + "ProvisioningFailed: no volume plugin matched name: kubernetes.io/no-provisioner"]),
    # default class
    "a claim without a class gets the default one": (
        a_claim(None), [], [a_class(default=True), NOW], [], ["patch persistentvolumeclaim c: default class late"]),
    "the newest default class counts": (
        a_claim(None), [], [a_class(default=True), a_class("b", default=True, created="2026-02-01T00:00:00Z")], [],
        ["patch persistentvolumeclaim c: default class b"]),
    "a claim that wants no class gets none": (a_claim(""), [], [a_class(default=True)], [], [NOTHING]),
}  # fmt: skip


@pytest.mark.parametrize(("claim", "volumes", "classes", "pods", "steps"), CLAIMS.values(), ids=CLAIMS)
def test_claim(claim, volumes, classes, pods, steps):
    stock = Stock({v.metadata.name: v for v in volumes}, {c.metadata.name: c for c in classes}, pods)
    assert [str(step) for step in plan_claim(claim, stock)] == steps


BOUND_HERE = a_claim(volume="v", phase="Bound", bound=True)
MADE = {PROVISIONED_BY: "x/y"}
RELEASED = ["patch status of persistentvolume v: Released"]

#: sentence -> volume, claim, steps
VOLUMES = {
    "a new volume is available": (a_volume(phase="Pending"), None, ["patch status of persistentvolume v: Available"]),
    "an available volume needs nothing": (a_volume(), None, []),
    "a volume set aside by name is available": (
        a_volume(phase="Pending", ref=ref(uid="")), None, ["patch status of persistentvolume v: Available"]),
    "a volume of a bound claim is bound": (
        a_volume(ref=ref()), BOUND_HERE, ["patch status of persistentvolume v: Bound"]),
    "a volume waits for its claim to name it": (a_volume(ref=ref(), phase="Bound"), a_claim(), []),
    "a volume whose claim is gone is released": (a_volume(ref=ref(), phase="Bound"), None, RELEASED),
    "a volume of an earlier claim of the name is released": (
        a_volume(ref=ref(uid="earlier"), phase="Bound"), BOUND_HERE, RELEASED),
    "a released volume that is retained stays": (a_volume(ref=ref(), phase="Released"), None, []),
    "a released volume to be deleted is left to who made it": (
        a_volume(ref=ref(), phase="Bound", policy="Delete", notes=MADE), None, RELEASED),
    "a volume to be deleted that nobody made has failed": (
        a_volume(ref=ref(), phase="Bound", policy="Delete"), None,
        ["patch status of persistentvolume v: Failed",
         'event on persistentvolume v: VolumeFailedDelete: error getting deleter volume plugin for volume "v": '
         "no deletable volume plugin matched"]),
    "a volume that nobody can empty has failed": (
        a_volume(ref=ref(), phase="Bound", policy="Recycle"), None,
        ["patch status of persistentvolume v: Failed",
         "event on persistentvolume v: VolumeFailedRecycle: No recycler plugin found for the volume!"]),
    "a volume that is going is released, whatever its policy": (
        replace(
            a_volume(ref=ref(), phase="Bound", policy="Recycle"),
            metadata=ObjectMeta(name="v", deletionTimestamp="2026-01-01T00:00:00Z"),
        ), None, RELEASED),
    "a volume that has failed stays so": (a_volume(ref=ref(), phase="Failed", policy="Delete"), None, []),
    "a volume set aside for a claim that took another is free again": (
        a_volume(ref=ref(), phase="Bound", notes={BOUND_BY_CONTROLLER: "yes"}), a_claim(volume="other"),
        ["patch persistentvolume v: not its claim's any more"]),
    "a volume made for a claim that took another is released": (
        a_volume(ref=ref(), phase="Bound", policy="Delete", notes=MADE), a_claim(volume="other"), RELEASED),
}  # fmt: skip


@pytest.mark.parametrize(("volume", "claim", "steps"), VOLUMES.values(), ids=VOLUMES)
def test_volume(volume, claim, steps):
    assert [str(step) for step in plan_volume(volume, claim)] == steps


def test_setting_aside_is_refused_when_the_volume_changed():
    first = next(plan_claim(a_claim(), Stock({"v": a_volume()})))
    assert first.patch["metadata"] == {"resourceVersion": "1", "annotations": {BOUND_BY_CONTROLLER: "yes"}}
    assert first.patch["spec"]["claimRef"].uid == "c"


def test_what_the_user_reserved_stays_reserved():
    volume = a_volume(ref=ref(), phase="Bound")
    first = next(plan_volume(volume, a_claim(volume="other")))
    assert first.patch["spec"] == {"claimRef": {"uid": None, "resourceVersion": None}}


NFS = NFSVolumeSource(server="storage", path="/data/v1")


def a_recycler(phase="Pending", *, uid="v", message="", waiting="", deleted=""):
    states = [ContainerStatus(state=ContainerState(waiting=ContainerStateWaiting(message=waiting)))] if waiting else []
    meta = ObjectMeta(name="recycler-for-v", namespace="default", annotations={"knarr.dev/recycles": uid})
    return Pod(
        metadata=replace(meta, deletionTimestamp=deleted),
        status=PodStatus(phase=phase, message=message, containerStatuses=states),
    )


def a_dirty_volume(phase="Released", **source):
    volume = a_volume(ref=ref(), phase=phase, policy="Recycle", notes={BOUND_BY_CONTROLLER: "yes"}, **source)
    return replace(volume, metadata=replace(volume.metadata, uid="v"))


DONE = "delete pod recycler-for-v: done"
FREE = ["patch persistentvolume v: not its claim's any more"]
TOLD = "event on persistentvolume v: "
EMPTIES = "wait for v: recycler-for-v empties it"

#: sentence -> volume, recycler, steps
RECYCLING = {
    "a pod is to empty a released volume": (
        a_dirty_volume("Bound", nfs=NFS), None,
        ["patch status of persistentvolume v: Released", "create pod recycler-for-v"]),
    "a path of a node can be emptied too": (
        a_dirty_volume(hostPath=HostPathVolumeSource(path="/data")), None, ["create pod recycler-for-v"]),
    "a recycler takes its time": (a_dirty_volume(nfs=NFS), a_recycler(), [EMPTIES]),
    "what keeps a recycler from starting is told": (
        a_dirty_volume(nfs=NFS), a_recycler(waiting="no such image"),
        [TOLD + "RecyclerPod: Recycler pod: no such image", EMPTIES]),
    "an empty volume is offered anew": (
        a_dirty_volume(nfs=NFS), a_recycler("Succeeded"),
        [DONE, *FREE, TOLD + "VolumeRecycled: Volume recycled"]),
    "a recycler that failed leaves a volume that has failed": (
        a_dirty_volume(nfs=NFS), a_recycler("Failed", message="too slow"),
        ["delete pod recycler-for-v: failed", "patch status of persistentvolume v: Failed",
         TOLD + "VolumeFailedRecycle: Recycle failed: failed to recycle volume: too slow"]),
    "a recycler of an earlier volume of the name goes first": (
        a_dirty_volume(nfs=NFS), a_recycler("Succeeded", uid="earlier"),
        ["delete pod recycler-for-v: not made for this volume"]),
    "a recycler that is going is waited for": (
        a_dirty_volume(nfs=NFS), a_recycler("Succeeded", deleted="2026-01-01T00:00:00Z"),
        ["wait for v: the old pod recycler-for-v is being deleted"]),
}  # fmt: skip


@pytest.mark.parametrize(("volume", "recycler", "steps"), RECYCLING.values(), ids=RECYCLING)
def test_recycling(volume, recycler, steps):
    assert [str(step) for step in plan_volume(volume, None, recycler)] == steps


def test_a_recycler_goes_where_its_volume_is_and_has_no_token():
    term = NodeSelectorTerm(matchExpressions=[NodeSelectorRequirement(key="k", operator="In", values=["a"])])
    here = NodeSelector(nodeSelectorTerms=[term])
    pod = recycler_pod(a_dirty_volume(nfs=NFS, nodeAffinity=VolumeNodeAffinity(required=here)))
    assert pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution == here
    assert pod.spec.automountServiceAccountToken is False
    assert (pod.spec.volumes[0].nfs, pod.spec.activeDeadlineSeconds) == (NFS, 300)


def test_a_bound_claim_says_the_attributes_of_its_volume():
    claim = a_claim(volume="v", phase="Bound", bound=True)
    volume = a_volume(ref=ref(), phase="Bound", volumeAttributesClassName="gold")
    claim = replace(claim, spec=replace(claim.spec, volumeAttributesClassName="gold"))
    last = list(plan_claim(claim, Stock({"v": volume})))[-1]
    assert last.patch["status"]["currentVolumeAttributesClassName"] == "gold"


def test_a_bound_claim_keeps_the_capacity_that_its_files_have():
    claim = a_claim(volume="v", phase="Bound", bound=True)
    assert list(plan_claim(claim, Stock({"v": a_volume(size="9Gi", ref=ref(), phase="Bound")}))) == []


def test_a_class_of_a_plugin_that_is_gone_calls_the_driver_that_took_over():
    class_ = a_class("disk", "kubernetes.io/gce-pd", "Immediate")
    first = next(plan_claim(a_claim("disk"), Stock(classes={"disk": class_})))
    assert str(first) == "patch persistentvolumeclaim c: to be made by pd.csi.storage.gke.io"
