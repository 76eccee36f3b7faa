"""Delete a collection: every object of a selection, each as a delete of its own would."""

from dataclasses import replace

from knarr.kinds.kind import Kind
from knarr.meta.errors import NotFound
from knarr.registry.core import Core, Options
from knarr.registry.delete import DeleteOptions, delete
from knarr.registry.list import Page, list_


async def delete_collection(
    core: Core,
    kind: Kind,
    namespace: str,
    wish: DeleteOptions | None = None,
    options: Options | None = None,
    *,
    labels: str = "",
    fields: str = "",
    limit: int = 0,
) -> Page:
    """Delete what is selected, or the first `limit` of it; the answer lists it as it was."""
    page = await list_(core, kind, namespace, labels=labels, fields=fields, limit=limit)
    for entry in page.entries:
        try:
            await delete(core, kind, entry.namespace, entry.name, wish and replace(wish), options)
        except NotFound:  # somebody else was faster
            continue
    return page
