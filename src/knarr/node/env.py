"""The environment of a container: services, envFrom, env, $(VAR) expansion. Pure; the agent fetches the sources."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from knarr.kinds.types.core_v1 import ConfigMap, Container, EnvVar, Pod, Secret, Service
from knarr.node.fields import FieldUnknown, object_field, resource_field

REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")


class EnvError(Exception):
    """A variable that cannot be had: the container waits with CreateContainerConfigError."""


class Sources(Struct, frozen=True):
    """What the variables come from; a name that is absent does not exist."""

    config_maps: Mapping[str, ConfigMap] = {}
    secrets: Mapping[str, Secret] = {}
    services: tuple[Service, ...] = ()
    allocatable: Mapping[str, str] = {}


def wanted(container: Container) -> tuple[set[str], set[str]]:
    """The names of the ConfigMaps and of the Secrets a container's environment needs."""
    maps, secrets = set(), set()
    for source in container.envFrom:
        maps |= {source.configMapRef.name} if source.configMapRef else set()
        secrets |= {source.secretRef.name} if source.secretRef else set()
    for each in container.env:
        if each.valueFrom and each.valueFrom.configMapKeyRef:
            maps.add(each.valueFrom.configMapKeyRef.name)
        if each.valueFrom and each.valueFrom.secretKeyRef:
            secrets.add(each.valueFrom.secretKeyRef.name)
    return maps, secrets


def environment(pod: Pod, container: Container, sources: Sources) -> dict[str, str]:
    """Every variable; a later definition wins over an earlier one, and over a service's."""
    from_services = dict(service_variables(pod, sources.services))
    out: dict[str, str] = {}
    for source in container.envFrom:
        out |= {source.prefix + key: value for key, value in bulk(pod, source, sources)}
    for each in container.env:
        if each.valueFrom is not None:
            value = referenced(pod, container, each, sources)
            if value is not None:
                out[each.name] = value
        else:
            out[each.name] = expand(each.value, from_services | out)
    return from_services | out


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace $(NAME); $$ stands for $, a name that is not known stays as it is."""

    def value(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return values.get(match[2], match[0])

    return REFERENCE.sub(value, text)


def bulk(pod: Pod, source: object, sources: Sources) -> Iterator[tuple[str, str]]:
    """All keys of one envFrom entry."""
    if ref := getattr(source, "configMapRef", None):
        if (found := sources.config_maps.get(ref.name)) is not None:
            yield from found.data.items()
        elif not ref.optional:
            raise EnvError(f'configmap "{ref.name}" not found')
    if ref := getattr(source, "secretRef", None):
        if (secret := sources.secrets.get(ref.name)) is not None:
            yield from ((key, text(value)) for key, value in secret.data.items())
        elif not ref.optional:
            raise EnvError(f'secret "{ref.name}" not found')


def referenced(pod: Pod, container: Container, variable: EnvVar, sources: Sources) -> str | None:
    """The value of a `valueFrom`; None when it is optional and absent."""
    source = variable.valueFrom
    if source is None:
        return None
    try:
        if source.fieldRef:
            return object_field(pod, source.fieldRef.fieldPath)
        if source.resourceFieldRef:
            return resource_field(pod, container, source.resourceFieldRef, sources.allocatable)
    except FieldUnknown as error:
        raise EnvError(str(error)) from None
    if ref := source.configMapKeyRef:
        config_map = sources.config_maps.get(ref.name)
        return picked(pod, "ConfigMap", ref.name, ref.key, ref.optional, config_map.data if config_map else None)
    if key := source.secretKeyRef:
        secret = sources.secrets.get(key.name)
        data = {name: text(value) for name, value in secret.data.items()} if secret else None
        return picked(pod, "Secret", key.name, key.key, key.optional, data)
    return None


def picked(
    pod: Pod, kind: str, name: str, key: str, optional: bool | None, data: Mapping[str, str] | None
) -> str | None:
    if data is not None and key in data:
        return data[key]
    if optional:
        return None
    if data is None:
        raise EnvError(f'{kind.lower()} "{name}" not found')
    raise EnvError(f"couldn't find key {key} in {kind} {pod.metadata.namespace}/{name}")


def text(value: str) -> str:
    """A Secret's value as text."""
    return base64.b64decode(value).decode("utf-8", "surrogateescape")


def service_variables(pod: Pod, services: Iterable[Service]) -> Iterator[tuple[str, str]]:
    """The variables that announce services: those of the namespace, and `kubernetes` of `default` always."""
    links = pod.spec.enableServiceLinks is not False
    for service in services:
        namespace, name = service.metadata.namespace, service.metadata.name
        api = (namespace, name) == ("default", "kubernetes")
        if not api and not (links and namespace == pod.metadata.namespace):
            continue
        ip = service.spec.clusterIP
        if ip in ("", "None") or not service.spec.ports:
            continue
        prefix = name.upper().replace("-", "_")
        yield f"{prefix}_SERVICE_HOST", ip
        yield f"{prefix}_SERVICE_PORT", str(service.spec.ports[0].port)
        for number, port in enumerate(service.spec.ports):
            if port.name:
                yield f"{prefix}_SERVICE_PORT_{port.name.upper().replace('-', '_')}", str(port.port)
            protocol = port.protocol or "TCP"
            url = f"{protocol.lower()}://{ip}:{port.port}"
            if number == 0:
                yield f"{prefix}_PORT", url
            link = f"{prefix}_PORT_{port.port}_{protocol}"
            yield from (
                (link, url),
                (f"{link}_PROTO", protocol.lower()),
                (f"{link}_PORT", str(port.port)),
                (f"{link}_ADDR", ip),
            )
