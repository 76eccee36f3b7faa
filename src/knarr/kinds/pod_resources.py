"""What a pod asks for: its class of service.

Works on the spec as a Tree at creation and as a Struct afterwards; quantities are canonical, so equal ones are equal
strings, and since no request may exceed its limit the sums are equal only if every pair is.
"""

from collections.abc import Iterable, Mapping

from knarr.kinds.kind import Tree
from knarr.kinds.trees import items, part
from knarr.kinds.types.core_v1 import PodSpec, ResourceRequirements

COMPUTE = ("cpu", "memory")  #: the resources that decide the class
Amounts = Mapping[str, str]


def qos_class(spec: Tree) -> str:
    """Guaranteed, Burstable or BestEffort, from a defaulted spec."""
    whole = spec.get("resources") or {}
    if whole.get("requests") or whole.get("limits"):
        return _qos([(whole.get("requests") or {}, whole.get("limits") or {})])
    return _qos(
        (part(c, "resources", "requests"), part(c, "resources", "limits"))
        for c in items(spec, "containers", "initContainers")
    )


def qos_of(spec: PodSpec) -> str:
    """The class of a decoded spec."""
    if spec.resources is not None and (spec.resources.requests or spec.resources.limits):
        return _qos([(spec.resources.requests, spec.resources.limits)])
    given = (c.resources or ResourceRequirements() for c in [*spec.containers, *spec.initContainers])
    return _qos((r.requests, r.limits) for r in given)


def _qos(pairs: Iterable[tuple[Amounts, Amounts]]) -> str:
    listed = [(_positive(requests), _positive(limits)) for requests, limits in pairs]
    if not any(requests or limits for requests, limits in listed):
        return "BestEffort"
    guaranteed = all(limits.keys() == set(COMPUTE) and requests == limits for requests, limits in listed)
    return "Guaranteed" if guaranteed else "Burstable"


def _positive(amounts: Amounts) -> dict[str, str]:
    return {name: amounts[name] for name in COMPUTE if amounts.get(name, "0") != "0"}
