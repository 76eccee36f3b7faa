"""What every namespace gets by itself: its default service account and the cluster's authority."""

import pytest
from msgspec.structs import replace

from knarr.controllers import root_ca, serviceaccount
from knarr.kinds.types.core_v1 import ServiceAccount
from knarr.testing.builders import a_meta, a_namespace

HERE, GOING = a_namespace("shop"), a_namespace("shop", deleting=True)
ACCOUNT = ServiceAccount(metadata=a_meta("default", "shop"))
PUBLISHED = root_ca.plan("PEM", HERE, None)[0].obj

ACCOUNTS = {
    "made where it is missing": (HERE, None, ["create serviceaccount default"]),
    "left alone where it is there": (HERE, ACCOUNT, []),
    "not made where the namespace goes": (GOING, None, []),
}


@pytest.mark.parametrize("namespace, account, steps", ACCOUNTS.values(), ids=ACCOUNTS)
def test_the_account_is(namespace, account, steps):
    assert [str(step) for step in serviceaccount.plan(namespace, account)] == steps


AUTHORITIES = {
    "made where it is missing": (HERE, None, ["create configmap kube-root-ca.crt"]),
    "left alone where it is right": (HERE, PUBLISHED, []),
    "put right where it was changed": (HERE, replace(PUBLISHED, data={}), ["update configmap kube-root-ca.crt"]),
    "not made where the namespace goes": (GOING, None, []),
}


@pytest.mark.parametrize("namespace, current, steps", AUTHORITIES.values(), ids=AUTHORITIES)
def test_the_authority_is(namespace, current, steps):
    assert [str(step) for step in root_ca.plan("PEM", namespace, current)] == steps


def test_the_authority_is_published_as_pods_expect_it():
    assert PUBLISHED.data == {"ca.crt": "PEM"}
    assert (PUBLISHED.metadata.name, PUBLISHED.metadata.namespace) == ("kube-root-ca.crt", "shop")
    assert PUBLISHED.metadata.annotations["kubernetes.io/description"].startswith("Contains a CA bundle")


def test_whom_pods_trust_is_not_taken_away_by_who_does_not_know_it():
    assert root_ca.plan("", HERE, PUBLISHED) == []
    assert root_ca.plan("", HERE, None) == []
