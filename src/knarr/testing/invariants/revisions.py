"""Revisions only grow, an object's life has one beginning and one end, and what was decided for good stays decided."""

from collections.abc import Iterator

from knarr.testing.invariants.world import World, Write


def revisions(write: Write, world: World) -> Iterator[str]:
    if write.revision <= world.revision:
        yield f"revision {write.revision} comes after {world.revision}"
    if write.previous != (known := world.revisions.get(write.key, 0)):
        yield f"it replaces revision {write.previous}, but the last one was {known}"


def lives(write: Write, world: World) -> Iterator[str]:
    if write.old is None or write.new is None:
        return
    old, new = write.old.metadata, write.new.metadata
    if old.uid != new.uid:
        yield f"an update changes the uid from {old.uid} to {new.uid}"
    if old.creationTimestamp != new.creationTimestamp:
        yield "an update changes when it was created"
    if old.deletionTimestamp and not new.deletionTimestamp:
        yield "an update takes a deletion back"
    if (old.generation or 0) > (new.generation or 0):
        yield f"the generation goes back from {old.generation} to {new.generation}"
