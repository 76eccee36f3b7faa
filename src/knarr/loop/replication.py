"""So many equal pods: what the ReplicaSet and ReplicationController controllers have in common.

`plan` reads one snapshot and decides; `sync` takes the snapshot, acts and writes the status. What a pass did and the
caches do not show yet is kept in expectations, so a stale cache never makes a second pass repeat it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from knarr.client.transport import TransportError
from knarr.kinds.pod import available_in, is_active, is_available, is_ready, is_terminating
from knarr.kinds.types.base import Type
from knarr.kinds.types.core_v1 import Pod, PodTemplateSpec
from knarr.loop.claims import ORPHANS, claim, orphaned_in
from knarr.loop.deletion_order import deletion_order
from knarr.loop.executor import carry_out, is_namespace_ending
from knarr.loop.expectations import PATIENCE, Expectations
from knarr.loop.expected import carry_out_expected, ensure_owner_alive
from knarr.loop.pod_templates import pod_of
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.selecting import Selecting
from knarr.loop.steps import Create, Delete, Note, Status, Step
from knarr.meta import clock
from knarr.meta.errors import ApiError
from knarr.meta.labels import Selector

BURST = 500  #: pods that one pass creates or deletes at most
FAILURE = "ReplicaFailure"


@dataclass(frozen=True)
class Replicated:
    """A kind whose objects keep a number of pods; `related` are the pods to be spread with an owner's."""

    name: str  #: of the controller
    component: str
    kind: str
    of: type[Any]
    status_of: type[Any]
    condition_of: type[Any]
    selector: Callable[[Any], Selector]
    related: Callable[[Context, Any, Sequence[Pod]], Sequence[Pod]] = lambda context, owner, pods: pods
    terminating: bool = False  #: whether the status counts pods on their way out


def controller(kind: Replicated) -> Controller:
    """The controller of such a kind, with memory of its own."""
    expectations = Expectations()

    async def sync_one(key: Key, context: Context) -> datetime | None:
        return await sync(kind, key, context, expectations)

    def observe(old: object, new: object) -> None:
        if isinstance(new or old, Pod):
            expectations.observe(kind.kind, old, new)

    owners = Selecting(kind.of, kind.selector)
    return Controller(
        name=kind.name,
        component=kind.component,
        sources=[Source(kind.of, itself), owners.managed(Pod)],
        sync=sync_one,
        observe=observe,
        indexes=[(Pod, ORPHANS, orphaned_in), owners.index],
    )


# What one pass does


def plan(owner: Any, pods: Sequence[Pod], related: Sequence[Pod], now: datetime) -> list[Step]:
    """This pass's steps. `pods` are the owner's active ones, `related` those to be spread with them."""
    if owner.metadata.deletionTimestamp:
        return []
    missing = wanted(owner) - len(pods)
    if missing > 0:
        note = Note(owner, ("SuccessfulCreate", "Created pod: {name}"), ("FailedCreate", "Error creating: {error}"))
        pod = pod_of(owner, owner.spec.template or PodTemplateSpec())
        return [Create(pod, note=note)] * min(missing, BURST)
    if missing < 0:
        note = Note(owner, ("SuccessfulDelete", "Deleted pod: {name}"), ("FailedDelete", "Error deleting: {error}"))
        surplus = deletion_order(pods, related, now)[: min(-missing, BURST)]
        return [Delete(pod, "surplus", note) for pod in surplus]
    return []


def wanted(owner: Any) -> int:
    return 1 if owner.spec.replicas is None else int(owner.spec.replicas)


