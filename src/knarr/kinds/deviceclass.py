"""DeviceClass: a sort of device that may be claimed. Kept and shown; knarr has no devices to allocate."""

from knarr.kinds.kind import Kind
from knarr.kinds.types.resource_v1 import DeviceClass

KIND = Kind(
    type=DeviceClass,
    group="resource.k8s.io",
    version="v1",
    kind="DeviceClass",
    plural="deviceclasses",
    singular="deviceclass",
    namespaced=False,
)
