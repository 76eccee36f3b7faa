"""Changes of objects that have a manager, told to those whom they concern: who it is, is asked once a change, not by
each controller. Called by `runner`.
"""

from typing import Any

from knarr.client.informer import Informer, Listener
from knarr.loop.claims import controller_of


class Managed:
    """Tells of each change in a collection the listeners for the kind that manages the object; all of them of an object
    that nobody manages, which each could adopt, and of one that changes hands.
    """

    def __init__(self, informer: Informer[Any]) -> None:
        self._informer = informer
        self._listeners: dict[str, list[Listener[Any]]] = {}
        informer.on_change(self._tell)

    def on_change(self, kind: str, listener: Listener[Any]) -> None:
        """Tell `listener(old, new)` of the objects that may be the `kind`'s; first, as new, what is there already."""
        self._listeners.setdefault(kind, []).append(listener)
        for obj in self._informer.cache.list():
            if (manager := controller_of(obj)) is None or manager.kind == kind:
                self._informer.tell([listener], None, obj)

    def _tell(self, old: Any, new: Any) -> None:
        obj = old if new is None else new
        manager = controller_of(obj)
        if manager is not None and (old is None or old.metadata.ownerReferences == obj.metadata.ownerReferences):
            self._informer.tell(self._listeners.get(manager.kind, ()), old, new)
        else:
            for listeners in self._listeners.values():
                self._informer.tell(listeners, old, new)
