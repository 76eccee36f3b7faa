"""Reads the server makes for itself, decoded: what authorization and admission look up. Never a write."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

from knarr.kinds.types.base import Type
from knarr.meta import clock
from knarr.registry.core import Core
from knarr.registry.resource import Resource

T = TypeVar("T", bound=Type)
LEEWAY = timedelta(minutes=1)  #: how long after its end a token may still stand for what is held by finalizers


class RegistryState:
    """The cluster's objects as Structs, straight from the registry's cache."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def get(self, type_: type[T], namespace: str, name: str) -> T | None:
        resource = self._resource(type_)
        entry = resource.get(namespace, name) if resource else None
        if entry is None:
            return None
        found: T = entry.object()
        return found

    async def list(self, type_: type[T], namespace: str = "") -> Sequence[T]:
        resource = self._resource(type_)
        return [entry.object() for entry in resource.span(namespace)] if resource else []

    async def exists(self, resource: str, namespace: str, name: str, uid: str) -> bool:
        """Whether a core object is there, with that uid, and its time to go has not passed by more than `LEEWAY`."""
        kind = self._core.kinds.by_resource("", "v1", resource)
        entry = self._core.resource(kind).get(namespace, name) if kind else None
        if entry is None or entry.uid != uid:
            return False
        end = entry.object().metadata.deletionTimestamp
        return not end or clock.parse(end) >= clock.now() - LEEWAY

    def _resource(self, type_: type[Type]) -> Resource | None:
        """The cache of a type; None when it is not served."""
        try:
            return self._core.resource(self._core.kinds.by_type(type_))
        except KeyError:
            return None
