"""StatefulSet: N numbered pods, alive, in order, on the wanted revision.

`sync` takes one snapshot, has `statefulset_plan.plan` decide, carries the steps out and writes the status. A pass may
stop half-way: whatever it changed will wake the next one. What a pass did and the caches do not show yet is kept in
expectations, so a stale cache never makes a second pass repeat it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from knarr.client.cache import key_of
from knarr.client.transport import TransportError
from knarr.controllers import statefulset_pods as wanted
from knarr.controllers.statefulset_conditions import conditions, next_deadline
from knarr.controllers.statefulset_departed import Departed
from knarr.controllers.statefulset_growth import grown
from knarr.controllers.statefulset_plan import is_parallel, plan
from knarr.controllers.statefulset_setbacks import Setbacks
from knarr.controllers.statefulset_status import Revisions, next_availability, revision_of, status
from knarr.kinds.types.apps_v1 import ControllerRevision, StatefulSet
from knarr.kinds.types.core_v1 import PersistentVolumeClaim, Pod, PodTemplateSpec
from knarr.loop import revisions as history_of
from knarr.loop.claims import claim
from knarr.loop.executor import carry_out
from knarr.loop.expectations import PATIENCE, Expectations
from knarr.loop.expected import ensure_owner_alive
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.selecting import Selecting, by_spec
from knarr.loop.steps import Create, Delete, Replace, Status, Step
from knarr.meta import clock, labels
from knarr.meta.errors import ApiError, Conflict

SETS = Selecting(StatefulSet, by_spec)
FRONTS = "fronts"  #: the index of sets by their claims' names
HISTORY_LIMIT = 10  #: revisions kept beside those in use, when the set does not say


@dataclass(frozen=True, slots=True)
class Memory:
    """What the controller knows that the snapshot does not tell. It starts with nothing, and may."""

    expectations: Expectations = field(default_factory=Expectations)
    setbacks: Setbacks = field(default_factory=Setbacks)
    departed: Departed = field(default_factory=Departed)


def controller() -> Controller:
    """The controller, with memory of its own."""
    memory = Memory()

    async def sync_one(key: Key, context: Context) -> datetime | None:
        return await sync(key, context, memory)

    def observe(old: object, new: object) -> None:
        if isinstance(new or old, Pod):
            memory.expectations.observe("StatefulSet", old, new)
        elif isinstance(old, StatefulSet) and new is None:
            memory.setbacks.forget(old.metadata.uid)
        memory.departed.observe(old, new)

    return Controller(
        name="statefulset",
        sources=[
            Source(StatefulSet, itself),
            SETS.managed(Pod),
            Source(PersistentVolumeClaim, related=sets_that_claim),
            Source(ControllerRevision),
        ],
        sync=sync_one,
        observe=observe,
        indexes=[SETS.index, (StatefulSet, FRONTS, fronts)],
    )


async def sync(key: Key, context: Context, memory: Memory) -> datetime | None:
    """Bring one set nearer its spec; give when to look again if no event will say."""
    namespace, name = key
    set_ = context.cache(StatefulSet).get(name, namespace)
    if set_ is None:
        memory.expectations.forget(key)
        return None
    if not memory.expectations.satisfied(key):
        return clock.now() + timedelta(seconds=PATIENCE)
    pods = await claim_pods(context, set_)
    history = await claim_history(context, set_)
    revisions, history = await ensure_revisions(context, set_, history)
    now = clock.now()
    claims = {claim.metadata.name: claim for claim in context.cache(PersistentVolumeClaim).list(namespace)}
    held = memory.setbacks.held(set_, pods, now)
    steps = plan(set_, pods, claims, revisions, now, held)
    await ensure_owner_alive(context, key, set_, steps, memory.expectations)
    await ensure_size(context, set_, pods, steps)
    again: datetime | None = None
    failure: Exception | None = None
    try:
        again = await act(context, set_, steps, memory)
        told = [*memory.setbacks.told(set_, pods, held, now), *memory.departed.told(set_, pods)]
        await carry_out(context.api, [*told, *grown(set_, claims)], context.recorder)
    except (ApiError, TransportError) as error:
        failure = error
    written = await write_status(context, set_, pods, revisions, now)
    if failure is not None:
        raise failure
    await truncate_history(context, set_, pods, revisions, history)
    times = (again, next_availability(set_, pods, now), next_deadline(written, written.status, pods, now))
    return min((when for when in times if when is not None), default=None)


async def ensure_size(context: Context, set_: StatefulSet, pods: Iterable[Pod], steps: Iterable[Step]) -> None:
    """Look at the set on the server before claims go with pods that are too many; Conflict when the cache is behind:
    the set may be as large again as its pods, and what is in their volumes would be lost for good.
    """
    ordinals = wanted.wanted_ordinals(set_)
    shrinks = any(wanted.ordinal_of(pod) not in ordinals for pod in pods)
    acts = any(isinstance(step, (Delete, Replace)) for step in steps)
    if wanted.retention(set_)[1] != "Delete" or not shrinks or not acts:
        return
    meta = set_.metadata
    fresh = (await context.api.get(StatefulSet, meta.name, meta.namespace)).metadata
    if (fresh.uid, fresh.generation) != (meta.uid, meta.generation):
        raise Conflict(f"StatefulSet {meta.namespace}/{meta.name} is not as it was any more: its claims stay for now")


async def act(context: Context, set_: StatefulSet, steps: Sequence[Step], memory: Memory) -> datetime | None:
    """Carry out a plan: claims before the pods that use them, and what may go together together."""
    key = (set_.metadata.namespace, set_.metadata.name)
    claims = [step for step in steps if creates_claim(step)]
    others = [step for step in steps if not creates_claim(step)]
    creations = sum(isinstance(s, Create) for s in others)
    deletions = [s.obj.metadata.uid for s in others if isinstance(s, Delete)]
    together = is_parallel(set_)
    await carry_out(context.api, claims, context.recorder, together=together)
    if creations or deletions:
        memory.expectations.expect(key, creations, deletions)
        memory.setbacks.replaced(set_, others)
    try:
        return await carry_out(context.api, others, context.recorder, together=together)
    except BaseException:
        memory.expectations.forget(key)
        raise


def creates_claim(step: Step) -> bool:
    return isinstance(step, Create) and isinstance(step.obj, PersistentVolumeClaim)


async def claim_pods(context: Context, set_: StatefulSet) -> list[Pod]:
    """The set's pods: those it manages and those it adopts; pods that stopped matching are let go."""
    selector = labels.of_object(set_.spec.selector)
    pods = context.cache(Pod)
    matching = (pod for pod in pods.list(set_.metadata.namespace) if selector.matches(pod.metadata.labels))
    candidates = {pod.metadata.name: pod for pod in (*matching, *pods.by_index("owner", set_.metadata.uid))}

    def is_ours(pod: Pod) -> bool:
        return wanted.is_member(set_, pod) and selector.matches(pod.metadata.labels)

    return await claim(context.api, set_, candidates.values(), is_ours)


