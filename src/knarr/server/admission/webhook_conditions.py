"""A webhook's match conditions: expressions in CEL, all of which must hold for it to be asked.

They see `object`, `oldObject` and `request`, as the webhook would. One that is false settles it; one that fails counts
by the webhook's failurePolicy.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from knarr.server.admission import Admission, Tree
from knarr.server.admission.webhook_rules import Webhook

if TYPE_CHECKING:
    from knarr.kinds.cel.program import Program

VARIABLES = ("object", "oldObject", "request")


async def hold(hook: Webhook, admission: Admission, new: Tree | None, old: Tree | None, request: Tree) -> bool:
    """Whether the webhook is to be asked; raises Forbidden when that cannot be said and it must not be passed over."""
    variables = {"object": new, "oldObject": old, "request": request}
    sources = tuple(condition.expression for condition in hook.matchConditions)
    held, failures = await asyncio.to_thread(outcome, sources, variables)
    if not held:
        return False
    if failures and hook.failurePolicy != "Ignore":
        raise admission.refuse(failures[0] if len(failures) == 1 else f"[{', '.join(failures)}]")
    return not failures


def outcome(sources: tuple[str, ...], variables: Mapping[str, Any]) -> tuple[bool, list[str]]:
    """Whether no expression is false, and what those say that have no value."""
    from knarr.kinds.cel.scope import OverLimit
    from knarr.kinds.cel.syntax import Malformed
    from knarr.kinds.cel.values import Failed

    failures: list[str] = []
    for source in sources:
        try:
            value, _ = _program(source).evaluate(variables)
        except OverLimit:
            failures.append(f"expression '{source}' resulted in error: evaluation costs too much")
        except (Malformed, Failed) as error:
            failures.append(f"expression '{source}' resulted in error: {error}")
        else:
            if value is False:
                return False, []
            if value is not True:
                failures.append(f"expression '{source}' resulted in error: it is not of type bool")
    return True, failures


@lru_cache(maxsize=256)
def _program(source: str) -> "Program":
    from knarr.kinds.cel.program import compiled
    from knarr.kinds.cel.types import DYN

    return compiled(source, dict.fromkeys(VARIABLES, DYN))
