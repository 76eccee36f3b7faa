"""LimitRanger's first half: a new pod's containers get the requests and limits that the namespace's ranges default."""

from collections.abc import Iterable

from knarr.kinds.types.core_v1 import LimitRange
from knarr.server.admission import Admission, State, Tree, items, part

ANNOTATION = "kubernetes.io/limit-ranger"
TEXT = "LimitRanger plugin set: "


class LimitDefaults:
    async def admit(self, admission: Admission, state: State) -> None:
        if admission.is_("Pod", "create"):
            for range_ in await state.list(LimitRange, admission.namespace):
                fill(admission.tree, range_)


def fill(pod: Tree, range_: LimitRange) -> None:
    """Write a range's defaults into a pod, and into an annotation what was written."""
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    for item in range_.spec.limits:
        if item.type == "Container":
            requests |= item.defaultRequest
            limits |= item.default
    spec = part(pod, "spec")
    told = [
        text
        for list_, what in (("containers", "container"), ("initContainers", "init container"))
        for container in items(spec, list_)
        for text in _complete(container, requests, limits, what)
    ]
    if told:
        part(part(pod, "metadata"), "annotations")[ANNOTATION] = TEXT + "; ".join(told)


def _complete(container: Tree, requests: dict[str, str], limits: dict[str, str], what: str) -> Iterable[str]:
    if not requests and not limits:
        return
    resources = part(container, "resources")
    for key, word, defaults in (("requests", "request", requests), ("limits", "limit", limits)):
        added = {name: amount for name, amount in defaults.items() if name not in (resources.get(key) or {})}
        if added:
            part(resources, key).update(added)
            yield f"{', '.join(sorted(added))} {word} for {what} {container.get('name', '')}"
