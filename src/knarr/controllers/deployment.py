"""Deployment: a ReplicaSet for each version of a template, and the way from one to the next.

`sync` takes one snapshot, has `deployment_plan.plan` decide, carries the steps out and writes the status. The names of
sets follow from their templates and every write names the version that it is based on, so what a stale cache leads to
is refused, and the pass is made again.
"""

from datetime import datetime

from msgspec.structs import replace

from knarr.client.transport import TransportError
from knarr.controllers import deployment_plan as planned
from knarr.controllers import deployment_sets as sets_of
from knarr.controllers.deployment_status import next_check, status
from knarr.kinds.pod import is_finished
from knarr.kinds.types.apps_v1 import Deployment, DeploymentStatus, ReplicaSet
from knarr.kinds.types.core_v1 import Pod
from knarr.loop.claims import ORPHANS, claim, controller_of, ensure_alive, orphaned_in
from knarr.loop.executor import carry_out, is_namespace_ending
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.selecting import Selecting, by_spec
from knarr.loop.steps import Create, Event, Status
from knarr.meta import clock, labels
from knarr.meta.errors import AlreadyExists, ApiError

SELECTS_ALL = "This deployment is selecting all pods. A non-empty selector is required."


async def sync(key: Key, context: Context) -> datetime | None:
    """Bring one deployment nearer its spec; give when to look again if no event will say."""
    namespace, name = key
    deployment = context.cache(Deployment).get(name, namespace)
    if deployment is None:
        return None
    selector = deployment.spec.selector
    if selector is not None and not selector.matchLabels and not selector.matchExpressions:
        await refuse(context, deployment)
        return None
    sets = await claim_sets(context, deployment)
    pods = {set_.metadata.uid: context.cache(Pod).by_index("owner", set_.metadata.uid) for set_ in sets}
    plan = planned.plan(deployment, sets, pods)
    created = any(isinstance(step, Create) for step in plan.steps)
    if created:  # made for a deployment that is gone, the set is collected, and missing again
        await ensure_alive(context.api, deployment)
    try:
        await carry_out(context.api, plan.steps, context.recorder)
    except AlreadyExists:
        await resolve_collision(context, deployment, plan)
        return None
    except (ApiError, TransportError) as error:
        if created and not is_namespace_ending(error):
            await write_status(context, deployment, plan, failure=str(error))
        if is_namespace_ending(error):
            return None
        raise
    return await write_status(context, deployment, plan, created=created)


async def write_status(
    context: Context, deployment: Deployment, plan: planned.Plan, *, created: bool = False, failure: str = ""
) -> datetime | None:
    """Write the status, and the revision beside it, if they say something new; give when to look for progress."""
    now = clock.now()
    new = plan.new
    if failure:
        failure = f'Failed to create new replica set "{new.metadata.name if new else ""}": {failure}'
    sets = [set_ for set_ in plan.sets if set_ is not new or not failure]
    wanted = status(
        deployment, sets, None if failure else new, now, rolling=plan.rolling, created=created, failure=failure
    )
    annotations = dict(deployment.metadata.annotations)
    if new is not None and not failure:
        annotations[sets_of.REVISION] = new.metadata.annotations.get(sets_of.REVISION, "")
    if wanted != deployment.status or annotations != deployment.metadata.annotations:
        meta = replace(deployment.metadata, annotations=annotations)
        await carry_out(context.api, [Status(replace(deployment, metadata=meta, status=wanted))], context.recorder)
    return next_check(deployment, wanted)


async def refuse(context: Context, deployment: Deployment) -> None:
    """Say that a selector of everything is not followed."""
    steps: list[Event | Status] = [Event(deployment, "Warning", "SelectingAll", SELECTS_ALL)]
    if (deployment.status.observedGeneration or 0) < (deployment.metadata.generation or 0):
        seen = replace(deployment.status, observedGeneration=deployment.metadata.generation)
        steps.append(Status(replace(deployment, status=seen)))
    await carry_out(context.api, steps, context.recorder)


async def resolve_collision(context: Context, deployment: Deployment, plan: planned.Plan) -> None:
    """The new set's name is taken: by the set itself, which the cache will show, or by another; then count it."""
    made = next(step.obj for step in plan.steps if isinstance(step, Create))
    found = await context.api.get(ReplicaSet, made.metadata.name, made.metadata.namespace)
    owner = controller_of(found)
    if (
        owner is not None
        and owner.uid == deployment.metadata.uid
        and sets_of.bare(found.spec.template) == sets_of.bare(deployment.spec.template)
    ):
        return
    collisions = (deployment.status.collisionCount or 0) + 1
    counted: DeploymentStatus = replace(deployment.status, collisionCount=collisions)
    await carry_out(context.api, [Status(replace(deployment, status=counted))], context.recorder)


async def claim_sets(context: Context, deployment: Deployment) -> list[ReplicaSet]:
    """The deployment's sets: those it manages and those it adopts; sets that stopped matching are let go."""
    selector = labels.of_object(deployment.spec.selector)
    cache = context.cache(ReplicaSet)
    candidates = {
        set_.metadata.name: set_
        for set_ in (
            *cache.by_index("owner", deployment.metadata.uid),
            *cache.by_index(ORPHANS, deployment.metadata.namespace),
        )
    }
    return await claim(
        context.api, deployment, candidates.values(), lambda set_: selector.matches(set_.metadata.labels)
    )


# What wakes a deployment


def deployments_that_recreate(old: Pod | None, new: Pod | None, context: Context) -> list[Key]:
    """The deployment that may wait for the end of this pod, which has come, before it makes new ones."""
    if old is None or is_finished(old) or not (new is None or is_finished(new)):
        return []
    namespace = old.metadata.namespace
    owner = controller_of(old)
    set_ = context.cache(ReplicaSet).get(owner.name, namespace) if owner and owner.kind == "ReplicaSet" else None
    above = controller_of(set_) if set_ is not None else None
    found = context.cache(Deployment).get(above.name, namespace) if above and above.kind == "Deployment" else None
    return [(namespace, found.metadata.name)] if found is not None and sets_of.recreates(found) else []


DEPLOYMENTS = Selecting(Deployment, by_spec)
CONTROLLER = Controller(
    name="deployment",
    sources=[
        Source(Deployment, itself),
        DEPLOYMENTS.managed(ReplicaSet),
        Source(Pod, between=deployments_that_recreate),
    ],
    sync=sync,
    indexes=[(ReplicaSet, ORPHANS, orphaned_in), DEPLOYMENTS.index],
)
