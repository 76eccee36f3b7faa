"""What one pass over a Deployment does: `plan` reads a snapshot and decides. Pure; called by `deployment.sync`.

Keeps true: sets are only ever sized so that all of them together stay within the surge, and so that what is available
does not fall below the least that must be; one pass grows the new set or shrinks old ones, never both, because the
next one sees what came of it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from knarr.controllers import deployment_sets as sets_of
from knarr.controllers.deployment_sets import active, available, bare, least, revision, size, sized, total, wanted
from knarr.controllers.deployment_status import is_complete
from knarr.kinds.types.apps_v1 import Deployment, ReplicaSet
from knarr.kinds.types.core_v1 import Pod
from knarr.loop.steps import Create, Delete, Event, Note, Replace, Step

Pods = Mapping[str, Sequence[Pod]]  #: by the uid of their set


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, and the sets as they will be; `rolling` when progress is to be judged. `steps` are in order."""

    steps: list[Step]
    new: ReplicaSet | None
    old: Sequence[ReplicaSet]
    rolling: bool = False

    @property
    def sets(self) -> list[ReplicaSet]:
        return [*self.old, *([self.new] if self.new else [])]


def plan(deployment: Deployment, sets: Sequence[ReplicaSet], pods: Pods) -> Plan:
    """This pass's steps; `sets` are the deployment's own, `pods` theirs."""
    new, old = sets_of.split(deployment, sets)
    wanted_new = refreshed(deployment, new, old) if new else None
    if deployment.metadata.deletionTimestamp:
        return changed(deployment, new, old, wanted_new, old)
    if not deployment.spec.paused and (asked := revision_asked_for(deployment)) is not None:
        return Plan(rolled_back(deployment, sets, asked), new, old)
    if deployment.spec.paused or was_resized(deployment, sets):
        result = changed(deployment, new, old, *resized(deployment, wanted_new, old))
        result.steps.extend(forgotten(deployment, old) if deployment.spec.paused else [])
        return result
    roll = recreated if sets_of.recreates(deployment) else rolled
    result = roll(deployment, new, wanted_new, old, pods)
    if not result.steps and is_complete(deployment, deployment.status):
        result.steps.extend(forgotten(deployment, old))
    return result


def refreshed(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> ReplicaSet:
    """The new set with what it takes over from the deployment."""
    fresh = sets_of.annotated(deployment, new, old)
    seconds = deployment.spec.minReadySeconds
    if (fresh.spec.minReadySeconds or 0) == (seconds or 0):
        return fresh
    return replace(fresh, spec=replace(fresh.spec, minReadySeconds=seconds))


def was_resized(deployment: Deployment, sets: Sequence[ReplicaSet]) -> bool:
    """Whether an active set was last sized for another number of pods than is wanted now."""
    noted = (sets_of.number(set_, sets_of.DESIRED) for set_ in active(sets))
    return any(count is not None and count != wanted(deployment) for count in noted)


# A change of size


def resized(
    deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]
) -> tuple[ReplicaSet | None, list[ReplicaSet]]:
    """The sets at the sizes that a change of size gives them: the only one all, several in proportion."""
    everything = [*old, *([new] if new else [])]
    living = active(everything)
    if len(living) <= 1:
        only = living[0] if living else new or (sets_of.by_age(old)[-1] if old else None)
        if only is None or (size(only) == wanted(deployment) and not was_resized(deployment, living)):
            return new, list(old)
        after = [sized(deployment, only, wanted(deployment))]
    elif is_saturated(deployment, new):
        after = [sized(deployment, set_, 0) for set_ in active(old)]
    elif sets_of.recreates(deployment):
        return new, list(old)
    else:
        after = sets_of.in_proportion(deployment, living)
    by_uid = {set_.metadata.uid: set_ for set_ in after}
    return (
        by_uid.get(new.metadata.uid, new) if new else None,
        [by_uid.get(set_.metadata.uid, set_) for set_ in old],
    )


