"""A StatefulSet with a claim for each pod, and all controllers that have a part in its life."""

import json

from knarr.controllers import (
    garbage_collector,
    local_path,
    node_lifecycle,
    persistentvolume,
    pod_gc,
    statefulset,
    taint_eviction,
    volume_protection,
)
from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import Pod

CONTROLLERS = (
    statefulset, persistentvolume, local_path, volume_protection, node_lifecycle, taint_eviction, pod_gc,
    garbage_collector,
)  # fmt: skip
SPACE = "default"
CLASS = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local-path, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: rancher.io/local-path
volumeBindingMode: WaitForFirstConsumer
"""


def manifest(replicas=3, *, image="img:1", **spec):
    container = {"name": "c", "image": image, "volumeMounts": [{"name": "d", "mountPath": "/d"}]}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "db"},
            "spec": {
                "serviceName": "db",
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "x"}},
                "template": {
                    "metadata": {"labels": {"app": "x"}},
                    "spec": {"terminationGracePeriodSeconds": 5, "containers": [container]},
                },
                "volumeClaimTemplates": [
                    {
                        "metadata": {"name": "d"},
                        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
                    }
                ],
                **spec,
            },
        }
    )


class OneOfEachName:
    """Watches that no pod comes before the pod of its name has gone."""

    def __init__(self, cluster):
        self.living = {}
        self.broken = []
        cluster.context.informers.of(Pod).on_change(self._changed)

    def _changed(self, old, new):
        if new is None:
            self.living.pop(old.metadata.name, None)
        elif self.living.setdefault(new.metadata.name, new.metadata.uid) != new.metadata.uid:
            self.broken.append(new.metadata.name)


async def names(cluster, type_):
    return [obj.metadata.name for obj in (await cluster.api.list(type_, SPACE)).items]


async def scale(cluster, replicas):
    await cluster.api.patch(StatefulSet, "db", SPACE, {"spec": {"replicas": replicas}})
    await cluster.settled(quiet=10)


async def set_image(cluster, image):
    template = {"spec": {"containers": [{"name": "c", "image": image}]}}
    await cluster.api.patch(StatefulSet, "db", SPACE, {"spec": {"template": template}}, kind="strategic")
    await cluster.settled(quiet=10)


async def images(cluster):
    return [pod.spec.containers[0].image for pod in (await cluster.api.list(Pod, SPACE)).items]
