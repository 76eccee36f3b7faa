"""Get: the bytes of one object, from the cache."""

from knarr.kinds.kind import Kind
from knarr.registry.core import Core
from knarr.registry.entry import Entry


async def get(core: Core, kind: Kind, namespace: str, name: str) -> Entry:
    """The current entry; raises NotFound."""
    return core.find(kind, namespace, name)
