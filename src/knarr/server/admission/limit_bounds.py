"""LimitRanger's second half: pods, their containers and claims stay within the namespace's ranges."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from knarr.kinds import pod_resources
from knarr.kinds.pod_resources import Totals
from knarr.kinds.types.core_v1 import LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod
from knarr.meta import quantity
from knarr.meta.quantity import Quantity
from knarr.server.admission import Admission, State

KINDS = ("Pod", "PersistentVolumeClaim")
#: the resource's name, what kind of range it is, the range's amount, requests, limits: what is wrong, or ""
Bound = Callable[[str, str, Quantity, Totals, Totals], str]


class LimitBounds:
    async def admit(self, admission: Admission, state: State) -> None:
        if admission.kind.group or admission.kind.kind not in KINDS or not _looks_at(admission):
            return
        ranges = await state.list(LimitRange, admission.namespace)
        if not ranges:
            return
        found = admission.object()
        for range_ in ranges:
            if wrong := list(dict.fromkeys(outside(range_, found))):
                raise admission.refuse(wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]")


def _looks_at(admission: Admission) -> bool:
    """Ordinary updates of a pod can't change what it asks for, and what is on its way out may go as it is."""
    if admission.verb == "update" and (admission.old or {}).get("metadata", {}).get("deletionTimestamp"):
        return False
    if admission.kind.kind == "Pod":
        return admission.verb == "create" if not admission.subresource else admission.subresource == "resize"
    return not admission.subresource and admission.verb in ("create", "update")


def outside(range_: LimitRange, found: Any) -> Iterator[str]:
    """What of an object lies outside of a range."""
    for item in range_.spec.limits:
        if isinstance(found, Pod):
            if item.type == "Container":
                for container in (*found.spec.containers, *found.spec.initContainers):
                    own = container.resources or pod_resources.NOTHING
                    yield from broken(item, amounts(own.requests), amounts(own.limits))
            elif item.type == "Pod":
                yield from broken(item, pod_resources.requests(found.spec), pod_resources.limits(found.spec))
        elif isinstance(found, PersistentVolumeClaim) and item.type == "PersistentVolumeClaim":
            asked = amounts(found.spec.resources.requests if found.spec.resources else {})
            yield from _bounded(item, (("min", least), ("max", most_requested)), asked, {})


def broken(item: LimitRangeItem, requests: Totals, limits: Totals) -> Iterator[str]:
    yield from _bounded(item, (("min", least), ("max", most), ("maxLimitRequestRatio", ratio)), requests, limits)


def _bounded(
    item: LimitRangeItem, bounds: tuple[tuple[str, Bound], ...], requests: Totals, limits: Totals
) -> Iterator[str]:
    for field, bound in bounds:
        for name, amount in sorted(getattr(item, field).items()):
            if text := bound(name, item.type, quantity.parse(amount), requests, limits):
                yield text


def least(name: str, type_: str, bound: Quantity, requests: Totals, limits: Totals) -> str:
    head = f"minimum {name} usage per {type_} is {bound}"
    if name not in requests:
        return f"{head}.  No request is specified"
    if requests[name] < bound:
        return f"{head}, but request is {requests[name]}"
    if name in limits and limits[name] < bound:
        return f"{head}, but limit is {limits[name]}"
    return ""


def most(name: str, type_: str, bound: Quantity, requests: Totals, limits: Totals) -> str:
    head = f"maximum {name} usage per {type_} is {bound}"
    if name not in limits:
        return f"{head}.  No limit is specified"
    if limits[name] > bound:
        return f"{head}, but limit is {limits[name]}"
    if name in requests and requests[name] > bound:
        return f"{head}, but request is {requests[name]}"
    return ""


def most_requested(name: str, type_: str, bound: Quantity, requests: Totals, limits: Totals) -> str:
    head = f"maximum {name} usage per {type_} is {bound}"
    if name not in requests:
        return f"{head}.  No request is specified"
    return f"{head}, but request is {requests[name]}" if requests[name] > bound else ""


def ratio(name: str, type_: str, bound: Quantity, requests: Totals, limits: Totals) -> str:
    head = f"{name} max limit to request ratio per {type_} is {bound}"
    if not requests.get(name):
        return f"{head}, but no request is specified or request is 0"
    if not limits.get(name):
        return f"{head}, but no limit is specified or limit is 0"
    actual = limits[name].nano / requests[name].nano
    return f"{head}, but provided ratio is {actual:f}" if actual * quantity.NANO > bound.nano else ""


def amounts(given: Mapping[str, str]) -> Totals:
    return {name: quantity.parse(amount) for name, amount in given.items()}
