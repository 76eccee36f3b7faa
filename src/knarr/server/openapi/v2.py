"""OpenAPI v2 (Swagger): one document of everything, which older clients validate and patch with."""

import knarr
from knarr.kinds.kind import Kind
from knarr.server.openapi import operations
from knarr.server.openapi.definitions import REQUEST_OPTIONS, Tree, Writer, kind_name, list_name, name_of


def document(kinds: list[Kind]) -> Tree:
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": knarr.KUBERNETES_VERSION},
        "paths": operations.paths(kinds, _finish, _place),
        "definitions": Writer(v3=False).definitions(kinds),
    }


def _place(name: str) -> Tree:
    return {"name": name, "in": "path", "required": True, "type": "string", "uniqueItems": True}


def _body(schema: Tree, required: bool = True) -> Tree:
    return {"name": "body", "in": "body", "required": required, "schema": schema}


def _finish(verb: str, kind: Kind) -> Tree:
    own = {"$ref": "#/definitions/" + kind_name(kind)}
    answer = own
    if verb == "list":
        answer = {"$ref": "#/definitions/" + list_name(kind)}
    elif verb in ("delete", "deletecollection"):
        answer = {"$ref": "#/definitions/" + name_of("meta_v1.Status")}
    parameters = [
        {"name": name, "in": "query", "type": type_, "uniqueItems": True} for name, type_ in operations.PARAMETERS[verb]
    ]
    if verb in ("create", "update"):
        parameters.insert(0, _body(own))
    elif verb == "patch":
        parameters.insert(0, _body({"type": "object"}))
    elif verb in ("delete", "deletecollection"):
        parameters.insert(0, _body({"$ref": "#/definitions/" + name_of(REQUEST_OPTIONS)}, required=False))
    code, text = ("201", "Created") if verb == "create" else ("200", "OK")
    return {
        "consumes": list(operations.patches(kind)) if verb == "patch" else ["*/*"],
        "produces": list(operations.PRODUCES),
        "schemes": ["https"],
        "parameters": parameters,
        "responses": {code: {"description": text, "schema": answer}, "401": {"description": "Unauthorized"}},
    }
