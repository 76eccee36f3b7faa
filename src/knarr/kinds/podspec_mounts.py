"""Rules of how a container uses the pod's volumes: mounts and block devices."""

from collections.abc import Iterator, Mapping

from knarr.kinds import rules
from knarr.kinds.types.core_v1 import Container, EphemeralContainer, Volume, VolumeDevice, VolumeMount
from knarr.meta import field
from knarr.meta.field import FieldError

PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
RECURSIVE = ("Disabled", "Enabled", "IfPossible")
AnyContainer = Container | EphemeralContainer
Volumes = Mapping[str, Volume]  #: the pod's good volumes by name


def mounts(container: AnyContainer, volumes: Volumes, path: str) -> Iterator[FieldError]:
    """What a container's volumeMounts break; `path` is theirs."""
    devices = {device.name: device.devicePath for device in container.volumeDevices}
    seen: set[str] = set()
    for index, given in enumerate(container.volumeMounts):
        where = f"{path}[{index}]"
        if not given.name:
            yield field.required(f"{where}.name")
        if given.name not in volumes:
            yield field.not_found(f"{where}.name", given.name)
        if not given.mountPath:
            yield field.required(f"{where}.mountPath")
        if given.mountPath in seen:
            yield field.wrong(f"{where}.mountPath", given.mountPath, "must be unique")
        seen.add(given.mountPath)
        if given.name in devices:
            yield field.wrong(f"{where}.name", given.name, "must not already exist in volumeDevices")
        if given.mountPath in devices.values():
            message = "must not already exist as a path in volumeDevices"
            yield field.wrong(f"{where}.mountPath", given.mountPath, message)
        yield from sub_path(given, where, path)
        yield from propagation(given, container, f"{path}.mountPropagation")
        yield from recursive(given, f"{path}.recursiveReadOnly")


def sub_path(given: VolumeMount, where: str, path: str) -> Iterator[FieldError]:
    if given.subPath:
        yield from rules.relative_path(given.subPath, f"{path}.subPath")
    if given.subPathExpr:
        if given.subPath:
            message = "subPathExpr and subPath are mutually exclusive"
            yield field.wrong(f"{where}.subPathExpr", given.subPathExpr, message)
        yield from rules.relative_path(given.subPathExpr, f"{path}.subPathExpr")


def propagation(given: VolumeMount, container: AnyContainer, path: str) -> Iterator[FieldError]:
    if not given.mountPropagation:
        return
    yield from rules.one_of(given.mountPropagation, PROPAGATIONS, path)
    privileged = container.securityContext is not None and container.securityContext.privileged
    if given.mountPropagation == "Bidirectional" and not privileged:
        yield field.forbidden(path, "Bidirectional mount propagation is available only to privileged containers")


def recursive(given: VolumeMount, path: str) -> Iterator[FieldError]:
    mode = given.recursiveReadOnly
    if mode in ("", "Disabled"):
        return
    if mode not in RECURSIVE:
        yield field.unsupported(path, mode, RECURSIVE)
        return
    if not given.readOnly:
        yield field.forbidden(path, "may only be specified when readOnly is true")
    if given.mountPropagation not in ("", "None"):
        yield field.forbidden(path, "may only be specified when mountPropagation is None or not specified")


def devices(container: AnyContainer, volumes: Volumes, path: str) -> Iterator[FieldError]:
    """What a container's volumeDevices break; `path` is theirs."""
    mounted = {mount.name: mount.mountPath for mount in container.volumeMounts}
    names: set[str] = set()
    paths: set[str] = set()
    for index, given in enumerate(container.volumeDevices):
        where = f"{path}[{index}]"
        yield from device_name(given, volumes, names, f"{where}.name")
        yield from device_path(given.devicePath, paths, f"{where}.devicePath")
        if given.name in mounted:
            yield field.wrong(f"{where}.name", given.name, "must not already exist in volumeMounts")
        if given.devicePath in mounted.values():
            message = "must not already exist as a path in volumeMounts"
            yield field.wrong(f"{where}.devicePath", given.devicePath, message)
        names.add(given.name)


def device_name(given: VolumeDevice, volumes: Volumes, names: set[str], path: str) -> Iterator[FieldError]:
    if not given.name:
        yield field.required(path)
    elif given.name in names:
        yield field.wrong(path, given.name, "must be unique")
    volume = volumes.get(given.name)
    if volume is None:
        yield field.not_found(path, given.name)
    elif volume.persistentVolumeClaim is None and volume.ephemeral is None:
        message = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
        yield field.wrong(path, given.name, message)


def device_path(value: str, seen: set[str], path: str) -> Iterator[FieldError]:
    if not value:
        yield field.required(path)
    if value in seen:
        yield field.wrong(path, value, "must be unique")
    if ".." in value.split("/"):
        yield field.wrong(path, value, "can not contain backsteps ('..')")
    else:
        seen.add(value)
