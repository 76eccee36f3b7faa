"""Rules of the sources of storage that pods' volumes and persistent volumes share, by the field that holds them."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from knarr.kinds import claims, rules
from knarr.kinds.types.core_v1 import PersistentVolumeClaimTemplate
from knarr.meta import field
from knarr.meta.field import FieldError, at, at_key

MORE_THAN_ONE = "may not specify more than 1 volume type"
HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_INITIATORS = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$", re.ASCII),
    "eui": re.compile(r"eui.[A-Za-z0-9]{16}$"),
    "naa": re.compile(r"naa.[A-Za-z0-9]{32}$"),
}

Source = Any  # one of the many generated types with these fields
Check = Callable[[Source, str], Iterator[FieldError]]


def fields_of(*fields: str) -> Check:
    """A check that these fields are not empty, and that a secret that is named is named fully."""

    def check(source: Source, path: str) -> Iterator[FieldError]:
        for name in fields:
            if not getattr(source, name):
                yield field.required(at(path, name))
        secret = getattr(source, "secretRef", None)
        if secret is not None and not secret.name and "volumeID" in fields:
            yield field.required(at(path, "secretRef", "name"))

    return check


def host_path(source: Source, path: str) -> Iterator[FieldError]:
    if not source.path:
        yield field.required(at(path, "path"))
        return
    yield from rules.no_backsteps(source.path, at(path, "path"))
    yield from rules.one_of(source.type, HOST_PATH_TYPES, at(path, "type"))


def local(source: Source, path: str) -> Iterator[FieldError]:
    if not source.path:
        yield field.required(at(path, "path"))
        return
    yield from rules.no_backsteps(source.path, at(path, "path"))


def nfs(source: Source, path: str) -> Iterator[FieldError]:
    yield from rules.needed(path, server=source.server, path=source.path)
    if not source.path.startswith("/"):
        yield field.wrong(at(path, "path"), source.path, "must be an absolute path")


def git_repo(source: Source, path: str) -> Iterator[FieldError]:
    yield from rules.needed(path, repository=source.repository)
    yield from rules.relative_path(source.directory, at(path, "directory"))


def disk(name: str) -> Check:
    """A cloud's disk with an optional partition."""

    def check(source: Source, path: str) -> Iterator[FieldError]:
        path = path.replace("gcePersistentDisk", "persistentDisk")
        yield from rules.needed(path, **{name: getattr(source, name)})
        if not 0 <= (source.partition or 0) <= 255:
            yield field.wrong(at(path, "partition"), source.partition, "must be between 1 and 255, inclusive")

    return check


def iscsi(source: Source, path: str) -> Iterator[FieldError]:
    yield from rules.needed(path, targetPortal=source.targetPortal, iqn=source.iqn)
    if source.iqn:
        yield from initiator(source.iqn, at(path, "iqn"))
    yield from rules.between(source.lun, 0, 255, at(path, "lun"))
    if (source.chapAuthDiscovery or source.chapAuthSession) and source.secretRef is None:
        yield field.required(at(path, "secretRef"))
    if source.initiatorName:
        yield from initiator(source.initiatorName, at(path, "initiatorname"))


def initiator(value: str, path: str) -> Iterator[FieldError]:
    form = _INITIATORS.get(value[:3])
    if form is None:
        yield field.wrong(path, value, "must be valid format starting with iqn, eui, or naa")
    elif form.match(value) is None:
        yield field.wrong(path, value, "must be valid format")


def fibre_channel(source: Source, path: str) -> Iterator[FieldError]:
    names, ids = source.targetWWNs, source.wwids
    if not names and not ids:
        yield field.required(at(path, "targetWWNs"), "must specify either targetWWNs or wwids, but not both")
    if names and ids:
        message = "targetWWNs and wwids can not be specified simultaneously"
        yield field.wrong(at(path, "targetWWNs"), names, message)
    if names and source.lun is None:
        yield field.required(at(path, "lun"), "lun is required if targetWWNs is specified")
    elif names:
        yield from rules.between(source.lun, 0, 255, at(path, "lun"))


def quobyte(source: Source, path: str) -> Iterator[FieldError]:
    pairs = "must be a host:port pair or multiple pairs separated by commas"
    if not source.registry:
        yield field.required(at(path, "registry"), pairs)
    elif len(source.tenant) >= 65:
        yield field.required(at(path, "tenant"), "must be a UUID and may not exceed a length of 64 characters")
    elif any(pair.count(":") != 1 for pair in source.registry.split(",")):
        yield field.wrong(at(path, "registry"), source.registry, pairs)
    yield from rules.needed(path, volume=source.volume)


