"""A policy's expressions evaluated on one request. Pure, and loaded only where there is a policy.

What an expression may cost is limited, and so is what all of a policy's may together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from knarr.kinds.cel.authorization import Answers, Authorizer, Question
from knarr.kinds.cel.program import LIMIT, Program
from knarr.kinds.cel.scope import OverLimit
from knarr.kinds.cel.types import Object
from knarr.kinds.cel.values import Failed
from knarr.kinds.policy_expressions import Compiled, Policy
from knarr.kinds.types.admissionregistration_v1 import ValidatingAdmissionPolicy, Validation
from knarr.meta.field import at

BUDGET, CONDITIONS_BUDGET = 10 * LIMIT, 10 * LIMIT // 4  #: steps of one policy, and of its match conditions
LONGEST_MESSAGE = 5120
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


class Trouble(Exception):
    """An expression has no value; the message says which and why."""


class OutOfBudget(Trouble):
    """All expressions together cost too much."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What expressions see: `object` and so on, as values; the question whether the request itself is allowed."""

    names: dict[str, Any]
    request: Question


@dataclass(frozen=True, slots=True)
class Refusal:
    """What one validation has against a request; `error` when its expression has no value."""

    message: str
    reason: str = ""
    error: bool = False


@dataclass(slots=True)
class Evaluation:
    """The programs of a policy at work on one request."""

    compiled: Compiled
    inputs: Inputs
    answers: Answers
    left: int = BUDGET
    _names: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        authorizer = Authorizer(self.answers, self.inputs.request)
        self._names = self.inputs.names | {"authorizer": authorizer, "variables": Variables(self)}

    def value(self, path: str, text: str) -> Any:
        """The value of the expression at a path; raises Trouble."""
        program = self.compiled.programs.get(path)
        if program is None:
            why = next((error.message for error in self.compiled.errors if error.path == path), "")
            raise Trouble(f"compilation error: {why}")
        try:
            return self.run(program)
        except Failed as failed:
            raise Trouble(f"expression '{text}' resulted in error: {failed}") from None
        except OverLimit:
            if self.left <= 0:
                raise OutOfBudget(OUT_OF_BUDGET) from None
            why = "operation cancelled: actual cost limit exceeded"
            raise Trouble(f"expression '{text}' resulted in error: {why}") from None

    def run(self, program: Program) -> Any:
        limit = min(LIMIT, self.left)
        try:
            found, cost = program.evaluate(self._names, limit)
        except (Failed, OverLimit):
            self.left -= limit
            raise
        self.left -= cost
        return found


class Variables(Object):
    """The variables of a policy, worked out when they are first asked for."""

    __slots__ = ("_evaluation",)

    def __init__(self, evaluation: Evaluation) -> None:
        super().__init__()
        self._evaluation = evaluation

    def get(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            program = self._evaluation.compiled.variables.get(key)
            if program is None:
                return default
            try:
                self[key] = self._evaluation.run(program)
            except Failed as failed:
                raise Failed(f'composited variable "{key}" fails to evaluate: {failed}') from None
        return self[key]


def meant(policy: Policy, compiled: Compiled, inputs: Inputs, answers: Answers) -> bool:
    """Whether no match condition is false; raises Trouble when that cannot be said and the policy is to fail."""
    if not policy.spec.matchConditions:
        return True
    evaluation = Evaluation(compiled, inputs, answers, CONDITIONS_BUDGET)
    troubles: list[str] = []
    for index, condition in enumerate(policy.spec.matchConditions):
        path = at("spec", "matchConditions", index, "expression")
        try:
            if evaluation.value(path, condition.expression) is False:
                return False
        except Trouble as trouble:
            troubles.append(str(trouble))
    if troubles and policy.spec.failurePolicy != "Ignore":
        raise Trouble(troubles[0] if len(troubles) == 1 else f"[{', '.join(troubles)}]")
    return not troubles


def refusals(
    policy: ValidatingAdmissionPolicy, compiled: Compiled, inputs: Inputs, answers: Answers
) -> Sequence[Refusal]:
    """What a policy's validations have against a request; nothing where its conditions do not mean it."""
    evaluation = Evaluation(compiled, inputs, answers)
    try:
        if not meant(policy, compiled, inputs, answers):
            return ()
        found = list(_refusals(policy, evaluation))
    except Trouble as trouble:
        found = [Refusal(str(trouble), error=True)]
    ignored = policy.spec.failurePolicy == "Ignore"
    return [one for one in found if not (one.error and ignored)]


def _refusals(policy: ValidatingAdmissionPolicy, evaluation: Evaluation) -> Iterator[Refusal]:
    for index, validation in enumerate(policy.spec.validations):
        path = at("spec", "validations", index)
        try:
            if evaluation.value(at(path, "expression"), validation.expression) is True:
                continue
        except OutOfBudget:
            raise
        except Trouble as trouble:
            yield Refusal(str(trouble), error=True)
            continue
        try:
            yield Refusal(_message(validation, path, evaluation), validation.reason or "Invalid")
        except OutOfBudget as trouble:
            yield Refusal(f"failed messageExpression: {trouble}", error=True)


def _message(validation: Validation, path: str, evaluation: Evaluation) -> str:
    """What is said of a broken validation: what its expression gives, its message, or its text."""
    plain = validation.message.strip() or f"failed expression: {validation.expression.strip()}"
    if not validation.messageExpression.strip():
        return plain
    try:
        found = evaluation.value(at(path, "messageExpression"), validation.messageExpression)
    except OutOfBudget:
        raise
    except Trouble:
        return plain
    usable = isinstance(found, str) and "\n" not in found.strip() and len(found.strip().encode()) <= LONGEST_MESSAGE
    return (found.strip() if usable else "") or plain
