"""The provisioner that docs/storage.md shows, in a cluster: made, refused, tried again, grown and removed."""

import json
import re
from pathlib import Path

from knarr.controllers import persistentvolume, volume_protection
from knarr.kinds.types.core_v1 import Event, PersistentVolume, PersistentVolumeClaim
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

PAGE = Path(__file__).resolve().parents[2] / "docs/storage.md"
SPACE = "default"


def shares():
    """What the page's Python makes."""
    made = {}
    exec(re.search(r"```python\n(.*?)```", PAGE.read_text(), re.S)[1], made)
    return made["SHARES"]


def a_class(name, **parameters):
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    return json.dumps(
        {**kind, "provisioner": "example.com/shares", "parameters": parameters, "allowVolumeExpansion": True}
    )


def a_claim(class_):
    spec = {"storageClassName": class_, "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    return json.dumps({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": class_}, "spec": spec})


async def told(cluster, name):
    await cluster.context.recorder.flush()
    events = (await cluster.api.list(Event, SPACE)).items
    return [(each.reason, each.message) for each in events if each.involvedObject.name == name]


def test_the_pages_provisioner_serves_claims():
    async def main():
        async with Cluster([shares(), persistentvolume.controller(), volume_protection.controller()]) as cluster:
            await cluster.apply(a_class("good", server="storage"))
            await cluster.apply(a_class("nameless"))
            await cluster.apply(a_class("full", server="full"))
            for name in ("good", "nameless", "full"):
                await cluster.apply(a_claim(name))
            await cluster.settled()
            claim = await cluster.api.get(PersistentVolumeClaim, "good", SPACE)
            volume = await cluster.api.get(PersistentVolume, claim.spec.volumeName)
            assert (claim.status.phase, volume.spec.nfs.path) == ("Bound", f"/shares/pvc-{claim.metadata.uid}")
            assert (volume.spec.accessModes, volume.spec.capacity) == (["ReadWriteMany"], {"storage": "1Gi"})
            why = 'failed to provision volume with StorageClass "{}": {}'
            said = why.format("nameless", "the class names no server")
            assert ("ProvisioningFailed", said) in await told(cluster, "nameless")
            said = why.format("full", "no space left on the server")
            assert ("ProvisioningFailed", said) in await told(cluster, "full")

            patch = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
            await cluster.api.patch(PersistentVolumeClaim, "good", SPACE, patch)
            await cluster.settled()
            claim = await cluster.api.get(PersistentVolumeClaim, "good", SPACE)
            assert [each.type for each in claim.status.conditions] == ["FileSystemResizePending"]
            assert claim.status.allocatedResourceStatuses == {"storage": "NodeResizePending"}
            assert (claim.status.allocatedResources, claim.status.capacity) == ({"storage": "2Gi"}, {"storage": "1Gi"})
            volume = await cluster.api.get(PersistentVolume, claim.spec.volumeName)
            assert volume.spec.capacity == {"storage": "2Gi"}

            await cluster.api.delete(PersistentVolumeClaim, "good", SPACE)
            await cluster.settled()
            assert (await cluster.api.list(PersistentVolume)).items == []

    virtual_time.run(main())


def test_a_provisioner_that_fails_is_asked_ever_more_seldom():
    async def main():
        async with Cluster([shares(), persistentvolume.controller()]) as cluster:
            await cluster.apply(a_class("full", server="full"))
            await cluster.apply(a_claim("full"))
            await cluster.advance(minutes=30)
            events = [
                each for each in (await cluster.api.list(Event, SPACE)).items if each.reason == "ProvisioningFailed"
            ]
            assert [each.type for each in events] == ["Warning"]
            assert 5 < events[0].count < 30

    virtual_time.run(main())