def flocker(source: Source, path: str) -> Iterator[FieldError]:
    if not source.datasetName and not source.datasetUUID:
        yield field.required(path, "one of datasetName and datasetUUID is required")
    if source.datasetName and source.datasetUUID:
        yield field.wrong(path, "resource", "datasetName and datasetUUID can not be specified simultaneously")
    if "/" in source.datasetName:
        yield field.wrong(at(path, "datasetName"), source.datasetName, "must not contain '/'")


def flex_volume(source: Source, path: str) -> Iterator[FieldError]:
    yield from rules.needed(path, driver=source.driver)
    for key in source.options:
        domain = "." + key.partition("/")[0].lower()
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            message = "kubernetes.io and k8s.io namespaces are reserved"
            yield field.wrong(at_key(at(path, "options"), key), key, message)


def azure_disk(source: Source, path: str) -> Iterator[FieldError]:
    yield from rules.needed(path, diskName=source.diskName, diskURI=source.diskURI)
    yield from rules.one_of(source.cachingMode, ("None", "ReadOnly", "ReadWrite"), at(path, "cachingMode"))
    yield from rules.one_of(source.kind, ("Dedicated", "Managed", "Shared"), at(path, "kind"))
    if source.kind == "Managed" and not source.diskURI.startswith("/subscriptions/"):
        form = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
        yield field.unsupported(at(path, "diskURI"), source.diskURI, (form,))
    elif source.kind != "Managed" and not source.diskURI.startswith("https://"):
        form = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
        yield field.unsupported(at(path, "diskURI"), source.diskURI, (form,))


def csi(source: Source, path: str) -> Iterator[FieldError]:
    yield from driver(source.driver, at(path, "driver"))
    secret = source.nodePublishSecretRef
    if secret is not None:
        if not secret.name:
            yield field.required(at(path, "nodePublishSecretRef", "name"))
        else:
            yield from rules.dns_subdomain(secret.name, at(path, "name"))


def csi_volume(source: Source, path: str) -> Iterator[FieldError]:
    """The source of a persistent volume; a pod's is `csi`."""
    yield from driver(source.driver, at(path, "driver"))
    yield from rules.needed(path, volumeHandle=source.volumeHandle)
    for use in ("controllerPublish", "controllerExpand", "nodePublish", "nodeExpand"):
        secret = getattr(source, f"{use}SecretRef")
        if secret is None:
            continue
        where = at(path, f"{use}SecretRef")
        yield from rules.needed(where, name=secret.name)
        if secret.name:
            yield from rules.dns_subdomain(secret.name, at(where, "name"))
        yield from rules.needed(where, namespace=secret.namespace)
        if secret.namespace:
            yield from rules.dns_label(secret.namespace, at(where, "namespace"))


def driver(name: str, path: str) -> Iterator[FieldError]:
    """The name of a CSI driver."""
    if not name:
        yield field.required(path)
    if len(name) > 63:
        yield field.too_long(path, 63)
    for error in rules.dns_subdomain(name.lower(), path):
        yield field.wrong(path, name, error.message.split(": ", 2)[2])


def storage_os(source: Source, path: str) -> Iterator[FieldError]:
    if not source.volumeName:
        yield field.required(at(path, "volumeName"))
    else:
        yield from rules.dns_label(source.volumeName, at(path, "volumeName"))
    if source.volumeNamespace:
        yield from rules.dns_label(source.volumeNamespace, at(path, "volumeNamespace"))
    if source.secretRef is not None and not source.secretRef.name:
        yield field.required(at(path, "secretRef", "name"))


def claim_template(template: PersistentVolumeClaimTemplate, path: str) -> Iterator[FieldError]:
    """A claim that is made for each pod: metadata holds labels and annotations only."""
    yield from claims.template_metadata(template.metadata, at(path, "metadata"))
    yield from claims.spec(template.spec, at(path, "spec"))


SOURCES: dict[str, Check] = {
    "hostPath": host_path,
    "gitRepo": git_repo,
    "gcePersistentDisk": disk("pdName"),
    "awsElasticBlockStore": disk("volumeID"),
    "nfs": nfs,
    "iscsi": iscsi,
    "glusterfs": fields_of("endpoints", "path"),
    "flocker": flocker,
    "persistentVolumeClaim": fields_of("claimName"),
    "rbd": fields_of("monitors", "image"),
    "cinder": fields_of("volumeID"),
    "cephfs": fields_of("monitors"),
    "quobyte": quobyte,
    "fc": fibre_channel,
    "flexVolume": flex_volume,
    "azureFile": fields_of("secretName", "shareName"),
    "vsphereVolume": fields_of("volumePath"),
    "photonPersistentDisk": fields_of("pdID"),
    "portworxVolume": fields_of("volumeID"),
    "azureDisk": azure_disk,
    "storageos": storage_os,
    "scaleIO": fields_of("gateway", "system", "volumeName"),
    "csi": csi,
}
