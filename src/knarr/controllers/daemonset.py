"""DaemonSet: one pod on every node that wants it.

`sync` takes one snapshot, has `daemonset_plan.plan` decide, carries the steps out and writes the status. What a pass
did and the caches do not show yet is kept in expectations, so a stale cache never makes a second pass repeat it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from knarr.client.transport import TransportError
from knarr.controllers.daemonset_nodes import HASH, fit, spec_of, wish
from knarr.controllers.daemonset_plan import Snapshot, plan
from knarr.kinds.pod import available_in, is_available, is_ready
from knarr.kinds.types.apps_v1 import ControllerRevision, DaemonSet, DaemonSetStatus
from knarr.kinds.types.core_v1 import Node, Pod
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop import revisions as history_of
from knarr.loop.backoff import Backoff
from knarr.loop.claims import ORPHANS, claim, orphaned_in
from knarr.loop.executor import carry_out, is_namespace_ending
from knarr.loop.expectations import PATIENCE, Expectations
from knarr.loop.expected import carry_out_expected, ensure_owner_alive
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.selecting import Selecting, by_spec
from knarr.loop.steps import Delete, Event, Status, Step
from knarr.meta import clock, labels
from knarr.meta.errors import ApiError

FIRST_WAIT, LONGEST_WAIT = 1.0, 900.0  #: seconds before a node's failed pod is replaced
SETS = Selecting(DaemonSet, by_spec)
SELECTS_ALL = "This daemon set is selecting all pods. A non-empty selector is required."


def controller() -> Controller:
    """The controller, with memory of its own."""
    expectations = Expectations()
    failing = Backoff(FIRST_WAIT, LONGEST_WAIT)

    async def sync_one(key: Key, context: Context) -> datetime | None:
        return await sync(key, context, expectations, failing)

    def observe(old: object, new: object) -> None:
        if isinstance(new or old, Pod):
            expectations.observe("DaemonSet", old, new)

    return Controller(
        name="daemonset",
        sources=[
            Source(DaemonSet, itself),
            SETS.managed(Pod),
            Source(Node, between=sets_that_mind, matters=moves_pods),
            Source(ControllerRevision),
        ],
        sync=sync_one,
        observe=observe,
        indexes=[(Pod, ORPHANS, orphaned_in), SETS.index],
    )


async def sync(key: Key, context: Context, expectations: Expectations, failing: Backoff) -> datetime | None:
    """Bring one set nearer its spec; give when to look again if no event will say."""
    namespace, name = key
    set_ = context.cache(DaemonSet).get(name, namespace)
    if set_ is None:
        expectations.forget(key)
        failing.sweep()
        return None
    selector = set_.spec.selector
    if selector is not None and not selector.matchLabels and not selector.matchExpressions:
        await carry_out(context.api, [Event(set_, "Warning", "SelectingAll", SELECTS_ALL)], context.recorder)
        return None
    if set_.metadata.deletionTimestamp:
        return None
    current, old, collisions = await ensure_revisions(context, set_)
    pods = await claim_pods(context, set_)
    trusted = expectations.satisfied(key)
    view = snapshot(context, set_, pods, current.metadata.labels.get(HASH, ""), failing)
    failure: Exception | None = None
    try:
        if trusted:
            await carry_on(context, view, key, expectations, failing)
            await truncate_history(context, set_, pods, old)
    except (ApiError, TransportError) as error:
        failure = None if is_namespace_ending(error) else error
    await write_status(context, view, collisions)
    if failure is not None:
        raise failure
    return next_look(view, trusted)


async def carry_on(context: Context, view: Snapshot, key: Key, expectations: Expectations, failing: Backoff) -> None:
    """Decide and act; the next failure of a node whose failed pod goes now is waited for longer."""
    steps = plan(view)
    await ensure_owner_alive(context, key, view.set_, steps, expectations)
    for step in steps:
        if isinstance(step, Delete) and step.reason == "failed":
            failing.failed((view.set_.metadata.uid, step.obj.spec.nodeName))
    told: list[Step] = [step for step in steps if isinstance(step, Event)]
    await carry_out(context.api, told, context.recorder)
    await carry_out_expected(context, key, [step for step in steps if step not in told], expectations)


def snapshot(context: Context, set_: DaemonSet, pods: Sequence[Pod], hash_: str, failing: Backoff) -> Snapshot:
    spec = spec_of(set_)
    nodes = {node.metadata.name: fit(spec, node) for node in context.cache(Node).list()}
    broken = {pod.spec.nodeName for pod in pods if pod.status.phase == "Failed"}
    waits = {node: failing.left((set_.metadata.uid, node)) for node in sorted(broken)}
    return Snapshot(set_, nodes, pods, hash_, clock.now(), waits)


def next_look(view: Snapshot, trusted: bool) -> datetime | None:
    """When a pod becomes available, a failed one may be replaced, or what was expected is given up."""
    waits = [timedelta(seconds=left) for left in view.failing.values() if left > 0]
    seconds = view.set_.spec.minReadySeconds or 0
    waits += [wait for pod in view.pods if (wait := available_in(pod, seconds, view.now))]
    if not trusted:
        waits.append(timedelta(seconds=PATIENCE))
    return view.now + min(waits) if waits else None


# Pods and revisions


async def claim_pods(context: Context, set_: DaemonSet) -> list[Pod]:
    """The set's pods: those it manages and those it adopts; pods that stopped matching are let go."""
    selector = labels.of_object(set_.spec.selector)
    cache = context.cache(Pod)
    candidates = (*cache.by_index("owner", set_.metadata.uid), *cache.by_index(ORPHANS, set_.metadata.namespace))
    return await claim(context.api, set_, candidates, lambda pod: selector.matches(pod.metadata.labels))


