"""ResourceSlice: the devices that a driver offers on a node. Kept and shown; knarr has no devices to allocate."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, devices, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.podspec_affinity import node_selector
from knarr.kinds.types.resource_v1 import CounterSet, Device, ResourcePool, ResourceSlice, ResourceSliceSpec
from knarr.kinds.volume_sources import driver
from knarr.meta import field
from knarr.meta.field import FieldError, at

MOST_DEVICES, MOST_TAINTED = 128, 64
MOST_COUNTERS = 8
MOST_PROPERTIES = 32  #: attributes and capacities of one device
LONGEST_POOL = 253
PLACES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
ONE_PLACE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
OF_DEVICE = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true "
    "in the ResourceSlice spec"
)
NOT_OF_DEVICE = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the "
    "ResourceSlice spec"
)
SET = "must be either unset or set to true"


def validate(slice_: ResourceSlice) -> Iterator[FieldError]:
    yield from identity(slice_.spec)
    yield from offer(slice_.spec)


def validate_update(new: ResourceSlice, old: ResourceSlice) -> Iterator[FieldError]:
    yield from identity(new.spec)
    yield from rules.unchanged(new.spec.pool.name, old.spec.pool.name, "spec.pool.name")
    for key in ("driver", "nodeName"):
        yield from rules.unchanged(getattr(new.spec, key), getattr(old.spec, key), at("spec", key))
    yield from offer(new.spec)


def identity(spec: ResourceSliceSpec) -> Iterator[FieldError]:
    yield from driver(spec.driver, "spec.driver")
    yield from pool_rules(spec.pool, "spec.pool")


def pool_rules(pool: ResourcePool, path: str) -> Iterator[FieldError]:
    if not pool.name:
        yield field.required(at(path, "name"))
    else:
        if len(pool.name) > LONGEST_POOL:
            yield field.too_long(at(path, "name"), LONGEST_POOL)
        for part in pool.name.split("/"):
            yield from rules.dns_subdomain(part, at(path, "name"))
    if pool.resourceSliceCount <= 0:
        yield field.wrong(at(path, "resourceSliceCount"), pool.resourceSliceCount, rules.POSITIVE)
    if pool.generation < 0:
        yield field.wrong(at(path, "generation"), pool.generation, "must be greater than or equal to zero")


def offer(spec: ResourceSliceSpec) -> Iterator[FieldError]:
    """Where the devices are, and what they are."""
    if spec.nodeName:
        yield from rules.dns_subdomain(spec.nodeName, "spec.nodeName")
    if spec.nodeSelector is not None:
        yield from node_selector(spec.nodeSelector, "spec.nodeSelector")
        if len(spec.nodeSelector.nodeSelectorTerms) != 1:
            path = "spec.nodeSelector.nodeSelectorTerms"
            yield field.wrong(path, spec.nodeSelector.nodeSelectorTerms, "must have exactly one node selector term")
    for key in ("allNodes", "perDeviceNodeSelection"):
        if getattr(spec, key) is False:
            yield field.wrong(at("spec", key), False, SET)
    places = [f"`{key}`" for key in PLACES if getattr(spec, key)]
    if not places:
        yield field.required("spec", ONE_PLACE)
    elif len(places) > 1:
        yield field.wrong("spec", f"{{{', '.join(places)}}}", f"{ONE_PLACE}, but multiple fields are set")
    if spec.sharedCounters and spec.devices:
        yield field.wrong("spec", "", "only one of `sharedCounters` or `devices` is allowed")
    tight = any(device.taints or device.consumesCounters for device in spec.devices)

    def one(device: Device, path: str) -> Iterator[FieldError]:
        return device_rules(device, path, own_place=bool(spec.perDeviceNodeSelection))

    most = MOST_TAINTED if tight else MOST_DEVICES
    yield from devices.named_set(spec.devices, most, one, lambda device: device.name, "spec.devices")
    path = "spec.sharedCounters"
    yield from devices.named_set(spec.sharedCounters, MOST_COUNTERS, counters, lambda given: given.name, path)


def device_rules(device: Device, path: str, *, own_place: bool) -> Iterator[FieldError]:
    yield from rules.dns_label(device.name, at(path, "name"))
    properties = len(device.attributes) + len(device.capacity)
    if properties > MOST_PROPERTIES:
        message = f"the total number of attributes and capacities must not exceed {MOST_PROPERTIES}"
        yield field.wrong(path, properties, message)
    for name, value in device.attributes.items():
        single = (value.bool_ is not None, value.int_ is not None, bool(value.string), bool(value.version))
        lists = map(bool, (value.bools, value.ints, value.strings, value.versions))
        if sum((*single, *lists)) != 1:
            shown = value if any(single) else ""
            yield field.wrong(field.at_key(at(path, "attributes"), name), shown, "exactly one value must be specified")
    places = [f"`{key}`" for key in PLACES[:3] if getattr(device, key)]
    if not own_place:
        if places or device.allNodes is not None:
            yield field.wrong(path, None, NOT_OF_DEVICE)
    elif not places:
        yield field.required(path, OF_DEVICE)
    elif len(places) > 1:
        yield field.wrong(path, f"{{{', '.join(places)}}}", OF_DEVICE)


def counters(given: CounterSet, path: str) -> Iterator[FieldError]:
    if not given.name:
        yield field.required(at(path, "name"))
    else:
        yield from rules.dns_label(given.name, at(path, "name"))
    if not given.counters:
        yield field.required(at(path, "counters"))
    for name in given.counters:
        yield from rules.dns_label(name, at(path, "counters"))


def row(slice_: ResourceSlice, now: datetime) -> Sequence[object]:
    spec = slice_.spec
    return slice_.metadata.name, spec.nodeName or cells.UNSET, spec.driver, spec.pool.name, cells.age(slice_, now)


KIND = Kind(
    type=ResourceSlice,
    group="resource.k8s.io",
    version="v1",
    kind="ResourceSlice",
    plural="resourceslices",
    singular="resourceslice",
    namespaced=False,
    generation=True,
    validate=validate,
    validate_update=validate_update,
    columns=(NAME_COLUMN, Column("Node"), Column("Driver"), Column("Pool"), AGE_COLUMN),
    row=row,
    selectable={"spec.nodeName": lambda slice_: slice_.spec.nodeName, "spec.driver": lambda slice_: slice_.spec.driver},
)
