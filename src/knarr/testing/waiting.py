"""What a test waits for: the three ways to say it, and what is told when it does not come."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from knarr.kinds import jsonpath

Tree = dict[str, Any]
TOLD = 20  #: events that are told, the last ones


class NotInTime(TimeoutError):
    """What was waited for did not come; the message says what there was instead, and why."""


@dataclass(frozen=True)
class Wanted:
    """A condition of one object, and its name."""

    text: str
    holds: Callable[[Tree], Any]


def wanted(condition: str, path: str, until: Callable[[Tree], Any] | None) -> Wanted:
    """Exactly one of: a condition as in "Ready" or "Ready=False", a path as in "{.status.phase}=Running", a function.

    None of them stands for being there. Raise ValueError for more than one, and for what is no path.
    """
    if sum(map(bool, (condition, path, until))) > 1:
        raise ValueError("wait for one of condition=, jsonpath= and until=, not for several")
    if condition:
        type_, _, status = condition.partition("=")
        status = status or "True"
        return Wanted(f"condition {type_}={status}", lambda tree: _has_condition(tree, type_, status))
    if path:
        return _at_path(path)
    if until is not None:
        said = (until.__doc__ or "").strip() or getattr(until, "__name__", "until=")
        return Wanted("as the test wants it" if said == "<lambda>" else said, until)
    return Wanted("there", lambda tree: True)


def _has_condition(tree: Tree, type_: str, status: str) -> bool:
    """As kubectl sees it: a condition about an older generation does not count."""
    state = tree.get("status") or {}
    generation = tree["metadata"].get("generation", 0)
    for found in state.get("conditions") or ():
        if found.get("type", "").lower() == type_.lower():
            observed = found.get("observedGeneration") or state.get("observedGeneration")
            return found.get("status", "").lower() == status.lower() and not (observed and observed < generation)
    return False


def _at_path(text: str) -> Wanted:
    end = text.rfind("}") + 1 or text.rfind("]") + 1
    path, equals, value = text[end:].partition("=")
    path = text[:end] + path
    jsonpath.parse(path)  # raises Malformed, a ValueError
    if not equals:
        return Wanted(f"with {path}", lambda tree: bool(jsonpath.find(tree, path)))
    return Wanted(f"with {path}={value}", lambda tree: [_text(found) for found in jsonpath.find(tree, path)] == [value])


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown(tree: Tree) -> str:
    """An object as YAML, without what only managers of fields care for."""
    import yaml

    metadata = {key: value for key, value in tree["metadata"].items() if key != "managedFields"}
    return yaml.safe_dump({**tree, "metadata": metadata}, sort_keys=False, allow_unicode=True)


def told(events: list[Tree]) -> list[str]:
    """The last events as lines, the oldest first."""
    lines = []
    for event in sorted(events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")[-TOLD:]:
        about = event["involvedObject"]
        times = f" (x{event['count']})" if event.get("count", 1) > 1 else ""
        name = f"{about.get('kind', '').lower()}/{about.get('name', '')}"
        lines.append(f"{event.get('type')} {event.get('reason')} {name}: {event.get('message')}{times}")
    return lines


def complaint(
    what: str, want: Wanted, timeout: float, objects: list[Tree], waits: list[str], events: list[Tree]
) -> str:
    """Why a wait was in vain."""
    parts = [f"{what} is not {want.text} after {timeout:g} s"]
    failing = [tree for tree in objects if not want.holds(tree)] or objects
    parts += [shown(tree).rstrip() for tree in failing[:3]] or [f"{what}: there is none"]
    if len(failing) > 3:
        parts.append(f"and {len(failing) - 3} more")
    if waits:
        parts.append("\n".join(["what controllers wait for:", *(f"  {line}" for line in waits)]))
    if events:
        parts.append("\n".join(["events:", *(f"  {line}" for line in told(events))]))
    return "\n\n".join(parts)
