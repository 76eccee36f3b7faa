"""What may be done to a pod through its own subresources: add ephemeral containers, and change what containers ask for.

Each takes over its own part of the new pod and keeps all else as it was; then it says what that part breaks.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from knarr.kinds import internal, pod_rules
from knarr.kinds.kind import Part, Tree
from knarr.kinds.pod_resources import COMPUTE, NOTHING, qos_class
from knarr.kinds.trees import items
from knarr.kinds.types.core_v1 import Container, Pod, ResourceRequirements
from knarr.meta import field
from knarr.meta.field import FieldError

RESIZED = ("resources", "resizePolicy")
EPHEMERAL = "spec.ephemeralContainers"
ALWAYS = "Always"


def keep_all_but_ephemeral(new: Tree, old: Tree) -> None:
    added = (new.get("spec") or {}).get("ephemeralContainers")
    _restore(new, old)
    new["spec"].pop("ephemeralContainers", None)
    if added:
        new["spec"]["ephemeralContainers"] = added


def keep_all_but_resources(new: Tree, old: Tree) -> None:
    """Where containers were added, removed or renamed nothing is kept, for the rules to refuse it."""
    wanted = {name: list(items(new.get("spec") or {}, name)) for name in ("containers", "initContainers")}
    for name, containers in wanted.items():
        if [c.get("name") for c in containers] != [c.get("name") for c in items(old["spec"], name)]:
            return
    _restore(new, old)
    for name, containers in wanted.items():
        for kept, given in zip(items(new["spec"], name), containers, strict=True):
            for key in RESIZED:
                kept.pop(key, None)
                if key in given:
                    kept[key] = given[key]


def _restore(new: Tree, old: Tree) -> None:
    """Everything as it was, but for what says which version the change is based on."""
    kept: Tree = msgspec.json.decode(msgspec.json.encode(old))
    for key in ("uid", "resourceVersion", "managedFields"):
        if key in new["metadata"]:
            kept["metadata"][key] = new["metadata"][key]
    new.clear()
    new.update(kept)


def validate_ephemeral(new: Pod, old: Pod) -> Iterator[FieldError]:
    """What is there stays as it is; more may come."""
    yield from pod_rules.always(new)
    if pod_rules.MIRROR in old.metadata.annotations:
        yield field.forbidden("", "static pods do not support ephemeral containers")
        return
    after = {container.name: container for container in new.spec.ephemeralContainers}
    for before in old.spec.ephemeralContainers:
        if before.name not in after:
            yield field.forbidden(EPHEMERAL, f'existing ephemeral containers "{before.name}" may not be removed\n')
        elif after[before.name] != before:
            changes = internal.difference(before, after[before.name])
            head = f'existing ephemeral containers "{before.name}" may not be changed'
            yield field.forbidden(EPHEMERAL, f"{head}\n{changes}")


def validate_resize(new: Pod, old: Pod) -> Iterator[FieldError]:
    yield from pod_rules.always(new)
    if pod_rules.MIRROR in old.metadata.annotations:
        yield field.forbidden("", "static pods cannot be resized")
        return
    before, after = (qos_class(msgspec.to_builtins(pod.spec)) for pod in (old, new))
    if (old.status.qosClass or before) != after:
        yield field.wrong("spec", new.status.qosClass, "Pod QOS Class may not change as a result of resizing")
    if not resizable(old):
        yield field.forbidden("spec", "Pod running on node without support for resize")
    moved = [*_moved(new.spec.containers, old.spec.containers, "containers")]
    moved += _moved(new.spec.initContainers, old.spec.initContainers, "initContainers")
    yield from moved
    if not moved:
        yield from _changed(new, old)


def resizable(pod: Pod) -> bool:
    """Whether the pod's node can change what a running container may use: then it tells of what each one may."""
    running = [s for s in pod.status.containerStatuses if s.state is not None and s.state.running is not None]
    return not running or running[0].resources is not None


def _moved(new: Sequence[Container], old: Sequence[Container], what: str) -> Iterator[FieldError]:
    if len(new) != len(old):
        yield field.forbidden("spec", f"{what} may not be added or removed on resize")
    elif [container.name for container in new] != [container.name for container in old]:
        yield field.forbidden("spec", f"{what} may not be renamed or reordered on resize")


def _changed(new: Pod, old: Pod) -> Iterator[FieldError]:
    for name in ("containers", "initContainers"):
        pairs = zip(getattr(new.spec, name), getattr(old.spec, name), strict=True)
        for index, (after, before) in enumerate(pairs):
            if name == "initContainers" and before.restartPolicy != ALWAYS:
                if _fixed(after) != _fixed(before) or after.resources != before.resources:
                    yield field.forbidden("spec", "resources for non-sidecar init containers are immutable")
            else:
                yield from _resized(after.resources, before.resources, field.at("spec", name, index, "resources"))
    masked = replace(
        new.spec,
        containers=_masked(new.spec.containers, old.spec.containers),
        initContainers=_masked(new.spec.initContainers, old.spec.initContainers),
    )
    if masked != old.spec:
        changes = internal.difference(old.spec, masked)
        yield field.forbidden("spec", f"only cpu and memory resources are mutable\n{changes}")


def _resized(
    after: ResourceRequirements | None, before: ResourceRequirements | None, path: str
) -> Iterator[FieldError]:
    new, old = after or NOTHING, before or NOTHING
    for what in ("limits", "requests"):
        if any(name in getattr(old, what) and name not in getattr(new, what) for name in COMPUTE):
            yield field.forbidden(field.at(path, what), f"resource {what} cannot be removed")


def _fixed(container: Container) -> Any:
    return container.resizePolicy


def _masked(new: Sequence[Container], old: Sequence[Container]) -> list[Container]:
    """The new containers with the old amounts of what may change."""
    return [replace(a, resources=_amounts(a, b), resizePolicy=b.resizePolicy) for a, b in zip(new, old, strict=True)]


def _amounts(after: Container, before: Container) -> ResourceRequirements | None:
    new, old = after.resources or NOTHING, before.resources or NOTHING
    found = replace(new, limits=_with_old(new.limits, old.limits), requests=_with_old(new.requests, old.requests))
    return before.resources if found == old else found


def _with_old(new: Mapping[str, str], old: Mapping[str, str]) -> dict[str, str]:
    changed = {name: amount for name, amount in new.items() if name not in COMPUTE}
    return changed | {name: old[name] for name in COMPUTE if name in old}


PARTS = {
    "ephemeralcontainers": Part(keep_all_but_ephemeral, validate_ephemeral),
    "resize": Part(keep_all_but_resources, validate_resize),
}