async def sync(kind: Replicated, key: Key, context: Context, expectations: Expectations) -> datetime | None:
    """Bring one owner nearer its spec; give when to look again if no event will say."""
    namespace, name = key
    owner = context.cache(kind.of).get(name, namespace)
    if owner is None:
        expectations.forget(key)
        return None
    trusted = expectations.satisfied(key)
    pods, leaving = await claim_pods(kind, context, owner)
    now = clock.now()
    steps = plan(owner, pods, kind.related(context, owner, pods), now) if trusted else []
    await ensure_owner_alive(context, key, owner, steps, expectations)
    failure: Exception | None = None
    try:
        await carry_out_expected(context, key, steps, expectations)
    except (ApiError, TransportError) as error:
        failure = None if is_namespace_ending(error) else error
    await write_status(context, owner, status(kind, owner, pods, leaving, failure, now))
    if failure is not None:
        raise failure
    if not trusted:
        return now + timedelta(seconds=PATIENCE)
    return next_availability(owner, pods, now)


async def claim_pods(kind: Replicated, context: Context, owner: Any) -> tuple[list[Pod], list[Pod]]:
    """The owner's active pods, adopted ones among them, and those on their way out."""
    cache, selector = context.cache(Pod), kind.selector(owner)
    active: list[Pod] = []
    ended: list[Pod] = []
    for pod in cache.by_index("owner", owner.metadata.uid):
        (active if is_active(pod) else ended).append(pod)
    free = filter(is_active, cache.by_index(ORPHANS, owner.metadata.namespace))
    owned = await claim(context.api, owner, (*active, *free), lambda pod: selector.matches(pod.metadata.labels))
    leaving = [pod for pod in ended if is_terminating(pod) and selector.matches(pod.metadata.labels)]
    return owned, leaving


# The status


def status(
    kind: Replicated,
    owner: Any,
    pods: Sequence[Pod],
    leaving: Sequence[Pod],
    failure: Exception | None,
    now: datetime,
) -> Type:
    """The owner's status, counted from one snapshot; `failure` is what kept a pod from coming or going."""
    ready = [pod for pod in pods if is_ready(pod)]
    seconds = owner.spec.minReadySeconds or 0
    available = [pod for pod in ready if is_available(pod, seconds, now)] if seconds else ready
    counts: dict[str, Any] = {
        "replicas": len(pods),
        "fullyLabeledReplicas": fully_labelled(kind, owner, pods) or None,
        "readyReplicas": len(ready) or None,
        "availableReplicas": len(available) or None,
        "observedGeneration": owner.metadata.generation,
        "conditions": conditions(kind, owner, len(pods), failure, now),
    }
    if kind.terminating:
        counts["terminatingReplicas"] = len(leaving)
    made: Type = kind.status_of(**counts)
    return made


def fully_labelled(kind: Replicated, owner: Any, pods: Sequence[Pod]) -> int:
    """How many of the pods, which it selects, have the template's labels: all, where it selects by each of them."""
    template = (owner.spec.template or PodTemplateSpec()).metadata.labels
    if kind.selector(owner).demands(template):
        return len(pods)
    return sum(template.items() <= pod.metadata.labels.items() for pod in pods)


def conditions(kind: Replicated, owner: Any, count: int, failure: Exception | None, now: datetime) -> list[Any]:
    """The owner's conditions: it fails to keep its number, or it does not."""
    known = list(owner.status.conditions)
    if failure is None:
        return [condition for condition in known if condition.type != FAILURE]
    if count == wanted(owner) or any(condition.type == FAILURE for condition in known):
        return known
    reason = "FailedCreate" if count < wanted(owner) else "FailedDelete"
    time = clock.timestamp(now)
    told = kind.condition_of(type=FAILURE, status="True", reason=reason, message=str(failure), lastTransitionTime=time)
    return [*known, told]


async def write_status(context: Context, owner: Any, new: Type) -> None:
    """Write the status if it says something new."""
    if new != owner.status:
        await carry_out(context.api, [Status(replace(owner, status=new))], context.recorder)


def next_availability(owner: Any, pods: Iterable[Pod], now: datetime) -> datetime | None:
    """When the next ready pod becomes available, if minReadySeconds make one wait."""
    if not owner.spec.minReadySeconds:
        return None
    waits = (available_in(pod, owner.spec.minReadySeconds, now) for pod in pods)
    return min((now + wait for wait in waits if wait), default=None)