def is_saturated(deployment: Deployment, new: ReplicaSet | None) -> bool:
    """Whether the new set has all the pods that are wanted, and they are available."""
    if new is None:
        return False
    count = wanted(deployment)
    return sets_of.number(new, sets_of.DESIRED) == count == size(new) == (new.status.availableReplicas or 0)


# A rollout


def rolled(
    deployment: Deployment, new: ReplicaSet | None, fresh: ReplicaSet | None, old: Sequence[ReplicaSet], pods: Pods
) -> Plan:
    """One step of a rolling update: the new set grows as far as the surge lets it, else old ones shrink."""
    if new is None or fresh is None:
        return created(deployment, old)
    if size(fresh) != wanted(deployment) and (grown := enlarged(deployment, fresh, old)) is not fresh:
        return changed(deployment, new, old, grown, old, rolling=True)
    return changed(deployment, new, old, fresh, shrunk(deployment, fresh, old), rolling=True)


def enlarged(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> ReplicaSet:
    """The new set as large as it may be now, or as small as it is wanted."""
    count = wanted(deployment)
    if size(new) < count:
        room = sets_of.most(deployment) - total([*old, new])
        count = size(new) + min(max(room, 0), count - size(new))
    return new if count == size(new) else sized(deployment, new, count)


def shrunk(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """The old sets, oldest first, without what can be spared: unavailable pods first, then available ones."""
    unavailable = size(new) - (new.status.availableReplicas or 0)
    room = total([*old, new]) - least(deployment) - unavailable
    if room <= 0:
        return list(old)
    sizes = [size(set_) for set_ in old]
    for number, set_ in enumerate(old):
        broken = max(sizes[number] - (set_.status.availableReplicas or 0), 0)
        sizes[number] -= min(broken, room)
        room -= min(broken, room)
    staying = sum(
        min(size(set_), available([set_])) for set_ in (*old, new)
    )  # some that a status counts may be leaving
    spare = max(staying - least(deployment), 0)
    for number in range(len(sizes)):
        fewer = min(sizes[number], spare)
        sizes[number] -= fewer
        spare -= fewer
    return [
        set_ if size(set_) == count else sized(deployment, set_, count) for set_, count in zip(old, sizes, strict=True)
    ]


def recreated(
    deployment: Deployment, new: ReplicaSet | None, fresh: ReplicaSet | None, old: Sequence[ReplicaSet], pods: Pods
) -> Plan:
    """One step of a Recreate: all old pods go, and only then the new ones come."""
    if active(old):
        empty = [sized(deployment, set_, 0) if size(set_) else set_ for set_ in old]
        return changed(deployment, new, old, fresh, empty, rolling=True)
    if runs_old(old, pods):
        return changed(deployment, new, old, fresh, old, rolling=True)
    if new is None or fresh is None:
        return created(deployment, old)
    full = fresh if size(fresh) == wanted(deployment) else sized(deployment, fresh, wanted(deployment))
    return changed(deployment, new, old, full, old, rolling=True)


def runs_old(old: Sequence[ReplicaSet], pods: Pods) -> bool:
    """Whether a pod of an old set may still run, be it on its way out."""
    if any(set_.status.replicas for set_ in old):
        return True
    return any(
        pod.status.phase not in ("Failed", "Succeeded") for set_ in old for pod in pods.get(set_.metadata.uid, ())
    )


# From what is wanted to steps


def created(deployment: Deployment, old: Sequence[ReplicaSet]) -> Plan:
    new = sets_of.new_set(deployment, old)
    count = size(new)
    said = ("ScalingReplicaSet", f"Scaled up replica set {new.metadata.name} from 0 to {count}") if count else None
    refused = ("ReplicaSetCreateError", f'Failed to create new replica set "{new.metadata.name}": {{error}}')
    return Plan([Create(new, note=Note(deployment, said, refused))], new, old, rolling=True)


def changed(
    deployment: Deployment,
    new: ReplicaSet | None,
    old: Sequence[ReplicaSet],
    new_after: ReplicaSet | None,
    old_after: Sequence[ReplicaSet],
    *,
    rolling: bool = False,
) -> Plan:
    """The plan that makes the sets what they should be: the new one first."""
    pairs = [(new, new_after)] if new and new_after else []
    steps = [
        _resize(deployment, before, after)
        for before, after in (*pairs, *zip(old, old_after, strict=True))
        if after != before
    ]
    return Plan([*steps], new_after, old_after, rolling)


def _resize(deployment: Deployment, before: ReplicaSet, after: ReplicaSet) -> Step:
    was, becomes = size(before), size(after)
    if was == becomes:
        return Replace(after, "annotations")
    way = "up" if becomes > was else "down"
    message = f"Scaled {way} replica set {after.metadata.name} from {was} to {becomes}"
    return Replace(after, f"from {was} to {becomes}", Note(deployment, ("ScalingReplicaSet", message)))


# Back, and what is forgotten


def revision_asked_for(deployment: Deployment) -> int | None:
    """The revision that the annotation of old clients asks for, 0 for the one before; None when it is no number."""
    text = deployment.metadata.annotations.get(sets_of.ROLLBACK, "")
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else None


def rolled_back(deployment: Deployment, sets: Sequence[ReplicaSet], asked: int) -> list[Step]:
    """Take the template of an earlier revision; the annotation that asks for it goes."""
    meta = deployment.metadata
    left = {key: value for key, value in meta.annotations.items() if key != sets_of.ROLLBACK}
    cleared = replace(deployment, metadata=replace(meta, annotations=left))
    if not asked and not (asked := last_revision(sets)):
        message = "Unable to find last revision."
        return [Event(deployment, "Warning", "DeploymentRollbackRevisionNotFound", message), Replace(cleared)]
    found = next((set_ for set_ in sets if revision(set_) == asked), None)
    if found is None:
        message = "Unable to find the revision to rollback to."
        return [Event(deployment, "Warning", "DeploymentRollbackRevisionNotFound", message), Replace(cleared)]
    template = bare(found.spec.template)
    if template == bare(deployment.spec.template):
        message = f'The rollback revision contains the same template as current deployment "{meta.name}"'
        return [Event(deployment, "Warning", "DeploymentRollbackTemplateUnchanged", message), Replace(cleared)]
    own = {key: value for key, value in left.items() if key in sets_of.OWN}
    annotations = {**own, **sets_of.inherited(found.metadata.annotations)}
    back = replace(
        deployment,
        metadata=replace(meta, annotations=annotations),
        spec=replace(deployment.spec, template=template),
    )
    message = f'Rolled back deployment "{meta.name}" to revision {asked}'
    return [Replace(back, f"back to revision {asked}", Note(deployment, ("DeploymentRollback", message)))]


def last_revision(sets: Sequence[ReplicaSet]) -> int:
    """The revision before the newest; 0 when there is none."""
    revisions = sorted(map(revision, sets))
    return revisions[-2] if len(revisions) > 1 else 0


def forgotten(deployment: Deployment, old: Sequence[ReplicaSet]) -> list[Step]:
    """Delete the oldest revisions beyond the history's limit that have no pods and are settled."""
    limit = deployment.spec.revisionHistoryLimit
    if limit is None or limit == sets_of.UNLIMITED:
        return []
    staying = [set_ for set_ in old if not set_.metadata.deletionTimestamp]
    surplus = sorted(staying, key=revision)[: max(len(staying) - limit, 0)]
    return [Delete(set_, "history limit") for set_ in surplus if is_empty(set_)]


def is_empty(set_: ReplicaSet) -> bool:
    settled = (set_.metadata.generation or 0) <= (set_.status.observedGeneration or 0)
    return settled and not set_.status.replicas and not size(set_)
