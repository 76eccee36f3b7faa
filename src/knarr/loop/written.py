"""What a controller wrote last, so that it never decides by a cache that does not show it yet.

For controllers that count in a status: what a pass has counted must not be counted again by the next one. The newer
object wakes its key when the cache gets it.
"""

from typing import Any

Key = tuple[str, str]  #: namespace and name


class Written:
    """The uid and the version of each key's object as this controller wrote it."""

    def __init__(self) -> None:
        self._versions: dict[Key, tuple[str, int]] = {}

    def note(self, key: Key, obj: Any) -> None:
        """Remember an object as the server gave it back. Versions that are no numbers cannot be told apart."""
        meta = obj.metadata
        if meta.resourceVersion.isdecimal():
            self._versions[key] = (meta.uid, int(meta.resourceVersion))

    def is_newer(self, key: Key, obj: Any) -> bool:
        """Whether what was written is newer than the object."""
        uid, version = self._versions.get(key, ("", 0))
        meta = obj.metadata
        return uid == meta.uid and meta.resourceVersion.isdecimal() and version > int(meta.resourceVersion)

    def forget(self, key: Key) -> None:
        self._versions.pop(key, None)