async def ensure_revisions(
    context: Context, set_: DaemonSet
) -> tuple[ControllerRevision, list[ControllerRevision], int]:
    """Have a revision for the set's template; give it, the others, and the collisions counted."""
    selector = labels.of_object(set_.spec.selector)
    found = context.cache(ControllerRevision).list(set_.metadata.namespace)
    matching = [revision for revision in found if selector.matches(revision.metadata.labels)]
    history = history_of.ordered(await claim(context.api, set_, matching, lambda revision: True))
    template, collisions = set_.spec.template, set_.status.collisionCount or 0
    data = history_of.template_patch(template)
    equal = [revision for revision in history if revision.data == data]
    number = history_of.next_number(revision for revision in history if revision not in equal)
    if equal:
        newest = equal[-1]
        current = newest if (newest.revision or 0) >= number else await history_of.renumber(context.api, newest, number)
        others = [revision for revision in history if revision.metadata.name != current.metadata.name]
        return current, others, collisions
    meta = ObjectMeta(
        namespace=set_.metadata.namespace,
        labels=template.metadata.labels,
        annotations=dict(set_.metadata.annotations),
        ownerReferences=[history_of.controller_reference(set_)],
    )
    fresh = ControllerRevision(metadata=meta, data=data, revision=number)
    current, collisions = await history_of.create_revision(context.api, fresh, collisions, HASH)
    return current, history, collisions


async def truncate_history(
    context: Context, set_: DaemonSet, pods: Sequence[Pod], old: Sequence[ControllerRevision]
) -> None:
    """Delete the oldest revisions beyond the set's limit that no pod is of."""
    hashes = {pod.metadata.labels.get(HASH) for pod in pods}
    live = [revision.metadata.name for revision in old if revision.metadata.labels.get(HASH) in hashes]
    limit = 10 if set_.spec.revisionHistoryLimit is None else set_.spec.revisionHistoryLimit
    surplus = history_of.surplus(old, live, max(limit - len(live), 0))
    await carry_out(context.api, [Delete(revision, "history limit") for revision in surplus], context.recorder)


# The status


def status(view: Snapshot, collisions: int) -> DaemonSetStatus:
    """The set's status, counted from one snapshot: of a node with several pods the oldest counts."""
    set_, by_node = view.set_, view.by_node()
    seconds = set_.spec.minReadySeconds or 0
    wanted = [node for node, wants in view.nodes.items() if wants.wants]
    first = [by_node[node][0] for node in wanted if node in by_node]
    available = sum(is_available(pod, seconds, view.now) for pod in first)
    return DaemonSetStatus(
        desiredNumberScheduled=len(wanted),
        currentNumberScheduled=len(first),
        numberMisscheduled=sum(node in by_node and not wants.wants for node, wants in view.nodes.items()),
        numberReady=sum(map(is_ready, first)),
        updatedNumberScheduled=sum(map(view.is_updated, first)) or None,
        numberAvailable=available or None,
        numberUnavailable=(len(wanted) - available) or None,
        observedGeneration=set_.metadata.generation,
        collisionCount=collisions or set_.status.collisionCount,
        conditions=set_.status.conditions,
    )


async def write_status(context: Context, view: Snapshot, collisions: int) -> None:
    """Write the status if it says something new."""
    new = status(view, collisions)
    if new != view.set_.status:
        await carry_out(context.api, [Status(replace(view.set_, status=new))], context.recorder)


# What wakes a set


def sets_that_mind(old: Node | None, new: Node | None, context: Context) -> list[Key]:
    """The sets that want something else of a node than before."""
    return [
        (set_.metadata.namespace, set_.metadata.name)
        for set_ in context.cache(DaemonSet).list()
        if wish(set_, old) != wish(set_, new)
    ]


def moves_pods(old: Node, new: Node) -> bool:
    """Whether a node changed in what sets look at."""
    return old.metadata.labels != new.metadata.labels or old.spec.taints != new.spec.taints
