"""Patch: an object changed by a JSON patch, a merge patch or a strategic merge patch."""

from typing import Any, Literal

import msgspec

from knarr.kinds.kind import Kind, Tree
from knarr.kinds.patch_schema import patch_schema
from knarr.kinds.schema import STRICT, Undecodable, type_name
from knarr.meta.errors import UnsupportedMediaType
from knarr.meta.field import invalid, wrong
from knarr.meta.patch import json_patch, merge_patch, shown, strategic_merge
from knarr.registry import pipeline, views
from knarr.registry.core import Core, Options
from knarr.registry.entry import Entry
from knarr.registry.modify import TRIES, modify

Form = Literal["json", "merge", "strategic"]
NO_STRATEGY = (
    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
    "application/merge-patch+json, application/apply-patch+yaml"
)


async def patch(
    core: Core,
    kind: Kind,
    namespace: str,
    name: str,
    form: Form,
    body: Any,
    options: Options | None = None,
    *,
    subresource: str = "",
) -> Entry:
    """Patch an object, or with `subresource` "status" that part of it. Of a view, the stored object comes back."""
    options = options or Options()
    target = views.stored(kind)
    saved = msgspec.json.encode(body)  # each try uses up a patch of its own

    def change(old: Entry, before: Tree) -> Tree:
        tree = old.tree()
        based = tree["metadata"]["resourceVersion"]
        new = patched(kind, views.shown(kind, tree), form, msgspec.json.decode(saved))
        try:
            new = views.inward(kind, new, options)
            pipeline.read_changed(target, new, tree if kind.view is None else {}, options)
        except Undecodable as error:
            if not error.detail.startswith(STRICT):
                raise
            text = shown(body) if form == "strategic" else saved.decode()
            raise invalid("", "", "", [wrong("patch", text, error.detail)]) from None
        if new["metadata"].get("resourceVersion") == based:
            del new["metadata"]["resourceVersion"]  # the patch did not ask for another one
        return new

    return await modify(core, target, namespace, name, change, options, subresource=subresource, tries=TRIES)


def patched(kind: Kind, old: Tree, form: Form, body: Any) -> Tree:
    """The patched tree; what the patch's form does not bear is the patch functions' to refuse."""
    match form:
        case "json":
            return json_patch(old, body)
        case "merge":
            found: Tree = merge_patch(old, body)
            return found
        case "strategic" if kind.custom is not None:
            raise UnsupportedMediaType(NO_STRATEGY)
        case "strategic":
            return strategic_merge(old, body, patch_schema(type_name(kind.type)))
