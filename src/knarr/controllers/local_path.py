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
A node that cannot take the volume has its selection taken back, so that the scheduler looks for another. A directory
has no size of its own, so a volume grows by saying so. What all provisioners do alike is in `provisioning.py`.
"""

from collections.abc import Sequence
from posixpath import join

from knarr.controllers import provisioning
from knarr.controllers.provisioning import volume_name
from knarr.kinds.types.core_v1 import (
    HostPathVolumeSource,
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeSpec,
    VolumeNodeAffinity,
)
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.kinds.volume_binding import SELECTED_NODE
from knarr.kinds.volume_place import HOSTNAME, host_of, lies_on
from knarr.loop.runner import Controller

NAME = "rancher.io/local-path"
FOLDER = "knarr.dev/volume-folder"  #: a node's annotation
CLEANUP = "knarr.dev/local-path-cleanup"  #: the finalizer that the volume's node removes


class LocalPath:
    """The provisioner, as `provisioning` wants it."""

    name = NAME
    finalizer = CLEANUP

    def refusal(self, claim: PersistentVolumeClaim, class_: StorageClass, node: Node | None) -> str:
        """Why a claim's volume cannot be made; "" when it can."""
        selected = claim.metadata.annotations.get(SELECTED_NODE, "")
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

    async def make(self, claim: PersistentVolumeClaim, class_: StorageClass, node: Node | None) -> PersistentVolumeSpec:
        """Say where the directory is to be; the node makes it."""
        assert node is not None, "a claim without its node is refused"
        meta = claim.metadata
        directory = join(node.metadata.annotations[FOLDER], f"{volume_name(claim)}_{meta.namespace}_{meta.name}")
        here = NodeSelectorRequirement(key=HOSTNAME, operator="In", values=[host_of(node)])
        return PersistentVolumeSpec(
            hostPath=HostPathVolumeSource(path=directory, type="DirectoryOrCreate"),
            nodeAffinity=VolumeNodeAffinity(
                required=NodeSelector(nodeSelectorTerms=[NodeSelectorTerm(matchExpressions=[here])])
            ),
        )

    async def grow(self, volume: PersistentVolume, size: str) -> bool:
        """Nothing to do: a directory takes what its file system has."""
        return False

    async def remove(self, volume: PersistentVolume, nodes: Sequence[Node]) -> bool:
        """Whether there is no directory any more; otherwise the node removes it, and the finalizer with it."""
        return not any(cleans_up(node) and lies_on(volume, node.metadata.name, host_of(node)) for node in nodes)


def cleans_up(node: Node) -> bool:
    """Whether a node has directories to remove: a simulated one has not."""
    runtime = node.status.nodeInfo.containerRuntimeVersion if node.status.nodeInfo else ""
    return not runtime.startswith("simulated:")


def controller() -> Controller:
    return provisioning.controller(LocalPath(), "local-path-provisioner")
