"""What one pass over a StatefulSet does: `plan` reads a snapshot and decides. Pure; called by `statefulset.sync`.

Keeps true: an ordered set does one thing at a time and stops at its first disturbance, so pod n is created only while
all before it are available and deleted only while all after it are gone; a parallel set does everything at once, within
its update's budget; nothing is created under a name that a pod, be it terminating, still has.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

from knarr.controllers import statefulset_pods as wanted
from knarr.controllers.statefulset_pods import ordinal_of
from knarr.controllers.statefulset_status import (
    Revisions,
    available_from,
    is_available,
    is_finished,
    is_ready,
    is_terminating,
    is_usable,
    max_unavailable,
    partition,
    revision_of,
    rolls,
)
from knarr.kinds.statefulset_options import RECOVER, is_on
from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import PersistentVolumeClaim, Pod
from knarr.loop.steps import Create, Delete, Event, Note, Replace, Step, Wait

Claims = Mapping[str, PersistentVolumeClaim]
NOBODY: Mapping[str, datetime] = {}


def plan(
    set_: StatefulSet,
    pods: Sequence[Pod],
    claims: Claims,
    revisions: Revisions,
    now: datetime,
    held: Mapping[str, datetime] = NOBODY,
) -> list[Step]:
    """This pass's steps. `pods` are the set's own, `claims` those of its namespace by name; `held` are the names of
    finished pods that are not replaced yet, and until when."""
    if set_.metadata.deletionTimestamp:
        return []
    ordinals = wanted.wanted_ordinals(set_)
    members = {ordinal_of(pod): pod for pod in pods if ordinal_of(pod) in ordinals}
    surplus = sorted(
        (pod for pod in pods if ordinal_of(pod) >= 0 and ordinal_of(pod) not in ordinals), key=ordinal_of, reverse=True
    )
    steps = chain(fill(set_, members, claims, revisions, now, held), shrink(set_, surplus, claims, now))
    if is_parallel(set_):
        done = list(steps)
    else:
        done = list(until_disturbed(steps))
        if done and disturbs(done[-1]):
            return done
    return [*done, *roll(set_, members, revisions, now)]


def is_parallel(set_: StatefulSet) -> bool:
    return set_.spec.podManagementPolicy == "Parallel"


def disturbs(step: Step) -> bool:
    """Whether an ordered set goes no further after this step: a pod comes, goes or is waited for."""
    if isinstance(step, Create):
        return isinstance(step.obj, Pod)
    return isinstance(step, (Delete, Wait))


def until_disturbed(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        if disturbs(step):
            return


# Pods that should be there


def fill(
    set_: StatefulSet,
    members: Mapping[int, Pod],
    claims: Claims,
    revisions: Revisions,
    now: datetime,
    held: Mapping[str, datetime],
) -> Iterator[Step]:
    """Bring every wanted ordinal to an available pod with its identity, storage and claims' owners in order."""
    for ordinal in wanted.wanted_ordinals(set_):
        pod = members.get(ordinal)
        if pod is None:
            yield from create(set_, ordinal, claims, revisions)
        elif is_finished(pod):
            yield dismissed(set_, pod, held)
        elif gives_way(set_, pod, revisions):
            yield delete(set_, pod, "outdated, and not ready")
        else:
            yield from keep(set_, pod, claims, now)


def dismissed(set_: StatefulSet, pod: Pod, held: Mapping[str, datetime]) -> Step:
    """The end of a finished pod, after which its replacement comes."""
    if is_terminating(pod):
        return Wait(pod, "terminating")
    if until := held.get(pod.metadata.name):
        return Wait(pod, "its pods end soon after they are made", until)
    return delete(set_, pod, "finished")


def gives_way(set_: StatefulSet, pod: Pod, revisions: Revisions) -> bool:
    """Whether an ordered set that opted in replaces a pod out of its turn: an update would replace it anyway, and it
    costs nothing, for it is not ready. A parallel set's updates do so by themselves."""
    if not is_on(set_, RECOVER) or is_parallel(set_) or not rolls(set_) or is_ready(pod):
        return False
    return is_outdated(pod, revisions) and ordinal_of(pod) >= wanted.first_ordinal(set_) + partition(set_)


def create(set_: StatefulSet, ordinal: int, claims: Claims, revisions: Revisions) -> Iterator[Step]:
    """A new pod, after the claims that it lacks."""
    pod = new_pod(set_, ordinal, revisions)
    if wanted.is_left_over(set_, pod, claims):
        yield Wait(pod, "its claims go with the pod of its name before")
        return
    blocked = False
    for step in missing_claims(set_, pod, claims):
        yield step
        blocked = blocked or isinstance(step, Wait)
    if not blocked:
        yield Create(pod, note=pod_note(set_, "Create"))


def new_pod(set_: StatefulSet, ordinal: int, revisions: Revisions) -> Pod:
    """The pod of an ordinal; ordinals below an update's partition come back at the current revision."""
    held_back = rolls(set_) and ordinal < wanted.first_ordinal(set_) + partition(set_)
    name = revisions.current if held_back else revisions.update
    return wanted.new_pod(set_, revisions.templates[name], name, ordinal)


