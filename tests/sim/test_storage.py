"""Claims and volumes of a whole cluster: bound, made, grown, emptied and kept, with what is said about it."""

import json

import pytest

from knarr.kinds.types.core_v1 import Event, Node, PersistentVolume, PersistentVolumeClaim, Pod
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.meta.errors import Forbidden, Invalid, NotFound
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

SPACE = "default"


def a_claim(name="c", *, size="1Gi", mode="ReadWriteOnce", **spec):
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": size}}, **spec}
    return json.dumps({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec})


def a_volume(name="v", *, size="1Gi", mode="ReadWriteOnce", policy="Retain", **spec):
    source = {} if {"hostPath", "gcePersistentDisk"} & spec.keys() else {"nfs": {"server": "storage", "path": "/data"}}
    spec = {
        "capacity": {"storage": size}, "accessModes": [mode], "persistentVolumeReclaimPolicy": policy, **source, **spec
    }  # fmt: skip
    return json.dumps({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})


def a_pod(name="p", *, claim="c", **volume):
    source = volume or {"persistentVolumeClaim": {"claimName": claim}}
    spec = {
        "containers": [{"name": "c", "image": "img", "volumeMounts": [{"name": "d", "mountPath": "/d"}]}],
        "volumes": [{"name": "d", **source}],
    }
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def story(main):
    async def inside():
        async with Cluster(nodes=2) as cluster:
            await main(cluster)

    virtual_time.run(inside())


async def claim(cluster, name="c"):
    return await cluster.api.get(PersistentVolumeClaim, name, SPACE)


async def volume(cluster, name="v"):
    return await cluster.api.get(PersistentVolume, name)


async def told(cluster, kind, name):
    """The reasons and messages of an object's events, in their order."""
    await cluster.context.recorder.flush()
    events = (await cluster.api.list(Event)).items
    found = [e for e in events if (e.involvedObject.kind, e.involvedObject.name) == (kind, name)]
    return [(e.reason, e.message) for e in sorted(found, key=lambda e: e.metadata.creationTimestamp)]


async def request(cluster, name, size):
    patch = {"spec": {"resources": {"requests": {"storage": size}}}}
    return await cluster.api.patch(PersistentVolumeClaim, name, SPACE, patch)


async def allow_expansion(cluster):
    await cluster.api.patch(StorageClass, "local-path", "", {"allowVolumeExpansion": True})


def test_a_claim_is_made_grows_and_goes_with_its_volume():
    async def main(cluster):
        await allow_expansion(cluster)
        await cluster.apply(a_claim() + "\n---\n" + a_pod())
        await cluster.settled()
        before = await claim(cluster)
        assert (before.status.phase, before.status.capacity) == ("Bound", {"storage": "1Gi"})
        assert ("ProvisioningSucceeded", f"Successfully provisioned volume {before.spec.volumeName}") in await told(
            cluster, "PersistentVolumeClaim", "c"
        )
        await request(cluster, "c", "3Gi")
        await cluster.settled()
        after = await claim(cluster)
        assert (after.status.capacity, after.status.conditions) == ({"storage": "3Gi"}, [])
        assert (after.status.allocatedResources, after.status.allocatedResourceStatuses) == ({}, {})
        assert (await volume(cluster, after.spec.volumeName)).spec.capacity == {"storage": "3Gi"}
        said = await told(cluster, "PersistentVolumeClaim", "c")
        assert said[-2:] == [
            ("Resizing", f"External resizer is resizing volume {after.spec.volumeName}"),
            ("VolumeResizeSuccessful", "Resize volume succeeded"),
        ]
        await cluster.api.delete(PersistentVolumeClaim, "c", SPACE)
        await cluster.settled()
        assert (await claim(cluster)).metadata.deletionTimestamp  # a pod uses it
        await cluster.api.delete(Pod, "p", SPACE, grace=0)
        await cluster.settled()
        for gone, space in ((PersistentVolumeClaim, SPACE), (PersistentVolume, "")):
            assert (await cluster.api.list(gone, space)).items == []

    story(main)


REFUSED = {
    "one whose class does not allow it": ("2Gi", Forbidden, "only dynamically provisioned pvc can be resized"),
    "one that shrinks": ("1Mi", Invalid, "field can not be less than status.capacity"),
    "one with a size that is none": ("2Gib", Exception, "quantities must match the regular expression"),
}


