"""The local-path provisioner and volume protection, case by case."""

import pytest
from msgspec.structs import replace

from knarr.controllers import local_path, provisioning, volume_protection
from knarr.kinds.types.core_v1 import (
    EphemeralVolumeSource,
    Node,
    NodeStatus,
    NodeSystemInfo,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeStatus,
    Pod,
    PodSpec,
    Volume,
    VolumeResourceRequirements,
)
from knarr.kinds.types.meta_v1 import ObjectMeta, OwnerReference
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.kinds.volume_binding import PROVISIONED_BY, PROVISIONER, SELECTED_NODE
from knarr.kinds.volume_place import host_of, lies_on

DELETED = "2026-01-01T00:00:00Z"
NODE = Node(
    metadata=ObjectMeta(
        name="a", labels={"kubernetes.io/hostname": "host-a"}, annotations={local_path.FOLDER: "/var/volumes"}
    )
)
SIMULATED = replace(NODE, status=NodeStatus(nodeInfo=NodeSystemInfo(containerRuntimeVersion="simulated://1")))
CLASS = StorageClass(metadata=ObjectMeta(name="local-path"), provisioner=local_path.NAME)


def a_claim(*, node="a", provisioner=local_path.NAME, volume="", mode="ReadWriteOnce", deleted="", finalizers=()):
    notes = {PROVISIONER: provisioner} | ({SELECTED_NODE: node} if node else {})
    return PersistentVolumeClaim(
        metadata=ObjectMeta(
            name="c", namespace="n", uid="u", annotations=notes, deletionTimestamp=deleted, finalizers=list(finalizers)
        ),
        spec=PersistentVolumeClaimSpec(
            storageClassName="local-path",
            volumeName=volume,
            accessModes=[mode],
            resources=VolumeResourceRequirements(requests={"storage": "1Mi"}),
        ),
    )


def failure(why, *, taken_back=True):
    said = f'ProvisioningFailed: failed to provision volume with StorageClass "local-path": {why}'
    patch = [f"patch persistentvolumeclaim c: not on a: {why}"] if taken_back else []
    return [f"event on persistentvolumeclaim c: {said}", *patch]


MADE = [
    'event on persistentvolumeclaim c: Provisioning: External provisioner is provisioning volume for claim "n/c"',
    "create persistentvolume pvc-u",
]
OURS = local_path.LocalPath()


def due(claim, class_, node):
    """The steps of a claim that lacks its volume."""
    if not provisioning.is_due(OURS, claim):
        return []
    if why := OURS.refusal(claim, class_, node):
        return list(provisioning.refused(claim, class_, why))
    return [*provisioning.begun(claim), *provisioning.made(claim, made(claim, node))]


def made(claim, node):
    spec = run_at_once(OURS.make(claim, CLASS, node))
    return provisioning.new_volume(OURS, claim, CLASS, spec, [node])