async def claim_history(context: Context, set_: StatefulSet) -> list[ControllerRevision]:
    """The set's revisions, oldest first; orphans that match are adopted."""
    selector = labels.of_object(set_.spec.selector)
    found = context.cache(ControllerRevision).list(set_.metadata.namespace)
    matching = [revision for revision in found if selector.matches(revision.metadata.labels)]
    return history_of.ordered(await claim(context.api, set_, matching, lambda revision: True))


async def ensure_revisions(
    context: Context, set_: StatefulSet, history: list[ControllerRevision]
) -> tuple[Revisions, list[ControllerRevision]]:
    """Have a revision for the set's template: the newest if it is equal, an older one renumbered, or a new one."""
    template = set_.spec.template
    collisions = set_.status.collisionCount or 0
    number = history_of.next_number(history)
    fresh = history_of.new_revision(
        set_, history_of.template_patch(template), number, collisions, labels=template.metadata.labels
    )
    equal = history_of.equal_to(fresh, history)
    if equal and history_of.equal(history[-1], equal[-1]):
        update = history[-1]
    elif equal:
        update = await history_of.renumber(context.api, equal[-1], number)
    else:
        update, collisions = await history_of.create_revision(context.api, fresh, collisions)
    others = [revision for revision in history if revision.metadata.name != update.metadata.name]
    current = next((r for r in (*others, update) if r.metadata.name == set_.status.currentRevision), update)
    templates = {update.metadata.name: template}
    if current is not update:
        templates[current.metadata.name] = template_of(current)
    names = (current.metadata.name, update.metadata.name)
    return Revisions(*names, templates=templates, collisions=collisions), [*others, update]


def template_of(revision: ControllerRevision) -> PodTemplateSpec:
    """The pod template that a revision brings back."""
    tree = dict((revision.data or {}).get("spec", {}).get("template", {}))
    tree.pop("$patch", None)
    return msgspec.convert(tree, PodTemplateSpec)


async def write_status(
    context: Context, set_: StatefulSet, pods: Sequence[Pod], revisions: Revisions, now: datetime
) -> StatefulSet:
    """Write the status if it says something new; give the set with it."""
    counted = status(set_, pods, revisions, now)
    wanted_status = replace(counted, conditions=conditions(set_, counted, pods, now))
    fresh = replace(set_, status=wanted_status)
    if wanted_status != set_.status:
        await carry_out(context.api, [Status(fresh)], context.recorder)
    return fresh


async def truncate_history(
    context: Context,
    set_: StatefulSet,
    pods: Iterable[Pod],
    revisions: Revisions,
    history: Sequence[ControllerRevision],
) -> None:
    """Delete the oldest revisions beyond the set's limit that nothing lives on."""
    given = set_.spec.revisionHistoryLimit
    live = {revisions.current, revisions.update, *map(revision_of, pods)}
    surplus = history_of.surplus(history, live, HISTORY_LIMIT if given is None else given)
    await carry_out(context.api, [Delete(revision, "history limit") for revision in surplus], context.recorder)


def sets_that_claim(claim_: PersistentVolumeClaim, context: Context) -> list[Key]:
    """The sets that a claim's name makes it belong to."""
    namespace, name = claim_.metadata.namespace, claim_.metadata.name
    front, ordinal = wanted.parent_and_ordinal(name)
    if ordinal < 0:
        return []
    return [*map(key_of, context.cache(StatefulSet).by_index(FRONTS, f"{namespace}/{front}"))]


def fronts(set_: StatefulSet) -> list[str]:
    """What the names of a set's claims begin with, before the ordinal, each after its namespace."""
    meta = set_.metadata
    return [f"{meta.namespace}/{template.metadata.name}-{meta.name}" for template in set_.spec.volumeClaimTemplates]
