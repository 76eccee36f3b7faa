"""Every kind has a table of its rules: `rules/<kind>.py`, named as the kind's file in `knarr.kinds`.

A table's `VALID` is a good object. `CREATE` says of changes to it what a create complains of; `UPDATE` says so of an
update, by changes that lead to the old object and by further ones that lead to the new. A complaint is the field's
path, the reason, the value and the rule. Pods have more in `test_pod_spec_rules`, other kinds in
`test_core_kind_rules`, `test_workloads` and `test_plain_kinds`.
"""

import importlib
import pkgutil
from types import ModuleType

import pytest

from knarr.kinds.table import BUILTIN
from tests.unit.kinds import rules
from tests.unit.kinds.changes import changed

TABLES: dict[str, ModuleType] = {
    found.name: importlib.import_module(f"{rules.__name__}.{found.name}")
    for found in pkgutil.iter_modules(rules.__path__)
}
CREATES = {f"{kind}: {rule}": (table, *case) for kind, table in TABLES.items() for rule, case in table.CREATE.items()}
UPDATES = {f"{kind}: {rule}": (table, *case) for kind, table in TABLES.items() for rule, case in table.UPDATE.items()}


def test_every_kind_has_a_table():
    assert {kind.kind.lower() for kind in BUILTIN.all()} == TABLES.keys()


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_good_object_is_taken(table, created):
    assert created(table.VALID)[1] == []


@pytest.mark.parametrize("table, changes, complaints", CREATES.values(), ids=CREATES)
def test_create(table, changes, complaints, created):
    assert complaints, "a rule refuses something"
    assert [found.rstrip() for found in created(changed(table.VALID, changes))[1]] == complaints


@pytest.mark.parametrize("table, before, changes, complaints", UPDATES.values(), ids=UPDATES)
def test_update(table, before, changes, complaints, updated):
    old = changed(table.VALID, before)
    assert updated(old, changed(old, changes))[1] == complaints
