"""No pod comes when as many are there as a quota lets be, by whoever makes it.

A pod that came so shortly before the quota was counted that the count may have missed it is not held against the
server; neither are pods that are finished or on their way out.
"""

from collections.abc import Iterator

from knarr.kinds.pod import is_finished, is_terminating
from knarr.kinds.types.core_v1 import Pod, ResourceQuota
from knarr.meta import quantity
from knarr.testing.invariants.world import Count, World, Write, key_of


def pods(write: Write, world: World) -> Iterator[str]:
    if write.type is not Pod or not write.created:
        return
    for quota in world.all(ResourceQuota):
        most = quota.spec.hard.get("pods")
        count = world.counts.get(key_of(ResourceQuota, quota.metadata.namespace, quota.metadata.name))
        if most is None or count is None or quota.metadata.namespace != write.new.metadata.namespace:
            continue
        there = [pod for pod in world.all(Pod) if _counts(pod, world, count)]
        if len(there) + 1 > quantity.parse(most).nano // 10**9:
            yield f"quota {quota.metadata.name} lets {most} pods be, and {len(there)} are there"


def _counts(pod: Pod, world: World, count: Count) -> bool:
    if is_finished(pod) or is_terminating(pod):
        return False
    former = world.versions.get(key_of(Pod, pod.metadata.namespace, pod.metadata.name), [])
    came = next((time for time, obj in reversed(former) if obj is None), 0.0)
    return not count.since <= came <= count.time
