"""OpenAPI v3: an index with a hash for each group version, and one document for each."""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

import knarr
from knarr.kinds.kind import Kind
from knarr.server.openapi import operations
from knarr.server.openapi.definitions import REQUEST_OPTIONS, Tree, Writer, kind_name, list_name, name_of


def place(group: str, version: str) -> str:
    """The path of a group version below /openapi/v3."""
    return f"apis/{group}/{version}" if group else f"api/{version}"


def hash_of(kinds: Iterable[Kind]) -> str:
    """Changes when the document of these kinds does; costs next to nothing."""
    text = "\n".join([knarr.__version__, *map(_mark, kinds)])
    return hashlib.sha256(text.encode()).hexdigest().upper()


def _mark(kind: Kind) -> str:
    schema = kind.custom.mark if kind.custom is not None else ""
    return f"{kind.kind} {kind.plural} {kind.verbs} {sorted(kind.subresources)} {kind.namespaced} {schema}"


def index(groups: dict[tuple[str, str], list[Kind]]) -> Tree:
    paths = {}
    for (group, version), kinds in groups.items():
        where = place(group, version)
        paths[where] = {"serverRelativeURL": f"/openapi/v3/{where}?hash={hash_of(kinds)}"}
    return {"paths": paths}


def document(kinds: list[Kind]) -> bytes:
    """The document of one group version, encoded."""
    return msgspec.json.encode(
        {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": knarr.KUBERNETES_VERSION},
            "paths": operations.paths(kinds, _finish, _place),
            "components": {"schemas": Writer(v3=True).definitions(kinds)},
        }
    )


def _place(name: str) -> Tree:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "uniqueItems": True}}


def _finish(verb: str, kind: Kind) -> Tree:
    own = {"$ref": "#/components/schemas/" + kind_name(kind)}
    answer: Any = own
    if verb == "list":
        answer = {"$ref": "#/components/schemas/" + list_name(kind)}
    elif verb in ("delete", "deletecollection"):
        answer = {"$ref": "#/components/schemas/" + name_of("meta_v1.Status")}
    out: Tree = {
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": type_, "uniqueItems": True}}
            for name, type_ in operations.PARAMETERS[verb]
        ],
        "responses": {
            "201" if verb == "create" else "200": {
                "description": "Created" if verb == "create" else "OK",
                "content": {media: {"schema": answer} for media in operations.PRODUCES},
            },
            "401": {"description": "Unauthorized"},
        },
    }
    if verb in ("create", "update"):
        out["requestBody"] = {"content": {"*/*": {"schema": own}}, "required": True}
    elif verb == "patch":
        patch = {"schema": {"type": "object"}}
        out["requestBody"] = {"content": dict.fromkeys(operations.patches(kind), patch), "required": True}
    elif verb in ("delete", "deletecollection"):
        options = {"$ref": "#/components/schemas/" + name_of(REQUEST_OPTIONS)}
        out["requestBody"] = {"content": {"*/*": {"schema": options}}}
    return out
