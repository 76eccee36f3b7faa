"""What the servers behind APIServices say of themselves: their resources and their OpenAPI documents.

`aggregation_availability.py` learns them whenever it finds such a server there; what a server said last stays until its
entry goes, marked stale while it does not answer. Discovery and OpenAPI put them beside this server's own.
"""

from dataclasses import dataclass, field
from typing import Any

from knarr.kinds.types.meta_v1 import APIResource, APIResourceList

Tree = dict[str, Any]
GroupVersion = tuple[str, str]


@dataclass
class Told:
    """Of one group version."""

    resources: list[APIResource] = field(default_factory=list)
    v2: Tree = field(default_factory=dict)  #: its part of the server's OpenAPI v2 document
    v2_tag: str = ""  #: by which the server knows that document
    v3: str = ""  #: the relative URL of its OpenAPI v3 document; "" when it has none


class Documents:
    """By group version; `version` counts changes of the OpenAPI v2 parts."""

    def __init__(self) -> None:
        self._told: dict[GroupVersion, Told] = {}
        self.version = 0

    def of(self, where: GroupVersion) -> Told:
        return self._told.get(where) or Told()

    def learn(self, where: GroupVersion, found: APIResourceList) -> None:
        self._told.setdefault(where, Told()).resources = list(found.resources)

    def learn_v2(self, where: GroupVersion, document: Tree, tag: str) -> None:
        """Keep what a v2 document says of a group version: its paths, and all definitions."""
        told, root = self._told.setdefault(where, Told()), "/apis/" + "/".join(where)
        paths = {path: item for path, item in tree_of(document, "paths").items() if is_under(path, root)}
        part = {"paths": paths, "definitions": tree_of(document, "definitions")}
        told.v2_tag = tag
        if part != told.v2:
            told.v2 = part
            self.version += 1

    def learn_v3(self, where: GroupVersion, index: Tree) -> None:
        place = "apis/" + "/".join(where)
        url = tree_of(tree_of(index, "paths"), place).get("serverRelativeURL")
        self._told.setdefault(where, Told()).v3 = url if isinstance(url, str) else ""

    def forget(self, where: GroupVersion) -> None:
        if (told := self._told.pop(where, None)) is not None and told.v2:
            self.version += 1

    def v2(self) -> list[Tree]:
        """The parts of all OpenAPI v2 documents."""
        return [told.v2 for _, told in sorted(self._told.items()) if told.v2]

    def v3(self) -> dict[str, Tree]:
        """The entries of the OpenAPI v3 index."""
        return {
            "apis/" + "/".join(where): {"serverRelativeURL": told.v3}
            for where, told in sorted(self._told.items())
            if told.v3
        }


def tree_of(document: Tree, key: str) -> Tree:
    """A part of what another server says; nothing where it says something else there."""
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def is_under(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def joined(document: Tree, parts: list[Tree]) -> Tree:
    """An OpenAPI v2 document with the parts of other servers; of what both have this server's own stays."""
    if not parts:
        return document
    out = dict(document)
    for key in ("paths", "definitions"):
        more = {name: item for part in parts for name, item in part[key].items()}
        out[key] = more | document.get(key, {})
    return out
