"""The fields of new objects, remembered: clients create many objects that differ in their values alone.

What a first write owns depends on which fields there are, on which of them are zero, and on the keys of list items.
That is the outline of a tree; equal outlines have equal fields. `managed` is the caller.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from knarr.kinds.kind import Tree

KEPT = 512  #: outlines
LONGEST = 400  #: parts of an outline that is remembered; of a larger object the fields are worked out anew
_OPEN, _CLOSE, _LIST, _SET = object(), object(), object(), object()  # no value of a tree is one of these


class FirstFields:
    """The fieldsV1 of the outlines that came last."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Tree] = OrderedDict()

    def get(self, about: Hashable, tree: Tree, make: Callable[[], Tree]) -> Tree:
        """The fields of a new tree, `make`'s answer when its outline is not known; nobody may change them."""
        outline: list[Any] = [about]
        _walk(tree, outline, False)
        if len(outline) > LONGEST:
            return make()
        key = tuple(outline)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = make()
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return found


def _walk(value: Any, outline: list[Any], item: bool) -> None:
    """Add a value's outline; `item`: it is one of a list's, whose own values may be its key."""
    if len(outline) > LONGEST:
        return
    if type(value) is dict:
        outline.append(_OPEN)
        for key, child in value.items():
            outline.append(key)
            if type(child) is dict or type(child) is list:
                _walk(child, outline, False)
            else:
                outline.append(child if item or not child else _SET)
        outline.append(_CLOSE)
    elif type(value) is list:
        outline.append(_LIST)
        for child in value:
            _walk(child, outline, True)
        outline.append(_CLOSE)
    else:
        outline.append(value)
