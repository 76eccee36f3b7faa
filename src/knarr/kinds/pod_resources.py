"""What a pod asks for in all, and its class of service.

The class works on the spec as a Tree at creation and as a Struct afterwards; quantities are canonical, so equal ones
are equal strings, and since no request may exceed its limit the sums are equal only if every pair is.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from knarr.kinds.kind import Tree
from knarr.kinds.trees import child, items, part
from knarr.kinds.types.core_v1 import Container, PodSpec, ResourceRequirements
from knarr.meta import quantity
from knarr.meta.quantity import Quantity

HUGE = "hugepages-"
COMPUTE = ("cpu", "memory")  #: the resources that decide the class
NOTHING = ResourceRequirements()
Amounts = Mapping[str, str]
Totals = dict[str, Quantity]
Reader = Callable[[ResourceRequirements], Amounts]


def qos_class(spec: Tree) -> str:
    """Guaranteed, Burstable or BestEffort, from a defaulted spec."""
    whole = spec.get("resources") or {}
    if whole.get("requests") or whole.get("limits"):
        return _qos([(whole.get("requests") or {}, whole.get("limits") or {})])
    asked = [c.get("resources") or {} for c in items(spec, "containers", "initContainers")]
    if not any(asked):
        return "BestEffort"
    return _qos((resources.get("requests") or {}, resources.get("limits") or {}) for resources in asked)


def _qos(pairs: Iterable[tuple[Amounts, Amounts]]) -> str:
    listed = [(_positive(requests), _positive(limits)) for requests, limits in pairs]
    if not any(requests or limits for requests, limits in listed):
        return "BestEffort"
    guaranteed = all(limits.keys() == set(COMPUTE) and requests == limits for requests, limits in listed)
    return "Guaranteed" if guaranteed else "Burstable"


def _positive(amounts: Amounts) -> dict[str, str]:
    return {name: amounts[name] for name in COMPUTE if amounts.get(name, "0") != "0"}


def whole_defaults(spec: Tree) -> None:
    """A pod that limits itself as a whole requests what its containers do, or else what it limits."""
    limits = part(spec, "resources", "limits")
    if not limits:
        return
    asked = of_containers(msgspec.convert(spec, PodSpec))
    wanted = {**limits, **{name: str(amount) for name, amount in asked.items()}}
    for name, amount in wanted.items():
        if name in COMPUTE or name.startswith(HUGE):
            child(spec["resources"], "requests").setdefault(name, amount)


def requests(spec: PodSpec) -> Totals:
    """What a node must have free for the pod: the most that it needs at any time of its life, overhead included."""
    return _most(spec, lambda resources: resources.requests)


def limits(spec: PodSpec) -> Totals:
    """The most that the pod may use at any time of its life, overhead included."""
    return _most(spec, lambda resources: resources.limits)


def of_containers(spec: PodSpec, read: Reader = lambda resources: resources.requests) -> Totals:
    """What the containers need at most, whatever the pod as a whole asks for.

    Containers run together with all sidecars; an init container with the sidecars that started before it.
    """
    beside: Totals = {}
    peak: Totals = {}
    for container in spec.initContainers:
        own = _amounts(container, read)
        if container.restartPolicy == "Always":
            beside = _sum(beside, own)
            peak = _larger(peak, beside)
        else:
            peak = _larger(peak, _sum(beside, own))
    together = beside
    for container in spec.containers:
        together = _sum(together, _amounts(container, read))
    return _larger(together, peak)


def _most(spec: PodSpec, read: Reader) -> Totals:
    found = of_containers(spec, read)
    if spec.resources is not None:
        found |= {name: quantity.parse(amount) for name, amount in read(spec.resources).items()}
    return _sum(found, {name: quantity.parse(amount) for name, amount in spec.overhead.items()})


def _amounts(container: Container, read: Reader) -> Totals:
    return {name: quantity.parse(amount) for name, amount in read(container.resources or NOTHING).items()}


def _sum(left: Totals, right: Totals) -> Totals:
    return left | right | {name: left[name] + right[name] for name in left.keys() & right.keys()}


def _larger(left: Totals, right: Totals) -> Totals:
    return left | right | {name: max(left[name], right[name]) for name in left.keys() & right.keys()}
