"""Carries out creates and deletes and has the cache shown them before the next pass believes it."""

from collections.abc import Sequence

from knarr.loop.executor import carry_out
from knarr.loop.expectations import Expectations
from knarr.loop.runner import Context, Key
from knarr.loop.steps import Create, Delete, Step


async def carry_out_expected(context: Context, key: Key, steps: Sequence[Step], expectations: Expectations) -> None:
    """Carry out a plan, equal steps together; what fails is expected no longer."""
    creations = sum(isinstance(step, Create) for step in steps)
    deletions = [step.obj.metadata.uid for step in steps if isinstance(step, Delete)]
    if creations or deletions:
        expectations.expect(key, creations, deletions)

    def undone(step: Step) -> None:
        if isinstance(step, Create):
            expectations.created(key)
        elif isinstance(step, Delete):
            expectations.deleted(key, step.obj.metadata.uid)

    await carry_out(context.api, steps, context.recorder, together=True, undone=undone)
