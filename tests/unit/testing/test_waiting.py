"""What a test can wait for, and what it is told when it does not come."""

import pytest

from knarr.testing.waiting import complaint, told, wanted


def a_deployment(generation=1, observed=1, **status):
    conditions = [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "False"}]
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "generation": generation, "managedFields": [{}]},
        "status": {"observedGeneration": observed, "conditions": conditions, **status},
    }


CONDITIONS = {
    "a condition that is true": ("Available", "", a_deployment(), True),
    "a condition's name in small letters": ("available", "", a_deployment(), True),
    "a condition that is to be false": ("Progressing=False", "", a_deployment(), True),
    "a condition that is false": ("Progressing", "", a_deployment(), False),
    "a condition that is not there": ("Ready", "", a_deployment(), False),
    "a condition about an older generation": ("Available", "", a_deployment(generation=2), False),
    "a path with its value": ("", "{.status.readyReplicas}=3", a_deployment(readyReplicas=3), True),
    "a path with another value": ("", "{.status.readyReplicas}=3", a_deployment(readyReplicas=2), False),
    "a path without braces": ("", ".status.readyReplicas=3", a_deployment(readyReplicas=3), True),
    "a path to a boolean": ("", "{.status.paused}=true", a_deployment(paused=True), True),
    "a path that only has to be there": ("", "{.status.readyReplicas}", a_deployment(readyReplicas=0), True),
    "a path to nothing": ("", "{.status.readyReplicas}", a_deployment(), False),
    "a path with a filter, whose == is no value": (
        "",
        '{.status.conditions[?(@.type=="Available")].status}=True',
        a_deployment(),
        True,
    ),
    "a path with a filter and without braces": (
        "",
        '.status.conditions[?(@.type=="Available")].status=True',
        a_deployment(),
        True,
    ),
    "nothing but being there": ("", "", a_deployment(), True),
}


@pytest.mark.parametrize("condition, path, tree, holds", CONDITIONS.values(), ids=CONDITIONS)
def test_what_is_wanted(condition, path, tree, holds):
    assert bool(wanted(condition, path, None).holds(tree)) is holds


def test_a_function_can_say_what_is_wanted():
    def is_paused(tree):
        """paused"""
        return tree["status"].get("paused")

    want = wanted("", "", is_paused)
    assert (want.text, want.holds(a_deployment(paused=True)), want.holds(a_deployment())) == ("paused", True, None)


def test_several_wants_at_once_are_refused():
    with pytest.raises(ValueError, match="one of condition=, jsonpath= and until="):
        wanted("Ready", "{.status}", None)


def test_what_is_no_path_is_refused_before_the_waiting():
    with pytest.raises(ValueError):
        wanted("", "{.status[}=3", None)


def test_a_complaint_shows_the_object_the_waits_and_the_events():
    event = {
        "type": "Warning",
        "reason": "FailedScheduling",
        "message": "0/1 nodes are available",
        "count": 3,
        "involvedObject": {"kind": "Pod", "name": "web-1"},
    }
    want = wanted("Ready", "", None)
    text = complaint("deployment web", want, 5.0, [a_deployment()], ["deployment web: wait for web-1: x"], [event])
    assert text.startswith("deployment web is not condition Ready=True after 5 s")
    assert "managedFields" not in text
    assert "what controllers wait for:\n  deployment web: wait for web-1: x" in text
    assert text.endswith("Warning FailedScheduling pod/web-1: 0/1 nodes are available (x3)")


def test_a_complaint_about_nothing_says_so():
    assert "there is none" in complaint("pod web", wanted("", "", None), 1.0, [], [], [])


def test_only_the_last_events_are_told():
    events = [{"reason": str(n), "lastTimestamp": f"2026-01-01T00:00:{n:02}Z", "involvedObject": {}} for n in range(30)]
    assert len(told(events)) == 20
    assert " 29 " in told(events)[-1]
