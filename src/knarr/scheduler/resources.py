"""What a pod asks of a node: amounts by resource. Pure; called when a pod enters the board.

Amounts are whole nano units, so that adding and comparing is integer arithmetic.
"""

from collections.abc import Mapping

from knarr.kinds.types.core_v1 import Container, Pod
from knarr.meta import quantity

Amounts = dict[str, int]

#: what a container that asks for nothing counts as when nodes are compared
ASSUMED = {"cpu": 100 * 10**6, "memory": 200 * 2**20 * 10**9}


def amounts(texts: Mapping[str, str]) -> Amounts:
    return {name: quantity.parse(text).nano for name, text in texts.items()}


def requested(pod: Pod) -> Amounts:
    """What the pod needs at its highest: its containers together, or an init container beside the sidecars before it.

    Requests of the pod as a whole take the place of its containers' sums; the overhead is added to either.
    """
    return _needed(pod, {})


def assumed(pod: Pod) -> Amounts:
    """As `requested`, with a small amount put in for what a container leaves out."""
    return _needed(pod, ASSUMED)


def _needed(pod: Pod, defaults: Mapping[str, int]) -> Amounts:
    running: Amounts = {}
    for container in pod.spec.containers:
        _add(running, _of(container, defaults))
    peak: Amounts = {}
    sidecars: Amounts = {}
    for container in pod.spec.initContainers:
        needs = _of(container, defaults)
        if container.restartPolicy == "Always":
            _add(sidecars, needs)
            needs = {}
        for name in needs | sidecars:
            peak[name] = max(peak.get(name, 0), needs.get(name, 0) + sidecars.get(name, 0))
    _add(running, sidecars)
    total = {name: max(running.get(name, 0), peak.get(name, 0)) for name in running | peak}
    if pod.spec.resources is not None:
        total.update(amounts(pod.spec.resources.requests))
    _add(total, amounts(pod.spec.overhead))
    return total


def _of(container: Container, defaults: Mapping[str, int]) -> Amounts:
    return {**defaults, **(amounts(container.resources.requests) if container.resources else {})}


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount
