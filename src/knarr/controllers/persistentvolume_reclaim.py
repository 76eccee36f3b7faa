"""What becomes of a volume whose claim is gone: it is kept, handed to whoever made it, or emptied and offered anew.

Called by the binder; pure. Emptying is the work of a pod, `recycler-for-<volume>` in the namespace `default`, as
upstream's: it may be tried for volumes that are NFS or a path of a node, and for no other. What goes wrong with the pod
is told on the volume as RecyclerPod. A pod of that name that was not made for this very volume is deleted first.
"""

from collections.abc import Iterator

from knarr.controllers.persistentvolume_steps import make_available, volume_phase
from knarr.kinds.types.core_v1 import (
    Affinity,
    Container,
    NodeAffinity,
    PersistentVolume,
    Pod,
    PodSpec,
    Volume,
    VolumeMount,
)
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.kinds.volume_binding import PROVISIONED_BY
from knarr.loop.steps import Create, Delete, Event, Note, Step, Wait

NAMESPACE = "default"
PREFIX = "recycler-for-"
RECYCLES = "knarr.dev/recycles"  #: the annotation of a recycler pod: the uid of its volume
IMAGE = "busybox"
SCRUB = 'test -e /scrub && find /scrub -mindepth 1 -delete && test -z "$(ls -A /scrub)" || exit 1'
SECONDS = {"nfs": 300, "hostPath": 60}  #: that emptying may take, by the source
NO_RECYCLER = "No recycler plugin found for the volume!"
NO_DELETER = 'error getting deleter volume plugin for volume "{}": no deletable volume plugin matched'


def recycler_name(volume: PersistentVolume) -> str:
    return PREFIX + volume.metadata.name


def reclaim(volume: PersistentVolume, recycler: Pod | None) -> Iterator[Step]:
    """The next steps; `recycler` is the pod of the volume's recycler's name. A failure stays to be seen."""
    policy = volume.spec.persistentVolumeReclaimPolicy
    if volume.status.phase == "Failed":
        return
    if volume.metadata.deletionTimestamp:
        yield from volume_phase(volume, "Released")  # out of use, which is all that is waited for
    elif policy == "Recycle":
        yield from recycle(volume, recycler)
    elif policy == "Delete" and PROVISIONED_BY not in volume.metadata.annotations:
        yield from fail(volume, "VolumeFailedDelete", NO_DELETER.format(volume.metadata.name))
    else:
        yield from volume_phase(volume, "Released")


def recycle(volume: PersistentVolume, recycler: Pod | None) -> Iterator[Step]:
    """Have a pod empty the volume, then offer it anew."""
    if not any(getattr(volume.spec, source) is not None for source in SECONDS):
        yield from fail(volume, "VolumeFailedRecycle", NO_RECYCLER)
        return
    yield from volume_phase(volume, "Released")
    if recycler is None:
        failed = ("VolumeFailedRecycle", "Recycle failed: unexpected error creating recycler pod:  {error}")
        yield Create(recycler_pod(volume), note=Note(volume, failed=failed))
    elif recycler.metadata.deletionTimestamp:
        yield Wait(volume, f"the old pod {recycler.metadata.name} is being deleted")
    elif recycler.metadata.annotations.get(RECYCLES) != volume.metadata.uid:
        yield Delete(recycler, "not made for this volume")
    elif recycler.status.phase == "Succeeded":
        yield Delete(recycler, "done")
        yield from make_available(volume)
        yield Event(volume, "Normal", "VolumeRecycled", "Volume recycled")
    elif recycler.status.phase == "Failed":
        yield Delete(recycler, "failed")
        why = recycler.status.message or "pod failed, pod.Status.Message unknown."
        yield from fail(volume, "VolumeFailedRecycle", f"Recycle failed: failed to recycle volume: {why}")
    else:
        if said := complaint(recycler):
            yield Event(volume, "Warning", "RecyclerPod", f"Recycler pod: {said}")
        yield Wait(volume, f"{recycler.metadata.name} empties it")


def complaint(pod: Pod) -> str:
    """Why a recycler does not get on; "" when it does."""
    for condition in pod.status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False":
            return condition.message
    for status in pod.status.containerStatuses:
        if status.state is not None and status.state.waiting is not None and status.state.waiting.message:
            return status.state.waiting.message
    return ""


def recycler_pod(volume: PersistentVolume) -> Pod:
    """The pod that empties a volume, where the volume is."""
    spec = volume.spec
    source = next(name for name in SECONDS if getattr(spec, name) is not None)
    required = spec.nodeAffinity.required if spec.nodeAffinity else None
    return Pod(
        metadata=ObjectMeta(
            name=recycler_name(volume), namespace=NAMESPACE, annotations={RECYCLES: volume.metadata.uid}
        ),
        spec=PodSpec(
            activeDeadlineSeconds=SECONDS[source],
            affinity=Affinity(nodeAffinity=NodeAffinity(requiredDuringSchedulingIgnoredDuringExecution=required)),
            automountServiceAccountToken=False,
            restartPolicy="Never",
            volumes=[Volume(name="vol", nfs=spec.nfs, hostPath=spec.hostPath)],
            containers=[
                Container(
                    name="pv-recycler",
                    image=IMAGE,
                    imagePullPolicy="IfNotPresent",
                    command=["/bin/sh"],
                    args=["-c", SCRUB],
                    volumeMounts=[VolumeMount(name="vol", mountPath="/scrub")],
                )
            ],
        ),
    )


def recycled_by(pod: Pod) -> str:
    """The name of the volume that a pod, by its own name, empties; "" for none."""
    named = pod.metadata.namespace == NAMESPACE and pod.metadata.name.startswith(PREFIX)
    return pod.metadata.name.removeprefix(PREFIX) if named else ""


def fail(volume: PersistentVolume, reason: str, message: str) -> Iterator[Step]:
    yield from volume_phase(volume, "Failed", message)
    yield Event(volume, "Warning", reason, message)
