"""When it is worked out anew which webhooks or policies mean a sort of request."""

from dataclasses import replace

import pytest

from knarr.client.transport import User
from knarr.kinds import configmap, secret
from knarr.server.admission import Admission
from knarr.server.admission.concern import Concern


@pytest.fixture
def asked():
    """A concern, what it was asked, and the kinds that show the same objects, to be changed."""
    told, forms = [], {"now": [configmap.KIND]}

    def decide(admission, versions, lists):
        told.append(admission.verb)
        return [each.plural for each in versions]

    return Concern(decide, lambda kind: forms["now"]), told, forms


def an_admission(verb="create"):
    return Admission(kind=configmap.KIND, verb=verb, namespace="n", name="a", user=User("ann"))


HOOKS = ("a", "b")


def test_once_for_each_sort_of_request(asked):
    concern, told, _ = asked
    for verb in ("create", "create", "update", "create"):
        assert concern.of(an_admission(verb), HOOKS) == ["configmaps"]
    assert told == ["create", "update"]


def test_anew_when_one_of_them_was_written(asked):
    concern, told, _ = asked
    concern.of(an_admission(), HOOKS)
    concern.of(an_admission(), ("a", "c"))
    assert told == ["create", "create"]


def test_not_because_of_another_kind_that_came(asked):
    concern, told, forms = asked
    concern.of(an_admission(), HOOKS)
    forms["now"] = [configmap.KIND]  # worked out anew, and the same
    concern.of(an_admission(), HOOKS)
    assert told == ["create"]


@pytest.mark.parametrize(
    "forms", [[replace(configmap.KIND)], [configmap.KIND, secret.KIND], []], ids=["another", "one more", "none"]
)
def test_anew_when_its_own_kinds_change(asked, forms):
    concern, told, held = asked
    concern.of(an_admission(), HOOKS)
    held["now"] = forms
    assert concern.of(an_admission(), HOOKS) == [kind.plural for kind in forms]
    assert told == ["create", "create"]
