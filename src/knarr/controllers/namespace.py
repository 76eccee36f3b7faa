"""Namespaces: one that is being deleted loses its contents, of every kind there is, and then its finalizer.

Pods go first, everything else when no pod is left. What remains, and why, stands in the namespace's conditions.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from knarr.client.api import Api
from knarr.client.discovery import Discovered, discover
from knarr.client.resource import Partial, Resource
from knarr.kinds.types.core_v1 import Namespace, NamespaceCondition, Pod
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.meta import clock
from knarr.meta.errors import ApiError, Conflict, MethodNotAllowed, NotFound

FINALIZER = "kubernetes"
LOOK_AGAIN = 1.0  #: seconds: what remains goes on its own, and nothing else tells
ASK_AGAIN = 10.0  #: seconds, when nothing is known to remain: an API group that cannot be asked may be away for long
TERMINATING = "Terminating"


@dataclass
class Remains:
    """What a pass could not remove."""

    undiscovered: dict[str, str] = field(default_factory=dict)  #: group version -> why
    failures: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)  #: "plural.group" -> objects
    finalizers: Counter[str] = field(default_factory=Counter)  #: finalizer -> objects that have it

    @property
    def empty(self) -> bool:
        return not (self.undiscovered or self.failures or self.counts)


def conditions(remains: Remains, before: Sequence[NamespaceCondition], now: datetime) -> list[NamespaceCondition]:
    """The conditions that say what remains; others that there were stay."""
    found = [
        _condition(
            "NamespaceDeletionDiscoveryFailure",
            ("DiscoveryFailed", discovery_failure(remains.undiscovered)) if remains.undiscovered else None,
            ("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        _condition(
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        _condition(
            "NamespaceDeletionContentFailure",
            ("ContentDeletionFailed", content_failure(remains.failures)) if remains.failures else None,
            ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        ),
        _condition(
            "NamespaceContentRemaining",
            ("SomeResourcesRemain", f"Some resources are remaining: {resources_left(remains.counts)}")
            if remains.counts
            else None,
            ("ContentRemoved", "All content successfully removed"),
        ),
        _condition(
            "NamespaceFinalizersRemaining",
            (
                "SomeFinalizersRemain",
                f"Some content in the namespace has finalizers remaining: {finalizers_left(remains.finalizers)}",
            )
            if remains.finalizers
            else None,
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
        ),
    ]
    kept = {condition.type: condition for condition in before}
    for condition in found:
        old = kept.get(condition.type)
        changed = old is None or old.status != condition.status
        when = clock.timestamp(now) if changed or old is None else old.lastTransitionTime
        kept[condition.type] = replace(condition, lastTransitionTime=when)
    return list(kept.values())


def _condition(type_: str, wrong: tuple[str, str] | None, right: tuple[str, str]) -> NamespaceCondition:
    reason, message = wrong or right
    return NamespaceCondition(type=type_, status="True" if wrong else "False", reason=reason, message=message)


def discovery_failure(undiscovered: dict[str, str]) -> str:
    listed = ", ".join(f"{version}: {why}" for version, why in sorted(undiscovered.items()))
    return (
        f"Discovery failed for some groups, {len(undiscovered)} failing: "
        f"unable to retrieve the complete list of server APIs: {listed}"
    )


def content_failure(failures: Sequence[str]) -> str:
    return f"Failed to delete all resource types, {len(failures)} remaining: {', '.join(sorted(failures))}"


def resources_left(counts: Counter[str]) -> str:
    return ", ".join(f"{resource} has {count} resource instances" for resource, count in sorted(counts.items()))


def finalizers_left(finalizers: Counter[str]) -> str:
    return ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))


async def sync(key: Key, context: Context) -> float | None:
    """Bring a namespace's end nearer; give when to look again."""
    api = context.api
    try:
        namespace = await api.get(Namespace, key[1])
        if not namespace.metadata.deletionTimestamp or not namespace.spec.finalizers:
            return None
        if namespace.status.phase != TERMINATING:
            status = replace(namespace.status, phase=TERMINATING)
            namespace = await api.update(replace(namespace, status=status), subresource="status")
        remains = await delete_content(api, key[1])
        namespace = await write_conditions(api, namespace, remains)
        if not remains.empty:
            return LOOK_AGAIN if remains.counts or remains.failures else ASK_AGAIN
        finalizers = [name for name in namespace.spec.finalizers if name != FINALIZER]
        spec = replace(namespace.spec, finalizers=finalizers)
        await api.update(replace(namespace, spec=spec), subresource="finalize")
    except NotFound:
        return None
    except Conflict:
        return LOOK_AGAIN / 100
    return None


async def delete_content(api: Api, namespace: str) -> Remains:
    """Delete what a namespace holds, as far as it can go now, and give what is left."""
    discovered = await discover(api)
    remains = Remains(undiscovered=dict(discovered.failed))
    pods, others = _split(discovered)
    for resource in pods:
        await _delete_all(api, resource, namespace, remains)
    if remains.counts:
        return remains
    for resource in others:
        await _delete_all(api, resource, namespace, remains)
        await asyncio.sleep(0)  # in one process with the server a list waits for nothing, and there may be thousands
    return remains


def _split(discovered: Discovered) -> tuple[list[Resource[Partial]], list[Resource[Partial]]]:
    """Pods, and what else a namespace can hold."""
    found = [resource for resource in discovered.able("delete") if resource.namespaced]
    pods = [resource for resource in found if (resource.group, resource.plural) == ("", "pods")]
    return pods, [resource for resource in found if resource not in pods]


async def _delete_all(api: Api, resource: Resource[Partial], namespace: str, remains: Remains) -> None:
    """Delete a resource's objects in a namespace and count what stays."""
    try:
        if "list" not in resource.verbs:
            return
        objects = (await api.list(resource, namespace)).items
        if not objects:
            return
        if "deletecollection" in resource.verbs:
            await api.delete_collection(resource, namespace, propagation="Background")
        else:
            await _delete_each(api, resource, namespace, objects)
        objects = (await api.list(resource, namespace)).items
    except (NotFound, MethodNotAllowed):
        return
    except ApiError as error:
        remains.failures.append(str(error))
        return
    if objects:
        remains.counts[f"{resource.plural}.{resource.group}"] = len(objects)
        remains.finalizers.update(name for one in objects for name in one.metadata.finalizers)


async def _delete_each(api: Api, resource: Resource[Partial], namespace: str, objects: Iterable[Partial]) -> None:
    for one in objects:
        try:
            await api.delete(resource, one.metadata.name, namespace, propagation="Background")
        except NotFound:
            continue


async def write_conditions(api: Api, namespace: Namespace, remains: Remains) -> Namespace:
    """Write what remains into the status, if that is news; a namespace that goes at once is not told so."""
    if remains.empty and not namespace.status.conditions:
        return namespace
    found = conditions(remains, namespace.status.conditions, clock.now())
    if found == namespace.status.conditions:
        return namespace
    status = replace(namespace.status, conditions=found)
    return await api.update(replace(namespace, status=status), subresource="status")


def going(pod: Pod, context: Context) -> list[Key]:
    """The namespace of a pod that ends, if the namespace ends too: its next content may go when the pod is gone."""
    if not pod.metadata.deletionTimestamp:
        return []
    namespace = context.cache(Namespace).get(pod.metadata.namespace)
    ends = namespace is not None and namespace.metadata.deletionTimestamp
    return [("", pod.metadata.namespace)] if ends else []


CONTROLLER = Controller(
    name="namespace",
    sources=[Source(Namespace, itself), Source(Pod, related=going)],
    sync=sync,
)
