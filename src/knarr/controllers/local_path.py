"""The `rancher.io/local-path` provisioner: volumes that are directories in a node's volume folder.

The protocol between this controller and the nodes:
1. A node says where its volumes are in its annotation `knarr.dev/volume-folder`.
2. A claim that names this provisioner and has a selected node gets the volume `pvc-<uid>`: hostPath
   `<folder>/<volume>_<namespace>_<claim>` of type DirectoryOrCreate, usable on that node only, reserved for the claim,
   with the finalizer `knarr.dev/local-path-cleanup`. The node makes the directory when it first mounts it.
3. When the binder has released a volume whose reclaim policy is Delete, this controller deletes it; the finalizer
   keeps it. Once `kubernetes.io/pv-protection` is off, the node that the volume's affinity names removes the directory
   (only a direct child of its volume folder, and only if the policy still is Delete) and then the finalizer.
4. Where that node is no more, or is simulated, this controller takes the finalizer off: there is no directory.
A node that cannot take the volume has its selection taken back, so that the scheduler looks for another.
"""

from collections.abc import Iterator
from datetime import datetime
from posixpath import join

from knarr.kinds import persistentvolume, persistentvolumeclaim
from knarr.kinds.types.core_v1 import (
    HostPathVolumeSource,
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeSpec,
    VolumeNodeAffinity,
)
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.kinds.volume_binding import PROVISIONED_BY, PROVISIONER, SELECTED_NODE
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Create, Delete, Event, Note, Patch, Step

NAME = "rancher.io/local-path"
FOLDER = "knarr.dev/volume-folder"  #: a node's annotation
CLEANUP = "knarr.dev/local-path-cleanup"  #: the finalizer that the volume's node removes
HOSTNAME = "kubernetes.io/hostname"


def volume_name(claim: PersistentVolumeClaim) -> str:
    return f"pvc-{claim.metadata.uid}"


def is_due(claim: PersistentVolumeClaim) -> bool:
    """Whether a volume has to be made for a claim."""
    ours = claim.metadata.annotations.get(PROVISIONER) == NAME
    return ours and not claim.spec.volumeName and not claim.metadata.deletionTimestamp


def plan_claim(
    claim: PersistentVolumeClaim, class_: StorageClass | None, node: Node | None, volume: PersistentVolume | None
) -> Iterator[Step]:
    """Make the volume of a claim, on the node that was selected; `node` and `volume` are None where there is none."""
    if not is_due(claim) or class_ is None or volume is not None:
        return
    selected = claim.metadata.annotations.get(SELECTED_NODE, "")
    wrong = refusal(claim, selected, node)
    if wrong or node is None:
        said = f'failed to provision volume with StorageClass "{class_.metadata.name}": {wrong}'
        yield Event(claim, "Warning", "ProvisioningFailed", said)
        if selected:
            patch = {"metadata": {"uid": claim.metadata.uid, "annotations": {SELECTED_NODE: None}}}
            yield Patch(claim, patch, reason=f"not on {selected}: {wrong}")
        return
    meta = claim.metadata
    said = f'External provisioner is provisioning volume for claim "{meta.namespace}/{meta.name}"'
    yield Event(claim, "Normal", "Provisioning", said)
    note = Note(
        claim,
        done=("ProvisioningSucceeded", "Successfully provisioned volume {name}"),
        failed=("ProvisioningFailed", "Error saving provisioned volume {name}: {error}"),
    )
    yield Create(new_volume(claim, class_, node), note=note, keep=True)


def refusal(claim: PersistentVolumeClaim, selected: str, node: Node | None) -> str:
    """Why a claim's volume cannot be made; "" when it can."""
    if not selected:
        return "configuration error, no node was specified"
    if node is None:
        return f'node "{selected}" not found'
    if not node.metadata.annotations.get(FOLDER):
        return f'node "{selected}" has no folder for volumes'
    if claim.spec.volumeMode == "Block":
        return "block volumes are not supported"
    if claim.spec.selector is not None:
        return "claim.Spec.Selector is not supported"
    if not set(claim.spec.accessModes) <= {"ReadWriteOnce", "ReadWriteOncePod"}:
        return "Only support ReadWriteOnce access mode"
    return ""


