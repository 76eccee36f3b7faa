"""Conversion webhooks, from where nobody can wait: what they have answered, and what they are still to be asked.

A view that lacks an answer raises Unconverted. Whoever can wait asks the webhook, and does the work again with the
answer at hand (`knarr.server.conversions`). Of metadata, an answer may change labels and annotations only.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec

from knarr.kinds.kind import Kind, Tree
from knarr.meta.errors import ServiceUnavailable

Key = tuple[bytes, str]
Answers = dict[Key, Tree]
_ANSWERS: ContextVar[Answers | None] = ContextVar("answers", default=None)  #: for the request at work
CHANGING = ("labels", "annotations")


class Unconverted(ServiceUnavailable):
    """An object is wanted in a version that only its webhook can give."""

    def __init__(self, conversion: Mapping[str, Any], tree: Tree, version: str) -> None:
        super().__init__(f"{failure(tree)}: nobody has asked it")
        self.conversion, self.tree, self.version = conversion, tree, version


def failure(tree: Tree) -> str:
    """How messages begin about an object that could not be converted."""
    return f"conversion webhook for {tree.get('apiVersion', '')}, Kind={tree.get('kind', '')} failed"


def by_webhook(kind: Kind) -> bool:
    """Whether objects of a kind are got from others by a webhook."""
    return kind.view is not None and kind.custom is not None and kind.custom.conversion.get("strategy") == "Webhook"


def key(tree: Tree, version: str) -> Key:
    """What an answer depends on. A name that was made up may be another one the next time."""
    metadata = tree.get("metadata") or {}
    kept = [metadata.get(each) for each in CHANGING]
    name = None if "generateName" in metadata else [metadata.get("namespace"), metadata.get("name")]
    rest = {each: value for each, value in tree.items() if each != "metadata"}
    return msgspec.json.encode([rest, kept, name], order="deterministic"), version


def converted(conversion: Mapping[str, Any], tree: Tree, version: str) -> Tree:
    """An object as its webhook gave it in another version; raises Unconverted."""
    answers = _ANSWERS.get()
    found = answers.get(key(tree, version)) if answers is not None else None
    if found is None:
        raise Unconverted(conversion, copy.deepcopy(tree), version)
    given = found.get("metadata") or {}
    metadata = {each: value for each, value in (tree.get("metadata") or {}).items() if each not in CHANGING}
    metadata |= {each: dict(given[each]) for each in CHANGING if given.get(each)}
    new: Tree = copy.deepcopy({each: value for each, value in found.items() if each != "metadata"})
    return new | {"metadata": metadata}


@contextmanager
def answering(answers: Answers) -> Iterator[None]:
    """Have these answers at hand."""
    token = _ANSWERS.set((_ANSWERS.get() or {}) | answers)
    try:
        yield
    finally:
        _ANSWERS.reset(token)
