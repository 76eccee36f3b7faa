"""Rules of a container's environment: variables and where their values come from."""

from collections.abc import Iterator

from knarr.kinds import rules
from knarr.kinds.types.core_v1 import (
    ConfigMapKeySelector,
    Container,
    EnvFromSource,
    EnvVar,
    EphemeralContainer,
    FileKeySelector,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)
from knarr.meta import field, names
from knarr.meta.field import FieldError, at

POD_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
FILE_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
CONVERTIBLE = {*POD_FIELDS, *FILE_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase", "spec.host"}
AMOUNTS = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
HUGE = ("requests.hugepages-", "limits.hugepages-")
BYTE_DIVISORS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")


def environment(container: Container | EphemeralContainer, path: str) -> Iterator[FieldError]:
    """What a container's `env` and `envFrom` break."""
    for index, variable in enumerate(container.env):
        yield from environment_variable(variable, f"{path}.env[{index}]")
    for index, source in enumerate(container.envFrom):
        yield from environment_from(source, f"{path}.envFrom", index)


def environment_variable(variable: EnvVar, path: str) -> Iterator[FieldError]:
    if not variable.name:
        yield field.required(f"{path}.name")
    else:
        yield from rules.environment_name(variable.name, f"{path}.name")
    source, path = variable.valueFrom, f"{path}.valueFrom"
    if source is None:
        return
    count = 0
    if source.fieldRef is not None:
        count += 1
        yield from field_ref(source.fieldRef, POD_FIELDS, f"{path}.fieldRef")
    if source.resourceFieldRef is not None:
        count += 1
        yield from amount_ref(source.resourceFieldRef, f"{path}.resourceFieldRef", in_volume=False)
    if source.configMapKeyRef is not None:
        count += 1
        yield from key_ref(source.configMapKeyRef, f"{path}.configMapKeyRef")
    if source.secretKeyRef is not None:
        count += 1
        yield from key_ref(source.secretKeyRef, f"{path}.secretKeyRef")
    if source.fileKeyRef is not None:
        count += 1
        yield from file_key_ref(source.fileKeyRef, f"{path}.fileKeyRef")
    if count == 0:
        yield field.wrong(
            path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        )
    elif variable.value:
        yield field.wrong(path, "", "may not be specified when `value` is not empty")
    elif count > 1:
        yield field.wrong(path, "", "may not have more than one field specified at a time")


def field_ref(selector: ObjectFieldSelector, fields: tuple[str, ...], path: str) -> Iterator[FieldError]:
    """A field of the pod itself; labels and annotations by key: metadata.labels['app']."""
    if not selector.apiVersion or not selector.fieldPath:
        yield field.required(at(path, "apiVersion" if not selector.apiVersion else "fieldPath"))
        return
    where, name = f"{path}.fieldPath", selector.fieldPath
    if selector.apiVersion != "v1":
        message = f"error converting fieldPath: unsupported pod version: {selector.apiVersion}"
        yield field.wrong(where, name, message)
        return
    base, subscripted, key = name.partition("['")
    if subscripted and key.endswith("']"):
        if base in ("metadata.annotations", "metadata.labels"):
            key = key[:-2].lower() if base == "metadata.annotations" else key[:-2]
            yield from rules.qualified_name(key, path)
        else:
            yield field.wrong(
                where, name, f"error converting fieldPath: field label does not support subscript: {name}"
            )
    elif name not in CONVERTIBLE:
        yield field.wrong(where, name, f"error converting fieldPath: field label not supported: {name}")
    else:
        yield from rules.one_of(name, fields, where)


def amount_ref(selector: ResourceFieldSelector, path: str, *, in_volume: bool) -> Iterator[FieldError]:
    """An amount that a container requests or is limited to."""
    name = selector.resource
    if in_volume and not selector.containerName:
        yield field.required(f"{path}.containerName")
    elif not name:
        yield field.required(f"{path}.resource")
    elif name not in AMOUNTS and not name.startswith(HUGE):
        yield field.unsupported(f"{path}.resource", name, AMOUNTS)
    if selector.divisor in ("", "0"):
        return
    if name.endswith(".cpu") and name in AMOUNTS:
        wrong, text = selector.divisor not in ("1m", "1"), "1m and 1 are supported with the cpu resource"
    elif name in AMOUNTS or name.startswith(HUGE):
        what = name.partition(".")[2]
        what = {"ephemeral-storage": "local ephemeral storage", "memory": "memory"}.get(what, "hugepages")
        wrong = selector.divisor not in BYTE_DIVISORS
        text = f"{', '.join(BYTE_DIVISORS)} are supported with the {what} resource"
    else:
        return
    if wrong:
        yield field.wrong(at(path, "divisor"), name, f"only divisor's values {text}")


def key_ref(selector: ConfigMapKeySelector | SecretKeySelector, path: str) -> Iterator[FieldError]:
    yield from rules.dns_subdomain(selector.name, f"{path}.name")
    if not selector.key:
        yield field.required(f"{path}.key")
    else:
        yield from rules.wrong(f"{path}.key", selector.key, names.config_key_errors(selector.key))


def file_key_ref(selector: FileKeySelector, path: str) -> Iterator[FieldError]:
    """A variable of a file that an init container wrote."""
    yield from rules.needed(path, key=selector.key)
    if selector.key:
        yield from rules.environment_name(selector.key, f"{path}.key")
    yield from rules.needed(path, volumeName=selector.volumeName)
    if not selector.path:
        yield field.required(f"{path}.path")
    else:
        yield from rules.projected_path(selector.path, f"{path}.path")


def environment_from(source: EnvFromSource, path: str, index: int) -> Iterator[FieldError]:
    entry = f"{path}[{index}]"
    if source.prefix:
        yield from rules.environment_name(source.prefix, at(entry, "prefix"))
    given = [(name, ref) for name in ("configMapRef", "secretRef") if (ref := getattr(source, name)) is not None]
    for name, ref in given:
        if not ref.name:
            yield field.required(at(entry, name, "name"))
        else:
            yield from rules.dns_subdomain(ref.name, at(entry, name, "name"))
    if not given:
        yield field.wrong(path, "", "must specify one of: `configMapRef` or `secretRef`")
    elif len(given) > 1:
        yield field.wrong(path, "", "may not have more than one field specified at a time")