def missing_claims(set_: StatefulSet, pod: Pod, claims: Claims) -> Iterator[Step]:
    for claim in wanted.wanted_claims(set_, ordinal_of(pod)):
        existing = claims.get(claim.metadata.name)
        if existing is None:
            yield Create(claim, note=claim_note(set_, pod), keep=True)
        elif existing.metadata.deletionTimestamp:
            said = f"pvc {claim.metadata.name} is being deleted"
            yield Event(
                set_, "Warning", "FailedCreate", pod_message(set_, "Create", said).replace("{name}", pod.metadata.name)
            )
            yield Wait(existing, "being deleted")


def keep(set_: StatefulSet, pod: Pod, claims: Claims, now: datetime) -> Iterator[Step]:
    """What an existing pod needs, or is waited for."""
    if pod.status.phase == "Pending":
        yield from (step for step in missing_claims(set_, pod, claims) if isinstance(step, Create))
        yield from claim_owners(set_, pod, claims)
    if is_terminating(pod):
        yield Wait(pod, "terminating")
        return
    if not is_available(set_, pod, now):
        yield Wait(pod, "not available yet" if is_ready(pod) else "not ready", until=available_from(set_, pod))
        if not is_parallel(set_):
            return
    corrected = wanted.corrected(set_, pod)
    if corrected is not pod:
        yield from (step for step in missing_claims(set_, pod, claims) if isinstance(step, Create))
        yield Replace(corrected, note=pod_note(set_, "Update"))
    if pod.status.phase != "Pending":
        yield from claim_owners(set_, pod, claims)


def claim_owners(set_: StatefulSet, pod: Pod, claims: Claims) -> Iterator[Step]:
    """Make the claims' owners what the retention policy says."""
    for template in set_.spec.volumeClaimTemplates:
        claim = claims.get(wanted.claim_name(set_, template, ordinal_of(pod)))
        if claim is None or claim.metadata.deletionTimestamp:
            continue
        owned = wanted.owned(set_, pod, claim)
        if owned is not claim:
            yield Replace(owned, reason="retention policy")


# Pods that should not


def shrink(set_: StatefulSet, surplus: Sequence[Pod], claims: Claims, now: datetime) -> Iterator[Step]:
    """Delete surplus pods, given from the highest ordinal down.

    An ordered set waits for an unavailable one, except for the lowest: that one may go, as nothing waits for it. What
    is finished will never be available, so nobody waits for it.
    """
    for pod in surplus:
        yield from claim_owners(set_, pod, claims)
    hoped_for = (pod for pod in reversed(surplus) if not is_finished(pod) or is_terminating(pod))
    lowest = next((pod for pod in hoped_for if not is_usable(set_, pod, now)), None)
    for pod in surplus:
        if is_terminating(pod):
            yield Wait(pod, "terminating")
        elif is_finished(pod):
            yield delete(set_, pod, "scaled down")
        elif not is_available(set_, pod, now) and pod is not lowest and not is_parallel(set_):
            yield Wait(lowest or pod, "unavailable, before the set can shrink")
        else:
            yield delete(set_, pod, "scaled down")


# Pods of an older revision


def roll(set_: StatefulSet, members: Mapping[int, Pod], revisions: Revisions, now: datetime) -> Iterator[Step]:
    """Delete outdated pods from the highest ordinal down to the partition, as many as the update may have down."""
    if not rolls(set_):
        return
    ordinals = wanted.wanted_ordinals(set_)
    missing = [ordinal for ordinal in ordinals if not is_usable(set_, members.get(ordinal), now)]
    outdated = [
        pod
        for ordinal in reversed(ordinals[partition(set_) :])
        if (pod := members.get(ordinal)) and is_outdated(pod, revisions)
    ]
    broken: list[Pod] = []
    if is_parallel(set_):  # what is down already costs the update nothing
        broken = [pod for pod in outdated if not is_available(set_, pod, now)]
        outdated = [pod for pod in outdated if pod not in broken]
    budget = max(0, max_unavailable(set_) - len(missing))
    yield from (delete(set_, pod, "outdated") for pod in broken)
    yield from (delete(set_, pod, "outdated") for pod in outdated[:budget])
    if outdated and not budget and not broken:
        yield Wait(wanted.pod_name(set_, missing[0]), "unavailable, before the update can go on")


def is_outdated(pod: Pod, revisions: Revisions) -> bool:
    """Whether an update should replace the pod; one that is finished is replaced anyway."""
    return revision_of(pod) != revisions.update and not is_terminating(pod) and not is_finished(pod)


# What is told


def delete(set_: StatefulSet, pod: Pod, reason: str) -> Delete:
    return Delete(pod, reason, note=pod_note(set_, "Delete"))


def pod_note(set_: StatefulSet, verb: str) -> Note:
    return Note(
        set_,
        done=(f"Successful{verb}", f"{verb} Pod {{name}} in StatefulSet {set_.metadata.name} successful"),
        failed=(f"Failed{verb}", pod_message(set_, verb, "{error}")),
    )


def pod_message(set_: StatefulSet, verb: str, error: str) -> str:
    return f"{verb} Pod {{name}} in StatefulSet {set_.metadata.name} failed error: {error}"


def claim_note(set_: StatefulSet, pod: Pod) -> Note:
    name = pod.metadata.name
    of_set = f"in StatefulSet {set_.metadata.name}"
    return Note(
        set_,
        done=("SuccessfulCreate", f"Create Claim {{name}} Pod {name} {of_set} success"),
        failed=("FailedCreate", f"Create Claim {{name}} for Pod {name} {of_set} failed error: {{error}}"),
    )
