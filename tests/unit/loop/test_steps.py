from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from knarr.loop.steps import Create, Delete, Event, Patch, Replace, Status, Wait, reference
from knarr.testing.builders import a_pod, a_set

POD = a_pod(0)
SET = a_set("db")

LINES = {
    "create pod db-0": Create(POD),
    "create pod web-": Create(replace(POD, metadata=replace(POD.metadata, name="", generateName="web-"))),
    "delete pod db-0: outdated": Delete(POD, "outdated"),
    "update statefulset db": Replace(SET),
    "patch pod db-0: adopted": Patch(POD, {}, reason="adopted"),
    "patch status of pod db-0": Patch(POD, {}, subresource="status"),
    "update status of statefulset db": Status(SET),
    "wait for db-0: not ready": Wait(POD, "not ready", datetime(2026, 1, 1, tzinfo=UTC)),
    "wait for claim data-db-0: unbound": Wait("claim data-db-0", "unbound"),
    "event on statefulset db: Sync: all is well": Event(SET, "Normal", "Sync", "all is well"),
    "event on pod db-0: Sync: all is well": Event(reference(POD), "Normal", "Sync", "all is well"),
}


@pytest.mark.parametrize("line, step", LINES.items(), ids=LINES)
def test_a_step_reads_as_what_it_does(line, step):
    assert str(step) == line


def test_steps_that_want_the_same_are_equal():
    assert Delete(a_pod(0), "outdated") == Delete(a_pod(0), "outdated")
    assert Delete(a_pod(0)) != Delete(a_pod(1))


def test_a_reference_names_the_object_completely():
    found = reference(POD)
    assert (found.apiVersion, found.kind, found.namespace, found.name, found.uid, found.resourceVersion) == (
        "v1",
        "Pod",
        "default",
        "db-0",
        "uid-db-0",
        "1",
    )