@pytest.mark.parametrize(("size", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_a_claim_does_not_become(size, error, words):
    async def main(cluster):
        await cluster.apply(a_claim() + "\n---\n" + a_pod())
        await cluster.settled()
        with pytest.raises(error, match=words):
            await request(cluster, "c", size)
        assert (await claim(cluster)).spec.resources.requests == {"storage": "1Gi"}

    story(main)


def test_a_claim_of_a_volume_from_outside_says_who_is_to_make_it_grow():
    async def main(cluster):
        disk = {"pdName": "d"}
        kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "disk"}}
        await cluster.apply(json.dumps({**kind, "provisioner": "kubernetes.io/gce-pd", "allowVolumeExpansion": True}))
        await cluster.apply(a_volume(gcePersistentDisk=disk, storageClassName="disk"))
        await cluster.apply(a_claim(storageClassName="disk"))
        await cluster.settled()
        await request(cluster, "c", "2Gi")
        await cluster.settled()
        words = "CSI migration enabled for kubernetes.io/gce-pd; waiting for external resizer to expand the pvc"
        assert ("ExternalExpanding", words) in await told(cluster, "PersistentVolumeClaim", "c")
        notes = (await claim(cluster)).metadata.annotations
        assert notes["volume.kubernetes.io/storage-resizer"] == "pd.csi.storage.gke.io"

    story(main)


def test_a_claim_without_a_class_gets_the_default_one_as_soon_as_there_is_one():
    async def main(cluster):
        await cluster.api.delete(StorageClass, "local-path")
        await cluster.apply(a_claim())
        await cluster.apply(a_claim("none", storageClassName=""))
        await cluster.settled()
        assert (await claim(cluster)).spec.storageClassName is None
        nothing = "no persistent volumes available for this claim and no storage class is set"
        assert ("FailedBinding", nothing) in await told(cluster, "PersistentVolumeClaim", "c")
        kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "rancher.io/local-path"}
        notes = {"storageclass.kubernetes.io/is-default-class": "true"}
        await cluster.apply(json.dumps({**kind, "metadata": {"name": "late", "annotations": notes}}))
        await cluster.settled()
        assert (await claim(cluster)).spec.storageClassName == "late"
        assert (await claim(cluster, "none")).spec.storageClassName == ""

    story(main)


async def bound_then_left(cluster, policy, **source):
    await cluster.apply(a_volume(policy=policy, **source))
    await cluster.apply(a_claim(storageClassName=""))
    await cluster.settled()
    assert (await volume(cluster)).status.phase == "Bound"
    await cluster.api.delete(PersistentVolumeClaim, "c", SPACE)


def test_a_retained_volume_is_not_given_to_the_next():
    async def main(cluster):
        await bound_then_left(cluster, "Retain")
        await cluster.settled()
        await cluster.apply(a_claim("next", storageClassName=""))
        await cluster.settled()
        assert ((await volume(cluster)).status.phase, (await claim(cluster, "next")).status.phase) == (
            "Released",
            "Pending",
        )
        await cluster.api.patch(PersistentVolume, "v", "", {"spec": {"claimRef": None}})
        await cluster.settled()
        assert (await claim(cluster, "next")).status.phase == "Bound"

    story(main)


def test_a_volume_to_be_recycled_is_emptied_by_a_pod_and_given_to_the_next():
    async def main(cluster):
        await bound_then_left(cluster, "Recycle")
        await cluster.settled()
        pod = await cluster.api.get(Pod, "recycler-for-v", SPACE)
        assert pod.spec.volumes[0].nfs.path == "/data"
        assert (await volume(cluster)).status.phase == "Released"
        done = {"status": {"phase": "Succeeded"}}
        await cluster.api.patch(Pod, "recycler-for-v", SPACE, done, subresource="status")
        await cluster.settled()
        free = await volume(cluster)
        assert (free.status.phase, free.spec.claimRef) == ("Available", None)
        assert ("VolumeRecycled", "Volume recycled") in await told(cluster, "PersistentVolume", "v")
        with pytest.raises(NotFound):
            await cluster.api.get(Pod, "recycler-for-v", SPACE)
        await cluster.apply(a_claim("next", storageClassName=""))
        await cluster.settled()
        assert (await claim(cluster, "next")).status.phase == "Bound"

    story(main)


def test_a_disk_that_nobody_can_empty_says_so():
    async def main(cluster):
        await bound_then_left(cluster, "Recycle", gcePersistentDisk={"pdName": "v", "fsType": "nfs4"})
        await cluster.settled()
        found = await volume(cluster)
        assert (found.status.phase, found.status.message) == ("Failed", "No recycler plugin found for the volume!")
        said = await told(cluster, "PersistentVolume", "v")
        assert ("VolumeFailedRecycle", "No recycler plugin found for the volume!") in said

    story(main)


def test_a_pods_own_claim_is_made_for_it_and_goes_with_it():
    async def main(cluster):
        template = json.loads(a_claim())["spec"]
        await cluster.apply(a_pod(ephemeral={"volumeClaimTemplate": {"spec": template}}))
        await cluster.settled()
        own = await claim(cluster, "p-d")
        assert (own.status.phase, own.metadata.ownerReferences[0].name) == ("Bound", "p")
        assert (await cluster.api.get(Pod, "p", SPACE)).status.phase == "Running"
        await cluster.api.delete(Pod, "p", SPACE)
        await cluster.settled()
        assert (await cluster.api.list(PersistentVolumeClaim, SPACE)).items == []
        assert (await cluster.api.list(PersistentVolume)).items == []

    story(main)


