"""Bodies that are of another kind than their path says."""

import pytest

from knarr.client.transport import Request
from knarr.kinds.table import BUILTIN
from knarr.meta.errors import BadRequest
from knarr.server.bodies import check_kind, delete_options

POD = BUILTIN.by_resource("", "v1", "pods")
SETS = BUILTIN.by_resource("apps", "v1", "statefulsets")

REFUSED = {
    "an unknown version": (
        {"apiVersion": "v2", "kind": "Pod"},
        POD,
        'Pod in version "v2" cannot be handled as a Pod: no kind "Pod" is registered for version "v2" '
        'in scheme "pkg/api/legacyscheme/scheme.go:30"',
    ),
    "a kind of another group": (
        {"apiVersion": "v1", "kind": "Pod"},
        SETS,
        'Pod in version "v1" cannot be handled as a StatefulSet: converting (v1.Pod) to (apps.StatefulSet): '
        "unknown conversion",
    ),
    "a status": (
        {"apiVersion": "v1", "kind": "Status"},
        POD,
        'Status in version "v1" cannot be handled as a Pod: converting (v1.Status) to (core.Pod): unknown conversion',
    ),
}


@pytest.mark.parametrize(("tree", "expected", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals(tree, expected, message):
    with pytest.raises(BadRequest) as raised:
        check_kind(tree, expected, BUILTIN)
    assert raised.value.message == message


@pytest.mark.parametrize("tree", [{}, {"kind": "Pod"}, {"apiVersion": "v1", "kind": ""}, {"apiVersion": 3}])
def test_what_says_nothing_or_is_no_text_passes(tree):
    assert check_kind(tree, POD, BUILTIN) is None


PERIODS = {"a period beyond 64 bits": "18446744073709551615", "a fraction of one": "1.5", "a word": '"long"'}


@pytest.mark.parametrize("period", PERIODS.values(), ids=PERIODS)
def test_delete_options_of_wrong_types_are_refused(period):
    body = f'{{"gracePeriodSeconds": {period}}}'.encode()
    with pytest.raises(BadRequest, match="unable to decode the delete options"):
        delete_options(Request("DELETE", "/", [], {"content-type": "application/json"}, body))
