"""What every cluster has from its first second, wherever its server is: namespaces, priorities, the default class."""

from collections.abc import Iterable

from knarr.kinds.types import core_v1, meta_v1, scheduling_v1, storage_v1
from knarr.kinds.types.base import Type

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
PRIORITIES = {"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}


def cluster_wide() -> Iterable[Type]:
    for name in NAMESPACES:
        yield core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=name))
    for name, value in PRIORITIES.items():
        yield scheduling_v1.PriorityClass(metadata=meta_v1.ObjectMeta(name=name), value=value)
    yield local_path_class()


def local_path_class() -> storage_v1.StorageClass:
    """The default class: a directory of the pod's node for each claim."""
    return storage_v1.StorageClass(
        metadata=meta_v1.ObjectMeta(
            name="local-path", annotations={"storageclass.kubernetes.io/is-default-class": "true"}
        ),
        provisioner="rancher.io/local-path",
        reclaimPolicy="Delete",
        volumeBindingMode="WaitForFirstConsumer",
    )
