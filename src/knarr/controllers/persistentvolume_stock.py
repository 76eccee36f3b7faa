"""What the binder looks at for one claim: the volumes, the classes, and the pods of the claim's namespace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from knarr.kinds.pod_claims import uses
from knarr.kinds.types.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from knarr.kinds.types.storage_v1 import StorageClass


@dataclass(frozen=True)
class Stock:
    """Volumes and classes by name, and pods."""

    volumes: Mapping[str, PersistentVolume] = field(default_factory=dict)
    classes: Mapping[str, StorageClass] = field(default_factory=dict)
    pods: Sequence[Pod] = ()

    def unplaced(self, claim: PersistentVolumeClaim) -> list[str]:
        """The names of the pods that use a claim and have no node yet."""
        return [pod.metadata.name for pod in self.pods if not pod.spec.nodeName and uses(pod, claim)]
