"""Update: an object replaced by what the client sends; only one that exists."""

import msgspec

from knarr.kinds.kind import Kind, Tree
from knarr.registry import pipeline
from knarr.registry.core import Core, Options
from knarr.registry.entry import Entry
from knarr.registry.modify import modify


async def update(
    core: Core,
    kind: Kind,
    namespace: str,
    name: str,
    body: Tree,
    options: Options | None = None,
    *,
    subresource: str = "",
) -> Entry:
    """Replace an object, or with `subresource` "status" or "finalize" the part of it that this stands for."""
    options = options or Options()
    pipeline.read(kind, body, options)
    once = body["metadata"].get("resourceVersion", "").strip("0") != ""  # else each try uses up a tree of its own
    saved = b"" if once else msgspec.json.encode(body)

    def change(old: Entry, before: Tree) -> Tree:
        if subresource == "finalize":
            tree = old.tree()
            return tree | {"spec": tree.get("spec", {}) | {"finalizers": body.get("spec", {}).get("finalizers", [])}}
        wanted: Tree = body if once else msgspec.json.decode(saved)
        return wanted

    return await modify(core, kind, namespace, name, change, options, subresource=subresource)
