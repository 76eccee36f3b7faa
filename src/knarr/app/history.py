"""An object's revisions as text: diffs, YAML or JSON. Pure; `knarr history` prints it."""

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Item = dict[str, Any]  #: of the server's History: type, resourceVersion, object, and if known manager, user, time


def title(item: Item) -> str:
    """The line above a revision: which, when, who and what."""
    who = f"{item['manager']} ({item['user']})" if "manager" in item else "unknown"
    what = "deleted" if item["type"] == "delete" else "written"
    return f"resourceVersion {item['resourceVersion']}  {item.get('time', 'unknown time')}  {what} by {who}"


def diffs(items: Iterable[Item]) -> Iterator[str]:
    """The lines of all revisions, each as what it changed of the one before; the first one whole."""
    before: list[str] = []
    for number, item in enumerate(items):
        lines = [] if item["type"] == "delete" else as_yaml(shown(item["object"])).splitlines()
        yield title(item)
        if number:
            changes = list(difflib.unified_diff(before, lines, lineterm="", n=2))[2:]  # without the names of files
            yield from (f"  {line}" for line in changes) if changes else ["  (nothing but what every write changes)"]
        else:
            yield from (f"    {line}" for line in lines)
        yield ""
        before = lines


def shown(tree: dict[str, Any]) -> dict[str, Any]:
    """An object without what every write changes and who owns which field."""
    metadata = {
        key: value for key, value in tree["metadata"].items() if key not in ("managedFields", "resourceVersion")
    }
    return {**tree, "metadata": metadata}


def documents(items: Iterable[Item]) -> Iterator[str]:
    """The revisions as YAML documents, each under a comment that tells who wrote it."""
    for item in items:
        yield f"---\n# {title(item)}\n{as_yaml(item['object'])}"


def as_json(items: Sequence[Item]) -> str:
    return json.dumps(items, indent=2)


def as_yaml(tree: dict[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(tree, sort_keys=False, default_flow_style=False)
    return text
