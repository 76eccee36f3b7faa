"""What a custom resource's schema makes of an object: unknown fields pruned, defaults filled in, its merging shape.

Schemas are structural (`structural` sees to that) and walked as plain JSON. Called by `custom`, whose kinds bring an
object into this form on every write and every read from the store, as built-in kinds do by their types.
"""

import copy
from collections.abc import Iterator
from typing import Any

from knarr.kinds.kind import Tree
from knarr.kinds.schema import walker

Schema = dict[str, Any]
PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
INT_OR_STRING = "x-kubernetes-int-or-string"
TYPE_META = ("apiVersion", "kind")
METADATA = "meta_v1.ObjectMeta"


def prune(value: Any, schema: Schema, *, resource: bool = False) -> Iterator[str]:
    """Take out what the schema does not know; give the paths. A `resource` has apiVersion, kind and metadata beside."""
    resource = resource or bool(schema.get(EMBEDDED))
    if isinstance(value, dict):
        yield from _prune_fields(value, schema, resource)
    elif isinstance(value, list) and isinstance(items := schema.get("items"), dict):
        for index, item in enumerate(value):
            for path in prune(item, items):
                yield f"[{index}]" + (path if path.startswith("[") else f".{path}")


def _prune_fields(value: Tree, schema: Schema, resource: bool) -> Iterator[str]:
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    keep = bool(schema.get(PRESERVE)) or others is True
    for key in list(value):
        if resource and key in TYPE_META:
            continue
        if resource and key == "metadata":
            found: Iterator[str] = iter(_metadata(value[key]))
        elif key in properties:
            found = prune(value[key], properties[key])
        elif isinstance(others, dict):
            found = prune(value[key], others)
        elif keep:
            continue
        else:
            del value[key]
            yield key
            continue
        for path in found:
            yield key + (path if path.startswith("[") else f".{path}")


def _metadata(metadata: Any) -> list[str]:
    """The metadata of an embedded or a whole resource is of the API's own type."""
    return (walker(METADATA)(metadata) or []) if isinstance(metadata, dict) else []


def default(value: Any, schema: Schema) -> None:
    """Fill in defaults. A null where none may be counts as left out."""
    if isinstance(value, dict):
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, inner in properties.items():
            if value.get(key) is None and not (key in value and inner.get("nullable")):
                if "default" in inner and inner["default"] is not None:
                    value[key] = copy.deepcopy(inner["default"])
                else:
                    value.pop(key, None)
        for key in list(value):
            inner = properties.get(key, others)
            if not isinstance(inner, dict):
                continue
            if value[key] is None and key not in properties and not inner.get("nullable"):
                if inner.get("default") is None:
                    del value[key]
                    continue
                value[key] = copy.deepcopy(inner["default"])
            default(value[key], inner)
    elif isinstance(value, list) and isinstance(items := schema.get("items"), dict):
        for index, item in enumerate(value):
            if item is None and items.get("default") is not None and not items.get("nullable"):
                value[index] = copy.deepcopy(items["default"])
            default(value[index], items)
