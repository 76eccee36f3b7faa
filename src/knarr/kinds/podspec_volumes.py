"""Rules of a pod's volumes: their names and the sources that only pods have.

The sources that persistent volumes have too are in `volume_sources.py`.
"""

from collections.abc import Callable, Iterator, Sequence

from knarr.kinds import rules
from knarr.kinds.podspec_env import FILE_FIELDS, amount_ref, field_ref
from knarr.kinds.types.core_v1 import (
    DownwardAPIVolumeFile,
    EphemeralVolumeSource,
    KeyToPath,
    ProjectedVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from knarr.kinds.volume_sources import MORE_THAN_ONE, SOURCES, claim_template
from knarr.meta import field
from knarr.meta.field import FieldError

MODE = "must be a number between 0 and 0777 (octal), both inclusive"
DUPLICATE = "conflicting duplicate paths"

#: the order in which upstream looks at a pod's volume's sources: the first is checked, any further one is one too many
ORDER = (
    *("emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi"),
    *("glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc"),
    *("flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk"),
    *("storageos", "projected", "scaleIO", "csi", "ephemeral", "image"),
)


def volumes(given: Sequence[Volume], pod: str, path: str) -> tuple[dict[str, Volume], list[FieldError]]:
    """The good volumes by name, and what the others break. `pod` is the pod's name, "" in a template."""
    good: dict[str, Volume] = {}
    errors: list[FieldError] = []
    made = {f"{pod}-{volume.name}" for volume in given if pod and volume.ephemeral is not None}
    for index, volume in enumerate(given):
        where = f"{path}[{index}]"
        found = list(volume_errors(volume, pod, where))
        if volume.name in good:
            found.append(field.duplicate(f"{where}.name", volume.name))
        if found:
            errors += found
        else:
            good[volume.name] = volume
        claim = volume.persistentVolumeClaim
        if claim is not None and claim.claimName in made:
            message = "must not reference a PVC that gets created for an ephemeral volume"
            errors.append(field.wrong(f"{where}.persistentVolumeClaim.claimName", claim.claimName, message))
    return good, errors


def volume_errors(volume: Volume, pod: str, path: str) -> Iterator[FieldError]:
    found = [name for name in ORDER if getattr(volume, name) is not None]
    if not found:
        yield field.required(path, "must specify a volume type")
    for name in found[:1]:
        yield from CHECKS[name](getattr(volume, name), f"{path}.{name}")
    if volume.ephemeral is not None and pod and volume.name:
        claim = f"{pod}-{volume.name}"
        for error in rules.dns_subdomain(claim, f"{path}.name"):
            detail = error.message.partition(": ")[2].partition(": ")[2]
            yield field.wrong(f"{path}.name", volume.name, f'PVC name "{claim}": {detail}')
    for name in found[1:]:
        yield field.forbidden(f"{path}.{name}", MORE_THAN_ONE)
    if not volume.name:
        yield field.required(f"{path}.name")
    else:
        yield from rules.dns_label(volume.name, f"{path}.name")


def mode(value: int | None, path: str) -> Iterator[FieldError]:
    """The permission bits of a file."""
    if value is not None and not 0 <= value <= 0o777:
        yield field.wrong(path, value, MODE)


def key_to_path(item: KeyToPath, path: str) -> Iterator[FieldError]:
    yield from rules.needed(path, key=item.key, path=item.path)
    yield from rules.projected_path(item.path, f"{path}.path")
    yield from mode(item.mode, f"{path}.mode")


def keyed(name: str) -> Callable[..., Iterator[FieldError]]:
    """The check of a volume of a Secret's or a ConfigMap's keys; `name` is the field that names the object."""

    def check(source: object, path: str) -> Iterator[FieldError]:
        yield from rules.needed(path, **{name: getattr(source, name)})
        yield from mode(getattr(source, "defaultMode", None), f"{path}.defaultMode")
        for index, item in enumerate(getattr(source, "items", ())):
            yield from key_to_path(item, f"{path}.items[{index}]")

    return check


def downward_file(item: DownwardAPIVolumeFile, path: str) -> Iterator[FieldError]:
    yield from rules.needed(path, path=item.path)
    yield from rules.projected_path(item.path, f"{path}.path")
    if item.fieldRef is not None:
        yield from field_ref(item.fieldRef, FILE_FIELDS, f"{path}.fieldRef")
        if item.resourceFieldRef is not None:
            message = "fieldRef and resourceFieldRef can not be specified simultaneously"
            yield field.wrong(path, "resource", message)
    elif item.resourceFieldRef is not None:
        yield from amount_ref(item.resourceFieldRef, f"{path}.resourceFieldRef", in_volume=True)
    else:
        yield field.required(path, "one of fieldRef and resourceFieldRef is required")
    yield from mode(item.mode, f"{path}.mode")


def downward(source: object, path: str) -> Iterator[FieldError]:
    yield from mode(getattr(source, "defaultMode", None), f"{path}.defaultMode")
    for item in getattr(source, "items", ()):
        yield from downward_file(item, path)


def projected(source: ProjectedVolumeSource, path: str) -> Iterator[FieldError]:
    yield from mode(source.defaultMode, f"{path}.defaultMode")
    seen: set[str] = set()
    for index, projection in enumerate(source.sources):
        where = f"{path}.sources[{index}]"
        yield from projection_errors(projection, seen, where, path)


PROJECTED = ("secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate")


def projection_errors(given: VolumeProjection, seen: set[str], where: str, path: str) -> Iterator[FieldError]:
    """What one source breaks; `seen` are the file names of those before it."""
    for name in ("secret", "configMap"):
        if (source := getattr(given, name)) is not None:
            yield from rules.needed(f"{where}.{name}", name=source.name)
            for index, item in enumerate(source.items):
                yield from key_to_path(item, f"{where}.{name}.items[{index}]")
                yield from once(item.path, source.name, seen, path)
    if given.downwardAPI is not None:
        for file in given.downwardAPI.items:
            yield from downward_file(file, f"{where}.downwardAPI")
            yield from once(file.path, file.path, seen, path)
    if given.serviceAccountToken is not None:
        yield from token(given.serviceAccountToken, f"{where}.serviceAccountToken", path)
    if (bundle := given.clusterTrustBundle) is not None:
        inner = f"{where}.clusterTrustBundle"
        if bundle.name and bundle.signerName:
            yield field.forbidden(inner, "only one of name and signerName may be used")
        elif not bundle.name and not bundle.signerName:
            yield field.required(inner, "either name or signerName must be specified")
        yield from rules.needed(inner, path=bundle.path)
        yield from rules.projected_path(bundle.path, f"{inner}.path")
        yield from once(bundle.path, bundle.path, seen, path)
    if len([name for name in PROJECTED if getattr(given, name) is not None]) > 1:
        yield field.forbidden(where, "may not specify more than 1 volume type per source")


def once(name: str, shown: str, seen: set[str], path: str) -> Iterator[FieldError]:
    if name and name in seen:
        yield field.wrong(path, shown, DUPLICATE)
    seen.add(name)


def token(given: ServiceAccountTokenProjection, where: str, path: str) -> Iterator[FieldError]:
    seconds = given.expirationSeconds or 0
    if seconds < 600:
        message = "may not specify a duration less than 10 minutes"
        yield field.wrong(f"{where}.expirationSeconds", seconds, message)
    if seconds > 1 << 32:
        message = "may not specify a duration larger than 2^32 seconds"
        yield field.wrong(f"{where}.expirationSeconds", seconds, message)
    if not given.path:
        yield field.required(f"{path}.path")
    else:
        yield from rules.projected_path(given.path, f"{path}.path")


def ephemeral(source: EphemeralVolumeSource, path: str) -> Iterator[FieldError]:
    path = f"{path}.volumeClaimTemplate"
    if source.volumeClaimTemplate is None:
        yield field.required(path)
    else:
        yield from claim_template(source.volumeClaimTemplate, path)


def empty_dir(source: object, path: str) -> Iterator[FieldError]:
    if str(getattr(source, "sizeLimit", "")).startswith("-"):
        yield field.forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def pulled(source: object, path: str) -> Iterator[FieldError]:
    """An image as a volume."""
    yield from rules.needed(path, reference=getattr(source, "reference", ""))
    yield from rules.required_one_of(
        getattr(source, "pullPolicy", ""), ("Always", "IfNotPresent", "Never"), f"{path}.pullPolicy"
    )


CHECKS: dict[str, Callable[..., Iterator[FieldError]]] = {
    **SOURCES,
    "emptyDir": empty_dir,
    "secret": keyed("secretName"),
    "configMap": keyed("name"),
    "downwardAPI": downward,
    "projected": projected,
    "ephemeral": ephemeral,
    "image": pulled,
}
