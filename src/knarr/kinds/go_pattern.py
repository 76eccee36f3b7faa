"""Patterns of custom resources' schemas and of CEL, in Go's syntax, by the library that syntax is of.

RE2 takes time in proportion to the text, whatever the pattern: one that would backtrack for ever holds nobody up.
"""

from functools import lru_cache
from typing import Any

KEPT = 1024  #: compiled patterns


class BadPattern(ValueError):
    """Not a regular expression, and why."""


@lru_cache(maxsize=KEPT)
def go_pattern(pattern: str) -> Any:
    """The pattern compiled: it has `search` and `finditer` as those of `re`. Raises BadPattern."""
    import re2  # only who has patterns pays for it

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else error
        raise BadPattern(said.decode(errors="replace") if isinstance(said, bytes) else str(said)) from None
