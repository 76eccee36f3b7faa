"""Objects as changes to a valid one: {"spec.ports.0.port": 0}. A value of `...` takes the field away."""

import copy
from collections.abc import Mapping
from typing import Any

from knarr.kinds.kind import Tree


def changed(tree: Tree, changes: Mapping[str, Any]) -> Tree:
    tree = copy.deepcopy(tree)
    for path, value in changes.items():
        *way, last = (int(key) if key.isdigit() else key for key in path.split("."))
        here: Any = tree
        for key in way:
            here = here[key] if isinstance(here, list) else here.setdefault(key, {})
        if value is ...:
            del here[last]
        else:
            here[last] = copy.deepcopy(value)
    return tree
