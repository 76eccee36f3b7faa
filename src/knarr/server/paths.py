"""What a request's method and path ask for: the verb, the resource, the name. Pure; mirrors upstream's RequestInfo."""

from collections.abc import Sequence
from urllib.parse import unquote

import msgspec

from knarr.meta.errors import BadRequest
from knarr.meta.fields import parse

VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
MANY = ("get", "watch", "delete")  #: verbs that without a name are about all objects, or those that are selected
NAMESPACE_SUBRESOURCES = ("status", "finalize")


class Target(msgspec.Struct, frozen=True):
    """What a request is about. Without a `resource` it is about the path itself."""

    path: str
    verb: str  #: of a resource: get, list, watch, create ...; else the method in lower case
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""  #: what follows the subresource, beginning with "/": only proxies have it
    only: str = ""  #: the one name that a list or a watch selects by `metadata.name=`: it counts for permission
    fields: str = ""  #: the field selector of a list or a watch, as it came
    labels: str = ""  #: its label selector

    def fits(self, namespaced: bool) -> bool:
        """Whether a resource may be asked for at this path. What is in no namespace must not be reached through one:
        permission was asked for in that namespace alone."""
        return namespaced or not self.namespace or (self.resource, self.name) == ("namespaces", self.namespace)

    @property
    def qualified(self) -> str:
        """The resource as errors name it: "statefulsets.apps"."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


def target(method: str, path: str, query: Sequence[tuple[str, str]]) -> Target:
    """Read a request line; `path` may be percent-encoded."""
    parts = path.strip("/").split("/")
    if "%" in path:
        parts = [unquote(part) for part in parts]
    root = parts[0]
    if root == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif root == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Target(path, method.lower())
    verb = VERBS.get(method, "")
    if rest[0] == "watch" and len(rest) > 1:
        verb, rest = "watch", rest[1:]
    return _resource(path, verb, group, version, rest, query)


def _resource(
    path: str, verb: str, group: str, version: str, rest: list[str], query: Sequence[tuple[str, str]]
) -> Target:
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    count = len(rest)
    resource, name, subresource = rest[0], rest[1] if count > 1 else "", rest[2] if count > 2 else ""
    if resource == "namespaces" and name:
        namespace = name
    deeper = "/" + "/".join(rest[3:]) if count > 3 else ""
    if name or verb not in MANY:
        return Target(path, verb, group, version, namespace, resource, name, subresource, deeper)
    verb = _of_many(verb, query)
    fields, labels = _parameter(query, "fieldSelector"), _parameter(query, "labelSelector")
    only = _selected(fields) if verb in ("list", "watch") else ""
    return Target(path, verb, group, version, namespace, resource, name, subresource, deeper, only, fields, labels)


def _selected(selector: str) -> str:
    """The name that the field selector of a list or a watch wants; "" when it takes any, or none that can be."""
    if "metadata.name" not in selector:
        return ""
    try:
        found = parse(selector).required("metadata.name") or ""
    except BadRequest:
        return ""  # the list itself says what is wrong with it
    return "" if found in (".", "..") or "/" in found or "%" in found else found


def _parameter(query: Sequence[tuple[str, str]], key: str) -> str:
    """A selector; the first counts, as it does for what is selected."""
    return next((value for found, value in query if found == key), "")


def _of_many(verb: str, query: Sequence[tuple[str, str]]) -> str:
    """What a verb is called that is about many objects."""
    if verb == "get":
        return "watch" if any(key == "watch" and truth(value) for key, value in query) else "list"
    return "deletecollection" if verb == "delete" else verb


def truth(text: str) -> bool:
    """A query parameter's boolean as upstream reads it: everything but "false" and "0" is true."""
    return text.lower() not in ("false", "0")
