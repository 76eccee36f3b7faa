"""A pod has ended when its node says so: who reads that may put another of its name elsewhere, and deletes it at once.

What runs is what the machines say. What others than the node write of a pod's end is their own affair.
"""

from collections.abc import Iterator

from knarr.kinds.pod import is_finished
from knarr.kinds.types.core_v1 import Pod
from knarr.testing.invariants.world import World, Write


def endings(write: Write, world: World) -> Iterator[str]:
    """A node writes that a pod has ended, or takes its object away, only when no process of it is left."""
    if write.type is not Pod or write.old is None or write.writer != write.old.spec.nodeName or not write.writer:
        return
    says_so = write.new is not None and is_finished(write.new) and not is_finished(write.old)
    if (says_so or write.new is None) and write.old.metadata.uid in world.running():
        what = "says that it ended" if says_so else "takes its object away"
        yield f"{write.writer} {what} while containers of it run there"
