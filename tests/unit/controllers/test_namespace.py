from collections import Counter
from datetime import UTC, datetime

import pytest

from knarr.controllers.namespace import Remains, conditions
from knarr.kinds.types.core_v1 import NamespaceCondition

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)

SAID = {
    "all is gone": (
        Remains(),
        {
            "NamespaceDeletionDiscoveryFailure": "False ResourcesDiscovered All resources successfully discovered",
            "NamespaceDeletionGroupVersionParsingFailure": (
                "False ParsedGroupVersions All legacy kube types successfully parsed"
            ),
            "NamespaceDeletionContentFailure": (
                "False ContentDeleted All content successfully deleted, may be waiting on finalization"
            ),
            "NamespaceContentRemaining": "False ContentRemoved All content successfully removed",
            "NamespaceFinalizersRemaining": ("False ContentHasNoFinalizers All content-preserving finalizers finished"),
        },
    ),
    "objects with finalizers remain": (
        Remains(counts=Counter({"pods.": 1, "deployments.apps": 2}), finalizers=Counter({"b/c": 2, "a/b": 1})),
        {
            "NamespaceContentRemaining": (
                "True SomeResourcesRemain Some resources are remaining: "
                "deployments.apps has 2 resource instances, pods. has 1 resource instances"
            ),
            "NamespaceFinalizersRemaining": (
                "True SomeFinalizersRemain Some content in the namespace has finalizers remaining: "
                "a/b in 1 resource instances, b/c in 2 resource instances"
            ),
        },
    ),
    "some could not be deleted": (
        Remains(failures=["two", "one"]),
        {
            "NamespaceDeletionContentFailure": (
                "True ContentDeletionFailed Failed to delete all resource types, 2 remaining: one, two"
            )
        },
    ),
    "some could not be discovered": (
        Remains(undiscovered={"x.io/v1": "it broke"}),
        {
            "NamespaceDeletionDiscoveryFailure": (
                "True DiscoveryFailed Discovery failed for some groups, 1 failing: "
                "unable to retrieve the complete list of server APIs: x.io/v1: it broke"
            )
        },
    ),
}


@pytest.mark.parametrize("remains, expected", SAID.values(), ids=SAID)
def test_conditions_say_that(remains, expected):
    found = {one.type: f"{one.status} {one.reason} {one.message}" for one in conditions(remains, [], NOW)}
    assert len(found) == 5
    assert found.items() >= expected.items()


def test_a_condition_keeps_its_time_until_its_status_changes():
    before = conditions(Remains(counts=Counter({"pods.": 2})), [], NOW)
    same = {one.type: one for one in conditions(Remains(counts=Counter({"pods.": 1})), before, LATER)}
    assert same["NamespaceContentRemaining"].lastTransitionTime == "2026-01-01T00:00:00Z"
    gone = {one.type: one for one in conditions(Remains(), before, LATER)}
    assert gone["NamespaceContentRemaining"].lastTransitionTime == "2026-01-02T00:00:00Z"


def test_conditions_of_others_stay():
    other = NamespaceCondition(type="Other", status="True")
    assert conditions(Remains(), [other], NOW)[0] == other
