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
    saved = msgspec.json.encode(body)  # each try uses up a tree of its own

    async def change(old: Tree) -> Tree:
        if subresource == "finalize":
            return old | {"spec": old.get("spec", {}) | {"finalizers": body.get("spec", {}).get("finalizers", [])}}
        wanted: Tree = msgspec.json.decode(saved)
        return wanted

    return await modify(core, kind, namespace, name, change, options, subresource=subresource)
