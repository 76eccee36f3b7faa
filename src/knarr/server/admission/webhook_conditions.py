"""A webhook's match conditions: expressions in CEL, all of which must hold for it to be asked.

They see `object`, `oldObject` and `request`, as the webhook would, and `authorizer`. One that is false settles it; one
that fails counts by the webhook's failurePolicy.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from knarr.kinds.kind import Kind
from knarr.server.admission import Admission
from knarr.server.admission.questions import about_request, answered
from knarr.server.admission.webhook_rules import Webhook
from knarr.server.authorization import Authorizer

if TYPE_CHECKING:
    from knarr.kinds.cel.authorization import Answers, Question
    from knarr.kinds.cel.program import Program

Variables = Mapping[str, Any]
VARIABLES = ("object", "oldObject", "request")


async def hold(hook: Webhook, kind: Kind, admission: Admission, authorizer: Authorizer, shown: Variables) -> bool:
    """Whether the webhook is to be asked; raises Forbidden when that cannot be said and it must not be passed over.

    `kind` is the version that it would be shown; `shown` what it would be shown, by variable.
    """
    sources = tuple(condition.expression for condition in hook.matchConditions)
    asked = about_request(admission, kind)
    held, failures = await answered(lambda answers: outcome(sources, shown, asked, answers), admission, authorizer)
    if not held:
        return False
    if failures and hook.failurePolicy != "Ignore":
        raise admission.refuse(failures[0] if len(failures) == 1 else f"[{', '.join(failures)}]")
    return not failures


def outcome(
    sources: tuple[str, ...], shown: Variables, asked: "Question", answers: "Answers"
) -> tuple[bool, list[str]]:
    """Whether no expression is false, and what those say that have no value."""
    from knarr.kinds.cel.authorization import Authorizer as Asking
    from knarr.kinds.cel.scope import OverLimit
    from knarr.kinds.cel.tree import Malformed
    from knarr.kinds.cel.values import Failed

    failures: list[str] = []
    names = {**shown, "authorizer": Asking(answers, asked)}
    for source in sources:
        try:
            value, _ = _program(source).evaluate(names)
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
    from knarr.kinds.cel.authorization import AUTHORIZER
    from knarr.kinds.cel.program import compiled
    from knarr.kinds.cel.types import DYN

    return compiled(source, dict.fromkeys(VARIABLES, DYN) | {"authorizer": AUTHORIZER})
