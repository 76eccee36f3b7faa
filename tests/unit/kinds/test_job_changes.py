"""What may change of a Job: its template while it is at rest, its size, and what its status says."""

import msgspec
import pytest

from knarr.kinds.job_status_rules import status_rules
from knarr.kinds.job_update_rules import update_rules
from knarr.kinds.types.batch_v1 import Job
from tests.unit.kinds.changes import changed

VALID = {
    "metadata": {"name": "x"},
    "spec": {
        "completions": 3,
        "parallelism": 3,
        "completionMode": "NonIndexed",
        "suspend": False,
        "template": {"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}},
    },
}
INDEXED = {"spec.completionMode": "Indexed"}
SUSPENDED = {"spec.suspend": True}
STARTED = {"status.startTime": "2026-01-01T00:00:00Z"}
HALTED = {**SUSPENDED, **STARTED, "status.conditions": [{"type": "Suspended", "status": "True"}]}
NODES = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{}]}}}
PODS = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "z"}]}}
TEMPLATE = "spec.template.spec"
PLACE = {f"{TEMPLATE}.nodeSelector": {"zone": "a"}, f"{TEMPLATE}.affinity": NODES}
MORE = {f"{TEMPLATE}.containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "2"}}}]}
IMAGE = {f"{TEMPLATE}.containers": [{"name": "c", "image": "other"}]}


def a_job(*changes):
    tree = VALID
    for each in changes:
        tree = changed(tree, each)
    return msgspec.convert(tree, Job)


def told(errors):
    return [(error.path, error.message.rpartition(": ")[2]) for error in errors]


#: sentence -> the Job before, what changes, what is refused
UPDATES = {
    "a Job that runs keeps its place": ({}, PLACE, ["spec.template"]),
    "one that never began may have another": (SUSPENDED, PLACE, []),
    "and begin with the same change": (SUSPENDED, {**PLACE, "spec.suspend": False}, []),
    "one that began and was halted may too": (HALTED, PLACE, []),
    "one that is not halted yet may not": ({**SUSPENDED, **STARTED}, PLACE, ["spec.template"]),
    "nor may one that still has pods": ({**HALTED, "status.active": 1}, PLACE, ["spec.template"]),
    "at rest its containers may ask for more": (SUSPENDED, MORE, []),
    "but not when it runs": ({}, MORE, ["spec.template"]),
    "what runs in them stays": (SUSPENDED, IMAGE, ["spec.template"]),
    "so do affinities to pods": (SUSPENDED, {f"{TEMPLATE}.affinity": PODS}, ["spec.template"]),
    "beside which those to nodes may come": (
        {**SUSPENDED, f"{TEMPLATE}.affinity": PODS}, {f"{TEMPLATE}.affinity": {**PODS, **NODES}}, [],
    ),
    "and go": ({**SUSPENDED, f"{TEMPLATE}.affinity": NODES}, {f"{TEMPLATE}.affinity": None}, []),
    "completions stay": ({}, {"spec.completions": 4, "spec.parallelism": 4}, ["spec.completions"]),
    "those of indexes may change with the parallelism": (
        INDEXED, {"spec.completions": 4, "spec.parallelism": 4}, [],
    ),
    "from whatever they were": ({**INDEXED, "spec.parallelism": 1}, {"spec.completions": 1}, []),
    "and not without it": (INDEXED, {"spec.completions": 4}, ["spec.completions"]),
}  # fmt: skip


@pytest.mark.parametrize("before, changes, paths", UPDATES.values(), ids=UPDATES)
def test_an_update(before, changes, paths):
    assert [error.path for error in update_rules(a_job(before, changes), a_job(before))] == paths


def conditions(*types):
    return {"status.conditions": [{"type": type_, "status": "True"} for type_ in types]}


END = {"status.completionTime": "2026-01-01T01:00:00Z"}
DONE = {**STARTED, **END, **conditions("SuccessCriteriaMet", "Complete"), "status.succeeded": 3}
LOST = {**STARTED, **conditions("FailureTarget", "Failed"), "status.failed": 1}

#: sentence -> the status before, what changes, what is refused and why
STATUSES = {
    "a Job may end well": ({**STARTED}, DONE, []),
    "or badly": ({**STARTED}, LOST, []),
    "not without a reason": (
        STARTED, conditions("Failed"),
        [("status.conditions", "cannot set Failed=True condition without the FailureTarget=true condition")],
    ),
    "nor both ways": (
        {**STARTED, **conditions("FailureTarget")},
        {**END, **conditions("FailureTarget", "SuccessCriteriaMet", "Complete")},
        [
            ("status.conditions", "cannot set Complete=True and FailureTarget=true conditions"),
            ("status.conditions", "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
        ],
    ),
    "nor for a time": (
        LOST, conditions("FailureTarget"),
        [("status.conditions", "cannot disable the terminal Failed=True condition")],
    ),
    "it ends when it does": (
        {**STARTED, **conditions("SuccessCriteriaMet")}, conditions("SuccessCriteriaMet", "Complete"),
        [("status.completionTime", "completionTime is required for Complete jobs")],
    ),
    "not before": (
        STARTED, END, [("status.completionTime", "cannot set completionTime when there is no Complete=True condition")],
    ),
    "nor before it began": (
        STARTED, {**DONE, "status.completionTime": "2025-01-01T00:00:00Z"},
        [("status.completionTime", "completionTime cannot be set before startTime")],
    ),
    "and once": (
        DONE, {"status.completionTime": "2026-02-01T00:00:00Z"},
        [("status.completionTime", "completionTime cannot be mutated")],
    ),
    "one that runs keeps its beginning": (
        STARTED, {"status.startTime": ""}, [("status.startTime", "startTime cannot be removed for unsuspended job")],
    ),
    "one that is suspended does not": ({**SUSPENDED, **STARTED}, {"status.startTime": ""}, []),
    "one that has ended began": (
        {}, {**END, **conditions("SuccessCriteriaMet", "Complete")},
        [("status.startTime", "startTime is required for finished job")],
    ),
    "and has no pods": (
        STARTED, {**DONE, "status.active": 1, "status.terminating": 2},
        [
            ("status.active", "active>0 is invalid for finished job"),
            ("status.terminating", "terminating>0 is invalid for finished job"),
        ],
    ),
    "nor any to count": (
        STARTED, {**DONE, "status.uncountedTerminatedPods": {"failed": ["a"]}},
        [("status.uncountedTerminatedPods", "uncountedTerminatedPods needs to be empty for finished job")],
    ),
    "what was counted stays": (
        {"status.failed": 2, "status.succeeded": 2}, {"status.failed": 1, "status.succeeded": 1},
        [
            ("status.failed", "cannot decrease the failed counter"),
            ("status.succeeded", "cannot decrease the succeeded counter"),
        ],
    ),
    "but successes of indexes that are not wanted any more": (
        {**INDEXED, "status.succeeded": 2}, {"status.succeeded": 1}, [],
    ),
    "no count is negative": (
        {}, {"status.terminating": -1}, [("status.terminating", "must be greater than or equal to 0")],
    ),
    "what is ready is active": (
        {}, {"status.ready": 2, "status.active": 1},
        [("status.ready", "cannot set more ready pods than active")],
    ),
    "a pod is named once": (
        {}, {"status.uncountedTerminatedPods": {"succeeded": ["a", "b"], "failed": ["b"]}},
        [("status.uncountedTerminatedPods.failed[0]", '"b"')],
    ),
    "indexes that succeeded can be": (
        INDEXED, {"status.completedIndexes": "0,7"},
        [("status.completedIndexes", '"7"')],
    ),
    "only where there are any": (
        {}, {"status.completedIndexes": "0"},
        [("status.completedIndexes", "cannot set non-empty completedIndexes when non-indexed completion mode")],
    ),
    "indexes fail where they may": (
        INDEXED, {"status.failedIndexes": "0"},
        [("status.failedIndexes", "cannot set non-null failedIndexes when backoffLimitPerIndex is null")],
    ),
    "what was wrong before may stay": ({"status.completedIndexes": "0"}, {"status.active": 1}, []),
}  # fmt: skip


@pytest.mark.parametrize("before, changes, complaints", STATUSES.values(), ids=STATUSES)
def test_a_status(before, changes, complaints):
    assert told(status_rules(a_job(before, changes), a_job(before))) == complaints
