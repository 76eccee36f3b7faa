"""DeviceClass: a sort of device that may be claimed. Kept and shown; knarr has no devices to allocate."""

from collections.abc import Iterator

from knarr.kinds import devices
from knarr.kinds.kind import Kind
from knarr.kinds.types.resource_v1 import DeviceClass
from knarr.meta.field import FieldError, at


def validate(class_: DeviceClass) -> Iterator[FieldError]:
    yield from devices.selectors(class_.spec.selectors, "spec.selectors")
    yield from devices.limited(class_.spec.config, devices.MOST, "spec.config")
    for index, config in enumerate(class_.spec.config):
        yield from devices.opaque(config.opaque, at("spec", "config", index, "opaque"))


KIND = Kind(
    type=DeviceClass,
    group="resource.k8s.io",
    version="v1",
    kind="DeviceClass",
    plural="deviceclasses",
    singular="deviceclass",
    namespaced=False,
    generation=True,
    validate=validate,
    validate_update=lambda new, old: validate(new),
)