def test_a_claim_of_one_pod_alone_keeps_the_second_waiting_until_the_first_is_gone():
    async def main(cluster):
        await cluster.apply(a_claim(mode="ReadWriteOncePod"))
        await cluster.apply(a_pod("first"))
        await cluster.settled()
        await cluster.apply(a_pod("second"))
        await cluster.settled()
        waiting = await cluster.api.get(Pod, "second", SPACE)
        assert waiting.spec.nodeName == ""
        assert "ReadWriteOncePod access mode" in waiting.status.conditions[0].message
        await cluster.api.delete(Pod, "first", SPACE, grace=0)
        await cluster.settled()
        assert (await cluster.api.get(Pod, "second", SPACE)).status.phase == "Running"

    story(main)


def test_a_volume_that_names_a_claim_waits_for_it_and_is_nobody_elses():
    async def main(cluster):
        await cluster.apply(a_volume(claimRef={"namespace": SPACE, "name": "late"}))
        await cluster.apply(a_claim("early", storageClassName=""))
        await cluster.settled()
        assert (await claim(cluster, "early")).status.phase == "Pending"
        await cluster.apply(a_claim("late", storageClassName=""))
        await cluster.settled()
        assert (await claim(cluster, "late")).spec.volumeName == "v"

    story(main)


def test_a_claim_that_names_a_volume_takes_it_only_if_it_will_do():
    async def main(cluster):
        await cluster.apply(a_volume(size="1Mi"))
        await cluster.apply(a_claim(storageClassName="", volumeName="v"))
        await cluster.settled()
        words = 'Cannot bind to requested volume "v": requested PV is too small'
        assert ("VolumeMismatch", words) in await told(cluster, "PersistentVolumeClaim", "c")
        await cluster.api.patch(PersistentVolume, "v", "", {"spec": {"capacity": {"storage": "2Gi"}}})
        await cluster.settled()
        assert (await claim(cluster)).status.capacity == {"storage": "2Gi"}

    story(main)


def test_a_claim_whose_volume_is_gone_is_lost():
    async def main(cluster):
        await cluster.apply(a_volume())
        await cluster.apply(a_claim(storageClassName=""))
        await cluster.settled()
        await cluster.api.delete(PersistentVolume, "v")
        await cluster.settled()
        assert (await claim(cluster)).status.phase == "Bound"  # a volume in use stays
        await cluster.api.patch(PersistentVolume, "v", "", {"metadata": {"finalizers": None}})
        await cluster.settled()
        assert (await claim(cluster)).status.phase == "Lost"
        words = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        assert ("ClaimLost", words) in await told(cluster, "PersistentVolumeClaim", "c")

    story(main)


def test_a_finalizer_that_nobody_takes_off_keeps_a_volume_and_nothing_else():
    async def main(cluster):
        await cluster.apply(a_volume())
        await cluster.api.patch(PersistentVolume, "v", "", {"metadata": {"finalizers": ["example.com/mine"]}})
        await cluster.api.delete(PersistentVolume, "v")
        await cluster.apply(a_claim(storageClassName=""))
        await cluster.settled()
        assert (await volume(cluster)).metadata.finalizers == ["example.com/mine"]
        assert (await claim(cluster)).status.phase == "Pending"  # a volume that is going is not given away

    story(main)


def test_what_asks_for_too_much_says_what_there_is_not():
    async def main(cluster):
        await cluster.apply(a_claim(storageClassName="nowhere"))
        await cluster.settled()
        words = 'storageclass.storage.k8s.io "nowhere" not found'
        assert ("ProvisioningFailed", words) in await told(cluster, "PersistentVolumeClaim", "c")

    story(main)


def test_a_claim_of_a_node_with_another_host_name_binds_and_goes():
    async def main(cluster):
        other = {"metadata": {"labels": {"kubernetes.io/hostname": "elsewhere"}}}
        await cluster.api.patch(Node, "node-1", "", other)
        await cluster.api.patch(Node, "node-0", "", {"spec": {"unschedulable": True}})
        await cluster.apply(a_claim(), a_pod())
        await cluster.settled()
        (made,) = (await cluster.api.list(PersistentVolume)).items
        (term,) = made.spec.nodeAffinity.required.nodeSelectorTerms
        assert [each.values for each in term.matchExpressions] == [["elsewhere"]]
        assert made.metadata.labels == {"kubernetes.io/hostname": "node-1"}
        pod = await cluster.api.get(Pod, "p", SPACE)
        assert (pod.spec.nodeName, pod.status.phase) == ("node-1", "Running")
        await cluster.api.delete(Pod, "p", SPACE)
        await cluster.api.delete(PersistentVolumeClaim, "c", SPACE)
        await cluster.settled()
        assert (await cluster.api.list(PersistentVolume)).items == []

    story(main)
