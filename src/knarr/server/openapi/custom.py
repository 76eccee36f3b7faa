"""The schemas of custom resources as OpenAPI writes them: v3 nearly as given, v2 what kubectl bears of that.

Old clients read a v2 schema as closed and know neither nullable nor choices; what they would wrongly refuse is left
out of theirs.
"""

from typing import Any

from knarr.kinds.kind import Kind

Tree = dict[str, Any]
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
VALUE_RULES = ("anyOf", "oneOf", "allOf", "not", "nullable")
FREE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"


def name_of(kind: Kind) -> str:
    """The group turned round, the version and the kind: "com.example.v1.Foo"."""
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])


def definition(kind: Kind, prefix: str, *, v3: bool) -> Tree:
    """One version's schema with the metadata that every object has."""
    gvk = [{"group": kind.group, "kind": kind.kind, "version": kind.version}]
    schema = kind.custom.schema
    if not schema or (not v3 and schema.get(FREE)):
        return {"type": "object", "x-kubernetes-group-version-kind": gvk}
    out = shown(schema, prefix) if v3 else plain(schema, prefix)
    out["properties"] = dict(sorted((resource(prefix, v3=v3) | _own(out)).items()))
    out["properties"]["metadata"] = _reference(prefix, "ObjectMeta", "Standard object's metadata.", v3=v3)
    return out | {"x-kubernetes-group-version-kind": gvk}


def _own(out: Tree) -> Tree:
    return {key: value for key, value in out.get("properties", {}).items() if key not in ("apiVersion", "kind")}


def resource(prefix: str, *, v3: bool) -> Tree:
    """What every resource has beside its own fields."""
    return {
        "apiVersion": {"type": "string", "description": "The version of the schema that this object follows."},
        "kind": {"type": "string", "description": "The resource that this object stands for."},
        "metadata": _reference(prefix, "ObjectMeta", "Standard object's metadata.", v3=v3),
    }


def _reference(prefix: str, name: str, text: str, *, v3: bool) -> Tree:
    reference = {"$ref": prefix + META + name}
    return {"allOf": [reference], "description": text} if v3 else reference | {"description": text}


def shown(schema: Tree, prefix: str) -> Tree:
    """A schema for OpenAPI v3."""
    out = _inside(schema, lambda inner: shown(inner, prefix))
    if schema.get(INT_OR_STRING) and "anyOf" not in out and "allOf" not in out:
        out["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return _embedded(out, prefix, v3=True)


def plain(schema: Tree, prefix: str) -> Tree:
    """A schema for OpenAPI v2."""
    if schema.get("nullable"):  # v2 has no word for it, so the type is left open
        schema = {k: v for k, v in schema.items() if k not in ("type", "items", "properties", "additionalProperties")}
    if schema.get(FREE):
        schema = {key: value for key, value in schema.items() if key not in ("type", "items", "properties")}
    schema = {key: value for key, value in schema.items() if key not in VALUE_RULES}
    if schema.get(INT_OR_STRING):
        schema.pop("type", None)
    return _embedded(_inside(schema, lambda inner: plain(inner, prefix)), prefix, v3=False)


def _embedded(out: Tree, prefix: str, *, v3: bool) -> Tree:
    if out.get("x-kubernetes-embedded-resource") and out.get("type") == "object":
        out["properties"] = {**resource(prefix, v3=v3), **out.get("properties", {})}
    return out


def _inside(schema: Tree, convert: Any) -> Tree:
    """A copy of a schema whose inner schemas are converted."""
    out = dict(schema)
    if "properties" in out:
        out["properties"] = {name: convert(inner) for name, inner in out["properties"].items()}
    for key in ("items", "additionalProperties", "not"):
        if isinstance(out.get(key), dict):
            out[key] = convert(out[key])
        elif key in out:
            del out[key]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in out:
            out[key] = [convert(inner) for inner in out[key]]
    return out
