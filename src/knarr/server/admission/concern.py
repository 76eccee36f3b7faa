"""Which of many webhooks or policies mean a sort of request: worked out once, until one of them is written."""

from collections.abc import Callable, Sequence
from operator import is_
from typing import Any, Generic, TypeVar

from knarr.kinds.kind import Kind
from knarr.server.admission import Admission

T = TypeVar("T")
Sort = tuple[str, str, str, str, str]  #: of a request: group, version, resource, subresource and verb
Versions = Callable[[Kind], Sequence[Kind]]


class Concern(Generic[T]):
    """The answers of `decide` by sort of request. Lists are the same for as long as they are the same objects: those of
    `State.list` are, until something in them is written. `versions` are the same while they are of the same kinds."""

    def __init__(self, decide: Callable[[Admission, Sequence[Kind], Sequence[Any]], T], versions: Versions) -> None:
        self._decide, self._versions = decide, versions
        self._lists: Sequence[Sequence[Any]] = ()
        self._known: dict[Sort, tuple[Sequence[Kind], T]] = {}

    def of(self, admission: Admission, *lists: Sequence[Any]) -> T:
        if len(lists) != len(self._lists) or any(a is not b for a, b in zip(lists, self._lists, strict=True)):
            self._lists, self._known = lists, {}
        asked, forms = admission.requested or admission.kind, self._versions(admission.kind)
        sort = (asked.group, asked.version, asked.plural, admission.subresource, admission.verb)
        known = self._known.get(sort)
        if known is None or (known[0] is not forms and not _same(known[0], forms)):
            known = self._known[sort] = (forms, self._decide(admission, forms, lists))
        return known[1]


def _same(old: Sequence[Kind], new: Sequence[Kind]) -> bool:
    return len(old) == len(new) and all(map(is_, old, new))
