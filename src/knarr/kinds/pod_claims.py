"""Which claims a pod uses: those that it names, and those that are made for it from a template. Pure."""

from collections.abc import Iterator

from knarr.kinds.types.core_v1 import PersistentVolumeClaim, Pod, Volume


def claim_of(pod: Pod, volume: Volume) -> str:
    """The name of the claim behind a pod's volume; "" for a volume without one."""
    if volume.persistentVolumeClaim is not None:
        return volume.persistentVolumeClaim.claimName
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


def claims_of(pod: Pod) -> Iterator[str]:
    """The names of all its claims."""
    return filter(None, (claim_of(pod, volume) for volume in pod.spec.volumes))


def uses(pod: Pod, claim: PersistentVolumeClaim) -> bool:
    """Whether a pod of the claim's namespace mounts the claim, or has it made for itself."""
    return claim.metadata.name in claims_of(pod)


def is_made_for(claim: PersistentVolumeClaim, pod: Pod) -> bool:
    """Whether a claim was made from this very pod's template."""
    return any(owner.controller and owner.uid == pod.metadata.uid for owner in claim.metadata.ownerReferences)


def not_made_for(claim: PersistentVolumeClaim, pod: Pod) -> str:
    """What is said of a claim that has the name of one to be made for a pod, and is somebody else's."""
    meta = pod.metadata
    what = f"PVC {meta.namespace}/{claim.metadata.name} was not created for pod {meta.namespace}/{meta.name}"
    return f"{what} (pod is not owner)"
