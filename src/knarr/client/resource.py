"""Where objects of a type are found: the paths of the API, from a kind's table or from discovery."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Generic, Protocol, TypeVar
from urllib.parse import quote

from msgspec import field as struct_field

from knarr.kinds.kind import Kind
from knarr.kinds.types.base import Type
from knarr.kinds.types.meta_v1 import ObjectMeta

T = TypeVar("T", bound=Type)

METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_LIST_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class Partial(Type, frozen=True, kw_only=True):
    """An object of any kind of which only the metadata is wanted."""

    apiVersion: str = ""
    kind: str = ""
    metadata: ObjectMeta = struct_field(default_factory=ObjectMeta)


class Kinds(Protocol):
    """What knows the kind of a type: `knarr.kinds.table.KindTable`."""

    def by_type(self, type_: type[Type], /) -> Kind: ...


@dataclass(frozen=True)
class Resource(Generic[T]):
    """One resource of an API server, and the type its objects are read as."""

    type: type[T]
    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    verbs: tuple[str, ...] = field(default=(), compare=False)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As messages name it: "pods", "statefulsets.apps"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of an object, of a namespace's collection, or of all objects."""
        parts = [f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"]
        if namespace and self.namespaced:
            parts += ["namespaces", quoted(namespace)]
        parts.append(self.plural)
        if name:
            parts.append(quoted(name))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


@lru_cache(maxsize=1024)
def quoted(name: str) -> str:
    """A name as a part of a path."""
    return quote(name, safe="")


def of_kind(kind: Kind, type_: type[T]) -> Resource[T]:
    return Resource(type_, kind.group, kind.version, kind.plural, kind.kind, kind.namespaced, tuple(kind.verbs))
