"""What a pod names by name: the Secrets, ConfigMaps, claims and the account that its node must read for it. Pure."""

from collections.abc import Iterator, Sequence

from knarr.kinds.pod_claims import claims_of
from knarr.kinds.types.base import Type
from knarr.kinds.types.core_v1 import EnvFromSource, EnvVar, PersistentVolume, Pod, Volume

MIRROR = "kubernetes.io/config.mirror"
Reference = tuple[str, str]  #: resource and name, in the pod's namespace
#: the volumes that name a Secret, and the field that does: pods' and PersistentVolumes alike
_SECRETS = (
    ("cephfs", "secretRef"),
    ("cinder", "secretRef"),
    ("flexVolume", "secretRef"),
    ("rbd", "secretRef"),
    ("scaleIO", "secretRef"),
    ("iscsi", "secretRef"),
    ("storageos", "secretRef"),
    ("csi", "nodePublishSecretRef"),
)
LOCAL_SECRETS = (("secret", "secretName"), ("azureFile", "secretName"), *_SECRETS)
#: of PersistentVolumes, as far as nodes need them
VOLUME_SECRETS = (*_SECRETS, ("csi", "nodeStageSecretRef"), ("csi", "nodeExpandSecretRef"))


def references(pod: Pod) -> Iterator[Reference]:
    """All of them. A mirror pod has none: its node writes it, and must not give itself rights by that."""
    if MIRROR in pod.metadata.annotations:
        return
    spec = pod.spec
    if spec.serviceAccountName:
        yield "serviceaccounts", spec.serviceAccountName
    yield from (("secrets", each.name) for each in spec.imagePullSecrets)
    yield from (("persistentvolumeclaims", name) for name in claims_of(pod))
    for container in (*spec.initContainers, *spec.containers):
        yield from _of_environment(container.envFrom, container.env)
    for debugger in spec.ephemeralContainers:
        yield from _of_environment(debugger.envFrom, debugger.env)
    for volume in spec.volumes:
        yield from _of_volume(volume)


def _of_environment(sources: Sequence[EnvFromSource], variables: Sequence[EnvVar]) -> Iterator[Reference]:
    for source in sources:
        yield from _named(secrets=source.secretRef, configmaps=source.configMapRef)
    for given in (variable.valueFrom for variable in variables):
        if given is not None:
            yield from _named(secrets=given.secretKeyRef, configmaps=given.configMapKeyRef)


def _of_volume(volume: Volume) -> Iterator[Reference]:
    for field, key in LOCAL_SECRETS:
        if (source := getattr(volume, field)) is not None and (found := getattr(source, key)):
            yield "secrets", found if isinstance(found, str) else found.name
    yield from _named(configmaps=volume.configMap)
    if volume.projected is not None:
        for part in volume.projected.sources:
            yield from _named(secrets=part.secret, configmaps=part.configMap)


def _named(**given: Type | None) -> Iterator[Reference]:
    for resource, reference in given.items():
        if reference is not None and (name := getattr(reference, "name", "")):
            yield resource, name


def volume_secrets(volume: PersistentVolume) -> Iterator[tuple[str, str]]:
    """Namespace and name of the Secrets that mounting a volume takes; one of no namespace is in the claim's."""
    claim = volume.spec.claimRef
    home = claim.namespace if claim is not None else ""
    for field, key in VOLUME_SECRETS:
        if (source := getattr(volume.spec, field)) is not None and (found := getattr(source, key)) and found.name:
            yield found.namespace or home, found.name
    if (share := volume.spec.azureFile) is not None and share.secretName:
        yield share.secretNamespace or home, share.secretName