def run_at_once(coroutine):
    """The result of a coroutine that waits for nothing."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    return stopped.value.value


#: sentence -> claim, node, steps
CLAIMS = {
    "a volume is made on the selected node": (a_claim(), NODE, MADE),
    "a claim for another provisioner is none of ours": (a_claim(provisioner="x/y"), NODE, []),
    "a claim that has its volume needs nothing": (a_claim(volume="v"), NODE, []),
    "a claim that is going needs nothing": (a_claim(deleted=DELETED), NODE, []),
    "without a node there is nowhere": (
        a_claim(node=""), None, failure("configuration error, no node was specified", taken_back=False)),
    "a node that is gone is taken back": (a_claim(), None, failure('node "a" not found')),
    "a node without a folder is taken back": (
        a_claim(), Node(metadata=ObjectMeta(name="a")), failure('node "a" has no folder for volumes')),
    "only one node can write": (
        a_claim(mode="ReadWriteMany"), NODE, failure("Only support ReadWriteOnce access mode")),
    "one pod alone may be the only one to write": (a_claim(mode="ReadWriteOncePod"), NODE, MADE),
}  # fmt: skip


@pytest.mark.parametrize(("claim", "node", "steps"), CLAIMS.values(), ids=CLAIMS)
def test_local_path_claim(claim, node, steps):
    assert [str(step) for step in due(claim, CLASS, node)] == steps


def test_a_local_path_volume():
    volume = made(a_claim(), NODE)
    assert volume.spec.hostPath.path == "/var/volumes/pvc-u_n_c"
    assert volume.spec.hostPath.type == "DirectoryOrCreate"
    assert volume.metadata.annotations == {"pv.kubernetes.io/provisioned-by": "rancher.io/local-path"}
    assert volume.metadata.finalizers == ["kubernetes.io/pv-protection", "knarr.dev/local-path-cleanup"]
    assert (volume.spec.claimRef.namespace, volume.spec.claimRef.name, volume.spec.claimRef.uid) == ("n", "c", "u")
    assert (volume.spec.capacity, volume.spec.accessModes) == ({"storage": "1Mi"}, ["ReadWriteOnce"])
    assert (volume.spec.storageClassName, volume.spec.persistentVolumeReclaimPolicy) == ("local-path", "Delete")
    assert volume.spec.volumeMode == "Filesystem"
    assert lies_on(volume, "a")
    assert not lies_on(volume, "b")


def a_volume(
    *, phase="Released", policy="Delete", deleted="", made_by=local_path.NAME, finalizers=(local_path.CLEANUP,)
):
    volume = made(a_claim(), NODE)
    meta = replace(
        volume.metadata, annotations={PROVISIONED_BY: made_by}, deletionTimestamp=deleted, finalizers=list(finalizers)
    )
    spec = replace(volume.spec, persistentVolumeReclaimPolicy=policy)
    return replace(volume, metadata=meta, spec=spec, status=PersistentVolumeStatus(phase=phase))


def ending(volume, nodes):
    """The steps of a volume that nobody needs any more."""
    if not volume.metadata.deletionTimestamp:
        return list(provisioning.released(volume))
    going = provisioning.is_going(OURS, volume) and run_at_once(OURS.remove(volume, nodes))
    return list(provisioning.gone(OURS, volume)) if going else []


BOTH = (local_path.CLEANUP, "kubernetes.io/pv-protection")
GONE = ["patch persistentvolume pvc-u: its storage is gone"]

#: sentence -> volume, nodes, steps
VOLUMES = {
    "a released volume is deleted": (a_volume(), [NODE], ["delete persistentvolume pvc-u: released"]),
    "a bound volume stays": (a_volume(phase="Bound"), [NODE], []),
    "a retained volume stays": (a_volume(policy="Retain"), [NODE], []),
    "a volume waits for its node to clean up": (a_volume(deleted=DELETED), [NODE], []),
    "a simulated node has nothing to clean up": (a_volume(deleted=DELETED), [SIMULATED], GONE),
    "a volume whose node is no more is let go": (a_volume(deleted=DELETED), [], GONE),
    "a volume in use is not let go": (a_volume(deleted=DELETED, finalizers=BOTH), [], []),
}  # fmt: skip


@pytest.mark.parametrize(("volume", "nodes", "steps"), VOLUMES.values(), ids=VOLUMES)
def test_local_path_volume(volume, nodes, steps):
    assert [str(step) for step in ending(volume, nodes)] == steps


@pytest.mark.parametrize("labels", [{}, {"kubernetes.io/hostname": "elsewhere"}])
def test_a_volume_without_the_label_of_its_node_gets_it(labels):
    volume = a_volume(phase="Bound")
    assert list(provisioning.placed(volume, [NODE])) == []
    without = replace(volume, metadata=replace(volume.metadata, labels=labels))
    [step] = provisioning.placed(without, [NODE])
    assert step.patch["metadata"]["labels"] == {"kubernetes.io/hostname": "a"}


def test_a_volume_stays_its_nodes_when_that_gets_another_host_name():
    volume = a_volume(phase="Bound")
    renamed = replace(NODE, metadata=replace(NODE.metadata, labels={"kubernetes.io/hostname": "b"}))
    assert lies_on(volume, renamed.metadata.name, host_of(renamed))


def a_user(*, node="a", claim="c", shut_down=False):
    source = PersistentVolumeClaimVolumeSource(claimName=claim)
    volume = Volume(name="v", persistentVolumeClaim=source)
    meta = ObjectMeta(name="p", namespace="n", uid="p")
    if shut_down:
        meta = replace(meta, deletionTimestamp=DELETED, deletionGracePeriodSeconds=0)
    return Pod(metadata=meta, spec=PodSpec(nodeName=node, volumes=[volume]))


def an_owner(*, shut_down=False):
    """A pod that had the claim `p-v` made for itself."""
    pod = a_user(shut_down=shut_down)
    return replace(pod, spec=replace(pod.spec, volumes=[Volume(name="v", ephemeral=EphemeralVolumeSource())]))


GUARD = "kubernetes.io/pvc-protection"
GOING = a_claim(deleted=DELETED, finalizers=[GUARD])
OWNED = replace(
    GOING,
    metadata=replace(
        GOING.metadata, name="p-v", ownerReferences=[OwnerReference(kind="Pod", name="p", uid="p", controller=True)]
    ),
)

#: sentence -> claim, pods, steps
PROTECTED_CLAIMS = {
    "a claim is protected": (a_claim(), [], ["patch persistentvolumeclaim c: protected"]),
    "a protected claim needs nothing": (a_claim(finalizers=[GUARD]), [a_user()], []),
    "a claim that a pod uses stays": (GOING, [a_user()], ["wait for c: used by p"]),
    "a pod without a node does not use its claim": (
        GOING, [a_user(node="")], ["patch persistentvolumeclaim c: out of use"]),
    "another claim's pod does not matter": (
        GOING, [a_user(claim="other")], ["patch persistentvolumeclaim c: out of use"]),
    "a pod that was shut down still uses the claim that it names": (
        GOING, [a_user(shut_down=True)], ["wait for c: used by p"]),
    "a pod's own claim stays while it runs": (OWNED, [an_owner()], ["wait for p-v: used by p"]),
    "a pod's own claim goes when it was shut down": (
        OWNED, [an_owner(shut_down=True)], ["patch persistentvolumeclaim p-v: out of use"]),
    "a claim that is going is not protected anew": (a_claim(deleted=DELETED), [], []),
}  # fmt: skip


@pytest.mark.parametrize(("claim", "pods", "steps"), PROTECTED_CLAIMS.values(), ids=PROTECTED_CLAIMS)
def test_claim_protection(claim, pods, steps):
    assert [str(step) for step in volume_protection.plan_claim(claim, pods)] == steps


PV_GUARD = ("kubernetes.io/pv-protection",)

#: sentence -> volume, steps
PROTECTED_VOLUMES = {
    "a volume is protected": (a_volume(finalizers=()), ["patch persistentvolume pvc-u: protected"]),
    "a bound volume stays": (
        a_volume(phase="Bound", deleted=DELETED, finalizers=PV_GUARD), ["wait for pvc-u: bound"]),
    "a released volume may go": (
        a_volume(deleted=DELETED, finalizers=PV_GUARD), ["patch persistentvolume pvc-u: out of use"]),
}  # fmt: skip


@pytest.mark.parametrize(("volume", "steps"), PROTECTED_VOLUMES.values(), ids=PROTECTED_VOLUMES)
def test_volume_protection(volume, steps):
    assert [str(step) for step in volume_protection.plan_volume(volume)] == steps
