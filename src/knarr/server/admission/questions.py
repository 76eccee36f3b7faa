"""What expressions ask of authorization: answered between evaluations, as an evaluation cannot wait."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from knarr.kinds.kind import Kind
from knarr.server.admission import Admission
from knarr.server.authorization import Attributes, Authorizer
from knarr.server.identity import service_account

if TYPE_CHECKING:
    from knarr.kinds.cel.authorization import Answers, Question

T = TypeVar("T")


async def answered(work: "Callable[[Answers], T]", admission: Admission, authorizer: Authorizer) -> T:
    """What `work` gives in a thread, begun again with one more answer whenever it lacks one."""
    from knarr.kinds.cel.authorization import Unanswered

    answers: dict[Question, tuple[bool, str]] = {}
    while True:
        try:
            return await asyncio.to_thread(work, answers)
        except Unanswered as unanswered:
            question = unanswered.question
            answers[question] = await authorizer.allows(_attributes(question, admission))


def about_request(admission: Admission, kind: Kind) -> "Question":
    """The question whether the request's author may do something with what it is about."""
    from knarr.kinds.cel.authorization import Question

    return Question(
        group=kind.group,
        resource=kind.plural,
        subresource=admission.subresource,
        namespace=admission.namespace,
        name=admission.name,
    )


def _attributes(question: "Question", admission: Admission) -> Attributes:
    user = service_account(*question.account) if question.account else admission.user
    if question.path:
        return Attributes(user, question.verb, path=question.path)
    return Attributes(
        user,
        question.verb,
        question.group,
        "*",
        question.namespace,
        question.resource,
        question.subresource,
        question.name,
    )
