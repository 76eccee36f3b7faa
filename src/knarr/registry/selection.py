"""Which objects a list or a watch is about: a namespace, labels and fields."""

from dataclasses import dataclass

from knarr.kinds.kind import Kind
from knarr.meta.errors import BadRequest
from knarr.meta.fields import FieldSelector
from knarr.meta.fields import parse as parse_fields
from knarr.meta.labels import Selector
from knarr.meta.labels import parse as parse_labels
from knarr.registry.entry import Entry

Bucket = tuple[str, str]  #: a field and the one value of it that a selection wants

_META = ("metadata.name", "metadata.namespace")


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of one kind that a request asked for."""

    namespace: str
    labels: Selector
    fields: FieldSelector

    @property
    def plain(self) -> bool:
        """Whether it takes everything of its namespace."""
        return self.labels.empty and not self.fields

    @property
    def bucket(self) -> Bucket | None:
        """A field with the only value that can match, the most telling one; None when there is none."""
        wanted = {term.field: term.value for term in self.fields.terms if term.equal}
        if self.namespace:
            wanted.setdefault("metadata.namespace", self.namespace)
        for field in ("spec.nodeName", "metadata.name", "metadata.namespace"):
            if field in wanted:
                return field, wanted[field]
        return None

    @property
    def name(self) -> str:
        """The only name that can match; "" when others can."""
        return next((term.value for term in self.fields.terms if term.equal and term.field == "metadata.name"), "")

    def takes(self, entry: Entry) -> bool:
        if self.namespace and entry.namespace != self.namespace:
            return False
        if not self.labels.empty and not self.labels.matches(entry.labels):
            return False
        return not self.fields or self.fields.matches(entry.field)


def select(kind: Kind, namespace: str, labels: str = "", fields: str = "") -> Selection:
    """Read a request's selectors; raise BadRequest as upstream words it."""
    chosen = parse_fields(fields)
    for term in chosen.terms:
        if term.field in _META or term.field in kind.selectable:
            continue
        if kind.selectable or kind.custom is not None:
            raise BadRequest(f"field label not supported: {term.field}")
        raise BadRequest(
            f'"{term.field}" is not a known field selector: only ' + ", ".join(f'"{name}"' for name in _META)
        )
    return Selection(namespace, parse_labels(labels), chosen)
