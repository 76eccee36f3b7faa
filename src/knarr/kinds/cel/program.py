"""CEL expressions as programs: compiled and checked once, evaluated as often as wanted, each time under a limit.

Compiling gives each expression its type and a closure. What an evaluation may cost is counted in steps, and in the
sizes of what is searched, so no expression holds up the server.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from knarr.kinds.cel.compiler import Compiler
from knarr.kinds.cel.scope import OverLimit, Run, Scope
from knarr.kinds.cel.syntax import parse
from knarr.kinds.cel.tree import Malformed
from knarr.kinds.cel.types import Type
from knarr.kinds.cel.values import Failed

LIMIT = 300_000  #: steps of one evaluation, under a second


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression: the type of its values, and the variables that it uses."""

    source: str
    type: Type
    run: Run
    uses: frozenset[str]

    def evaluate(self, variables: Mapping[str, Any], limit: int = LIMIT) -> tuple[Any, int]:
        """The value and what it cost; raises Failed, and OverLimit when it would cost more than `limit`."""
        scope = Scope(dict(variables), limit)
        try:
            return self.run(scope), limit - scope.left
        except RecursionError:
            raise OverLimit from None
        except (TypeError, AttributeError, OverflowError) as error:
            raise Failed(f"no such overload: {error}") from None


def compiled(source: str, variables: Mapping[str, Type]) -> Program:
    """Compile an expression over variables of these types; raises Malformed."""
    compiler = Compiler()
    try:
        type_, run = compiler.visit(parse(source), dict(variables))
    except RecursionError:
        raise Malformed(0, "expression recursion limit exceeded") from None
    return Program(source, type_, run, frozenset(compiler.used))