def new_volume(claim: PersistentVolumeClaim, class_: StorageClass, node: Node) -> PersistentVolume:
    """The volume of a claim on a node."""
    name, meta = volume_name(claim), claim.metadata
    directory = join(node.metadata.annotations[FOLDER], f"{name}_{meta.namespace}_{meta.name}")
    hostname = node.metadata.labels.get(HOSTNAME, node.metadata.name)
    here = NodeSelectorRequirement(key=HOSTNAME, operator="In", values=[hostname])
    requests = claim.spec.resources.requests if claim.spec.resources else {}
    return PersistentVolume(
        metadata=ObjectMeta(
            name=name,
            annotations={PROVISIONED_BY: NAME},
            finalizers=[persistentvolume.PROTECTION, CLEANUP],
        ),
        spec=PersistentVolumeSpec(
            accessModes=claim.spec.accessModes,
            capacity={"storage": requests.get("storage", "0")},
            claimRef=ObjectReference(
                apiVersion="v1",
                kind="PersistentVolumeClaim",
                namespace=meta.namespace,
                name=meta.name,
                uid=meta.uid,
                resourceVersion=meta.resourceVersion,
            ),
            hostPath=HostPathVolumeSource(path=directory, type="DirectoryOrCreate"),
            mountOptions=class_.mountOptions,
            nodeAffinity=VolumeNodeAffinity(
                required=NodeSelector(nodeSelectorTerms=[NodeSelectorTerm(matchExpressions=[here])])
            ),
            persistentVolumeReclaimPolicy=class_.reclaimPolicy or "Delete",
            storageClassName=class_.metadata.name,
            volumeMode="Filesystem",
        ),
    )


def plan_volume(volume: PersistentVolume, nodes: list[Node]) -> Iterator[Step]:
    """Delete a released volume, and let go of one of which no node has a directory."""
    if volume.metadata.annotations.get(PROVISIONED_BY) != NAME:
        return
    if not volume.metadata.deletionTimestamp:
        if volume.status.phase == "Released" and volume.spec.persistentVolumeReclaimPolicy == "Delete":
            yield Delete(volume, "released")
    elif CLEANUP in volume.metadata.finalizers and not any(cleans_up(node) and is_on(volume, node) for node in nodes):
        left = [finalizer for finalizer in volume.metadata.finalizers if finalizer != CLEANUP]
        meta = {"resourceVersion": volume.metadata.resourceVersion, "finalizers": left or None}
        yield Patch(volume, {"metadata": meta}, reason="no node has its directory")


def cleans_up(node: Node) -> bool:
    """Whether a node has directories to remove: a simulated one has not."""
    runtime = node.status.nodeInfo.containerRuntimeVersion if node.status.nodeInfo else ""
    return not runtime.startswith("simulated:")


def is_on(volume: PersistentVolume, node: Node) -> bool:
    affinity = volume.spec.nodeAffinity
    terms = affinity.required.nodeSelectorTerms if affinity and affinity.required else []
    hostname = node.metadata.labels.get(HOSTNAME, node.metadata.name)
    return any(e.key == HOSTNAME and hostname in e.values for term in terms for e in term.matchExpressions)


# Running it


def controller() -> Controller:
    return Controller(
        name="local-path-provisioner",
        component=NAME,
        sources=[
            Source(PersistentVolumeClaim, itself),
            Source(PersistentVolume, itself),
            Source(StorageClass, related=claims_of_class),
            Source(Node, related=volumes_of_gone_node),
        ],
        sync=sync,
    )


async def sync(key: Key, context: Context) -> datetime | None:
    """See to one claim or one volume."""
    namespace, name = key
    steps: Iterator[Step] = iter(())
    if namespace:
        claim = context.cache(PersistentVolumeClaim).get(name, namespace)
        if claim is not None:
            class_ = context.cache(StorageClass).get(persistentvolumeclaim.storage_class(claim))
            node = context.cache(Node).get(claim.metadata.annotations.get(SELECTED_NODE, ""))
            volume = context.cache(PersistentVolume).get(volume_name(claim))
            steps = plan_claim(claim, class_, node, volume)
    else:
        found = context.cache(PersistentVolume).get(name)
        if found is not None:
            steps = plan_volume(found, context.cache(Node).list())
    return await carry_out(context.api, steps, context.recorder)


def claims_of_class(class_: StorageClass, context: Context) -> list[Key]:
    """The claims that wait for a volume of a class."""
    return [
        (claim.metadata.namespace, claim.metadata.name)
        for claim in context.cache(PersistentVolumeClaim).list()
        if is_due(claim) and persistentvolumeclaim.storage_class(claim) == class_.metadata.name
    ]


def volumes_of_gone_node(node: Node, context: Context) -> list[Key]:
    """The volumes that a node which is no more may have left behind."""
    if context.cache(Node).get(node.metadata.name) is not None:
        return []
    return [("", v.metadata.name) for v in context.cache(PersistentVolume).list() if CLEANUP in v.metadata.finalizers]
