"""What an evaluation works on: variables, and a budget of steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from knarr.kinds.cel.types import Type


class OverLimit(Exception):
    """An evaluation costs more than it may."""


@dataclass(slots=True)
class Scope:
    """What an evaluation works on: the variables, and what is left of its budget."""

    names: dict[str, Any]
    left: int

    def spend(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            raise OverLimit


Run = Callable[[Scope], Any]
Typed = tuple[Type, Run]


def evaluated_with(env: Scope, variables: Sequence[str], values: Sequence[Any], body: Run) -> Any:
    """Evaluate with variables set, and set them back."""
    before = env.names
    env.names = {**before, **dict(zip(variables, values, strict=True))}
    try:
        return body(env)
    finally:
        env.names = before
