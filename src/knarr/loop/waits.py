"""What each controller waits for: the Wait steps of the last pass over each key. So nobody guesses why it stands still.

`runner` opens a pass and closes it, `executor` adds to it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from knarr.loop.steps import Wait

_current: ContextVar[list[Wait] | None] = ContextVar("waits", default=None)


class Waits:
    """The waits by controller and key (namespace and name)."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[str, str]], list[Wait]] = {}

    @contextmanager
    def of_pass(self, controller: str, key: tuple[str, str]) -> Iterator[None]:
        """Collect what this pass waits for, in place of what the last one did."""
        collected: list[Wait] = []
        token = _current.set(collected)
        try:
            yield
        finally:
            _current.reset(token)
            if collected:
                self._known[controller, key] = collected
            else:
                self._known.pop((controller, key), None)

    def lines(self, namespace: str = "", name: str = "") -> list[str]:
        """As text: all, those of a namespace, or those that are of or about one name."""
        return [
            f"{controller} {key[1]}: {wait}"
            for (controller, key), waits in self._known.items()
            for wait in waits
            if namespace in ("", key[0]) and (not name or key[1] == name or f" {name}" in str(wait))
        ]


def add(wait: Wait) -> None:
    """Note a wait of the pass that runs, if one does."""
    if (collected := _current.get()) is not None:
        collected.append(wait)
