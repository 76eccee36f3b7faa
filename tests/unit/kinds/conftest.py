"""The way of one object through its kind's rules, without a registry: read, default, prepare, validate."""

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from knarr.kinds import metadata, schema
from knarr.kinds.kind import Kind, Tree, no_rules
from knarr.kinds.table import BUILTIN

Findings = list[str]


def read(body: Tree) -> tuple[Kind, Tree]:
    group, _, version = body["apiVersion"].rpartition("/")
    kind = BUILTIN.by_kind(group, version, body["kind"])
    assert kind is not None
    tree = copy.deepcopy(body)
    schema.normalise(tree, schema.type_name(kind.type))
    if kind.namespaced:
        tree["metadata"].setdefault("namespace", "d")
    kind.defaults(tree)
    return kind, tree


@pytest.fixture
def created() -> Callable[[Tree], tuple[Tree, Findings]]:
    """What a create makes of a body, and what it complains of."""

    def create(body: Tree) -> tuple[Tree, Findings]:
        kind, tree = read(body)
        kind.prepare_create(tree)
        obj: Any = msgspec.convert(tree, kind.type)
        return tree, [str(e) for e in (*metadata.validate(kind, obj.metadata), *kind.validate(obj))]

    return create


@pytest.fixture
def updated() -> Callable[[Tree, Tree], tuple[Tree, Findings]]:
    """What an update of the first body to the second gives, and what it complains of."""

    def update(before: Tree, after: Tree) -> tuple[Tree, Findings]:
        kind, old = read(before)
        _, new = read(after)
        kind.prepare_update(new, old)
        obj: Any = msgspec.convert(new, kind.type)
        was: Any = msgspec.convert(old, kind.type)
        found = kind.validate(obj) if kind.validate_update is no_rules else kind.validate_update(obj, was)
        errors = (*metadata.validate_update(kind, obj.metadata, was.metadata), *found)
        return new, [str(e) for e in errors]

    return update


@pytest.fixture
def row() -> Callable[[Tree, Any], list[Any]]:
    """The printed cells of an object."""

    def cells(body: Tree, now: Any) -> list[Any]:
        kind, tree = read(body)
        assert kind.row is not None
        found = list(kind.row(msgspec.convert(tree, kind.type), now))
        assert len(found) == len(kind.columns)
        return found

    return cells
