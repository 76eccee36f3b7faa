"""What a Job keeps: never more pods at once than its parallelism, never more successes than its completions.

Strict even under stale caches, but for creations without an answer. What is counted never goes back.
"""

from collections.abc import Iterator

from knarr.kinds.pod import is_active, is_finished
from knarr.kinds.types.batch_v1 import Job
from knarr.kinds.types.core_v1 import Pod
from knarr.testing.invariants.replicas import owners
from knarr.testing.invariants.world import World, Write

INDEX = "batch.kubernetes.io/job-completion-index"


def parallelism(write: Write, world: World) -> Iterator[str]:
    if write.writer != "job" or write.type is not Pod or not write.created:
        return
    found = list(owners(Job, write, world))
    wrong = [list(_too_many(write, world, job)) for job in found]
    if wrong and all(wrong):
        yield from wrong[0]


def _too_many(write: Write, world: World, job: Job) -> Iterator[str]:
    uid, spec = job.metadata.uid, job.spec
    pods = world.owned_by(Pod, uid)
    replaces = spec.podReplacementPolicy == "Failed" or spec.podFailurePolicy is not None
    living = [pod for pod in pods if is_active(pod) or (replaces and not is_finished(pod))]
    most = 1 if spec.parallelism is None else spec.parallelism
    if len(living) + 1 > most + write.doubts:
        yield f"the parallelism is {most}, and {len(living)} pods are active"
    succeeded = len(world.succeeded[uid])
    if spec.completions is not None and len(living) + succeeded + 1 > spec.completions + write.doubts:
        yield f"{spec.completions} completions: {succeeded} pods have succeeded, {len(living)} are active"
    if spec.suspend:
        yield "it is suspended"
    if any(c.type in ("Complete", "Failed") and c.status == "True" for c in job.status.conditions):
        yield "it is finished"
    index = write.new.metadata.annotations.get(INDEX)
    if index is not None and not write.doubts:
        yield from (
            f"{pod.metadata.name} has index {index}" for pod in living if pod.metadata.annotations.get(INDEX) == index
        )


def counting(write: Write, world: World) -> Iterator[str]:
    """Successes and failures are counted once and never taken back; a complete Job has its completions."""
    if write.type is not Job or write.old is None or write.new is None:
        return
    old, new, spec = write.old.status, write.new.status, write.new.spec
    if (old.succeeded or 0) > (new.succeeded or 0) and spec.completionMode != "Indexed":
        yield f"succeeded goes back from {old.succeeded} to {new.succeeded}"
    if (old.failed or 0) > (new.failed or 0):
        yield f"failed goes back from {old.failed} to {new.failed}"
    if spec.completions is not None and (new.succeeded or 0) > spec.completions:
        yield f"{new.succeeded} of {spec.completions} have succeeded"
    truly = len(world.succeeded[write.new.metadata.uid])
    if (new.succeeded or 0) > truly:
        yield f"{new.succeeded} are counted as succeeded, {truly} did"
    complete = spec.successPolicy is None and any(c.type == "Complete" and c.status == "True" for c in new.conditions)
    if complete and spec.completions not in (None, new.succeeded or 0):
        yield f"it is complete with {new.succeeded} of {spec.completions}"
