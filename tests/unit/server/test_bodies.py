"""Bodies that are of another kind than their path says."""

import json

import pytest

from knarr.client.transport import Request
from knarr.kinds.table import BUILTIN
from knarr.meta.errors import BadRequest
from knarr.server.bodies import check_kind, delete_options, eviction_options

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


NO_OPTIONS = {
    "a pod": ({"apiVersion": "v1", "kind": "Pod"}, 'no kind "Pod" is registered for version "v1"'),
    "a status": ({"apiVersion": "v1", "kind": "Status"}, "decoded object cannot be converted to DeleteOptions"),
}


def sent(tree):
    return Request("DELETE", "/", [], {"content-type": "application/json"}, json.dumps(tree).encode())


@pytest.mark.parametrize(("tree", "why"), NO_OPTIONS.values(), ids=NO_OPTIONS)
def test_a_delete_with_a_body_of_another_kind_is_refused(tree, why):
    with pytest.raises(BadRequest) as raised:
        delete_options(sent(tree))
    assert raised.value.message == why


@pytest.mark.parametrize("version", ["v1", "meta.k8s.io/v1", "apps/v1", ""])
def test_the_options_of_a_delete_may_be_of_any_version(version):
    tree = {"apiVersion": version, "kind": "DeleteOptions", "gracePeriodSeconds": 3}
    assert delete_options(sent(tree)).grace == 3


@pytest.mark.parametrize("version", ["policy/v1", "policy/v1beta1", ""])
def test_an_eviction_may_be_of_either_version(version):
    tree = {"apiVersion": version, "kind": "Eviction", "deleteOptions": {"gracePeriodSeconds": 3}}
    assert eviction_options(sent(tree)).grace == 3


def test_an_eviction_of_another_kind_is_refused():
    with pytest.raises(BadRequest, match='no kind "Pod" is registered for version "v1"'):
        eviction_options(sent({"apiVersion": "v1", "kind": "Pod"}))
