"""Carries out creates and deletes and has the cache shown them before the next pass believes it.

`ensure_owner_alive` is for what the cache of owners does not show yet.
"""

from collections.abc import Sequence
from typing import Any

from knarr.loop.claims import ensure_alive
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


async def ensure_owner_alive(
    context: Context, key: Key, owner: Any, steps: Sequence[Step], expectations: Expectations
) -> None:
    """Look at the owner on the server before it replaces what somebody else deleted; Conflict or NotFound: it is gone.

    What is made for an owner that only a late cache still shows is collected at once, and missing again: without this
    look the two would go on, as fast as they can, until the cache has caught up.
    """
    if not expectations.doubted(key) or not any(isinstance(step, Create) for step in steps):
        return
    expectations.trust(key)  # before the look: what is deleted while it is on its way is doubted again
    try:
        await ensure_alive(context.api, owner)
    except BaseException:
        expectations.doubt(key)
        raise
