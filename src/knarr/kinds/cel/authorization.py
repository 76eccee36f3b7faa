"""The variable `authorizer`: what a user may do, asked from within an expression.

An expression has no way to wait. What is not yet answered ends its evaluation with Unanswered; whoever evaluates finds
the answer and begins again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from knarr.kinds.cel import types
from knarr.kinds.cel.functions import OVERLOADS, Overload
from knarr.kinds.cel.types import Object, Type
from knarr.kinds.cel.values import Failed
from knarr.meta import names

CHECK_COST = 100_000  #: steps of one question

_NAMES = "kubernetes.authorization."
GROUP_CHECK, PATH_CHECK, RESOURCE_CHECK, DECISION = (
    Type(_NAMES + name) for name in ("GroupCheck", "PathCheck", "ResourceCheck", "Decision")
)
AUTHORIZER = Type(_NAMES + "Authorizer", (), {"requestResource": RESOURCE_CHECK})


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a user may do something; `account` is a service account's namespace and name, None whoever asks."""

    account: tuple[str, str] | None = None
    verb: str = ""
    path: str = ""  #: of what is no resource
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


Answers = Mapping[Question, tuple[bool, str]]


class Unanswered(Exception):
    """An evaluation cannot go on without an answer."""

    def __init__(self, question: Question) -> None:
        super().__init__(str(question))
        self.question = question


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: str
    type: ClassVar[Type] = DECISION


@dataclass(frozen=True, slots=True)
class Check:
    """A question in the making."""

    answers: Answers
    question: Question
    type: Type

    def with_(self, key: str, value: str) -> "Check":
        parts: dict[str, Any] = {key: value}
        return replace(self, question=replace(self.question, **parts))

    def asked(self, verb: str) -> Decision:
        question = replace(self.question, verb=verb)
        if question not in self.answers:
            raise Unanswered(question)
        return Decision(*self.answers[question])


class Authorizer(Object):
    """The variable: `request` is what the request itself is about."""

    __slots__ = ("account", "answers")
    type: ClassVar[Type] = AUTHORIZER

    def __init__(self, answers: Answers, request: Question, account: tuple[str, str] | None = None) -> None:
        super().__init__(requestResource=Check(answers, request, RESOURCE_CHECK))
        self.answers, self.account = answers, account


def _path(of: Authorizer, path: str) -> Check:
    if not path.strip():
        raise Failed("path must not be empty")
    return Check(of.answers, Question(of.account, path=path), PATH_CHECK)


def _account(of: Authorizer, namespace: str, name: str) -> Authorizer:
    if complaints := names.subdomain_errors(name):
        raise Failed(f"Invalid service account name: {complaints[0]}")
    if complaints := names.label_errors(namespace):
        raise Failed(f"Invalid service account namespace: {complaints[0]}")
    return Authorizer(of.answers, of["requestResource"].question, (namespace, name))


def _resource(of: Check, resource: str) -> Check:
    if not resource.strip():
        raise Failed("resource must not be empty")
    return replace(of.with_("resource", resource), type=RESOURCE_CHECK)


def _part(key: str) -> Any:
    return lambda of, value: of.with_(key, value)


def _group(of: Authorizer, group: str) -> Check:
    return Check(of.answers, Question(of.account, group=group), GROUP_CHECK)


for name, args, result, run in (
    ("path", (AUTHORIZER, types.STRING), PATH_CHECK, _path),
    ("group", (AUTHORIZER, types.STRING), GROUP_CHECK, _group),
    ("serviceAccount", (AUTHORIZER, types.STRING, types.STRING), AUTHORIZER, _account),
    ("resource", (GROUP_CHECK, types.STRING), RESOURCE_CHECK, _resource),
    ("subresource", (RESOURCE_CHECK, types.STRING), RESOURCE_CHECK, _part("subresource")),
    ("namespace", (RESOURCE_CHECK, types.STRING), RESOURCE_CHECK, _part("namespace")),
    ("name", (RESOURCE_CHECK, types.STRING), RESOURCE_CHECK, _part("name")),
    ("fieldSelector", (RESOURCE_CHECK, types.STRING), RESOURCE_CHECK, lambda of, _: of),
    ("labelSelector", (RESOURCE_CHECK, types.STRING), RESOURCE_CHECK, lambda of, _: of),
    ("check", (PATH_CHECK, types.STRING), DECISION, Check.asked),
    ("check", (RESOURCE_CHECK, types.STRING), DECISION, Check.asked),
    ("allowed", (DECISION,), types.BOOL, lambda of: of.allowed),
    ("reason", (DECISION,), types.STRING, lambda of: of.reason),
    ("errored", (DECISION,), types.BOOL, lambda of: False),
    ("error", (DECISION,), types.STRING, lambda of: ""),
):
    OVERLOADS.setdefault(name, []).append(Overload(args, result, True, run))
