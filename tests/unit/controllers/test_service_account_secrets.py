"""Secrets that hold tokens, and bootstrap tokens, case by case."""

import base64
from datetime import UTC, datetime

import pytest

from knarr.controllers import bootstrap_token_cleaning
from knarr.controllers.service_account_secrets import NAME, TYPE, UID, Desk, forgotten, plan
from knarr.kinds.types.core_v1 import ObjectReference, Secret, ServiceAccount
from knarr.testing.builders import a_meta

DESK = Desk(lambda namespace, account, uid, secret: f"token of {account} in {namespace}, {uid}, {secret}", "PEM")
ACCOUNT = ServiceAccount(metadata=a_meta("robot"))


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def a_secret(data=None, **annotations):
    meta = a_meta("s", annotations={NAME: "robot", **annotations})
    return Secret(metadata=meta, type=TYPE, data={key: encoded(value) for key, value in (data or {}).items()})


WHOLE = {"token": "t", "namespace": "default", "ca.crt": "PEM"}
KNOWN = {UID: ACCOUNT.metadata.uid}
FILL, GO = ["update secret s: it lacks its token"], ["delete secret s: its account is gone"]
SECRETS = {
    "a new one is filled": (a_secret(), ACCOUNT, FILL),
    "a whole one is left alone": (a_secret(WHOLE, **KNOWN), ACCOUNT, []),
    "one that trusts another authority is corrected": (a_secret({**WHOLE, "ca.crt": "old"}, **KNOWN), ACCOUNT, FILL),
    "one that does not say whose it is is corrected": (a_secret(WHOLE), ACCOUNT, FILL),
    "one of no account goes": (a_secret(), None, GO),
    "one of another account of that name goes": (a_secret(WHOLE, **{UID: "other"}), ACCOUNT, GO),
}


@pytest.mark.parametrize("secret, account, steps", SECRETS.values(), ids=SECRETS)
def test_a_secret(secret, account, steps):
    assert [str(step) for step in plan(secret, account, DESK)] == steps


def test_what_a_secret_is_filled_with():
    (step,) = plan(a_secret(), ACCOUNT, DESK)
    found = {key: base64.b64decode(value).decode() for key, value in step.obj.data.items()}
    assert found == {
        "token": "token of robot in default, uid-robot, s",
        "namespace": "default",
        "ca.crt": "PEM",
    }
    assert step.obj.metadata.annotations == {NAME: "robot", UID: "uid-robot"}


def test_a_token_that_is_there_is_kept():
    (step,) = plan(a_secret({"token": "t"}), ACCOUNT, DESK)
    assert step.obj.data["token"] == encoded("t")


def test_an_account_does_not_name_a_secret_that_is_gone():
    account = ServiceAccount(metadata=a_meta("robot"), secrets=[ObjectReference(name="s"), ObjectReference(name="t")])
    (step,) = forgotten(account, "s")
    assert [each.name for each in step.obj.secrets] == ["t"]
    assert forgotten(account, "u") == []


NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKENS = {
    "goes when it is over": ({"expiration": "2026-01-01T00:00:00Z"}, ["delete secret b: expired"]),
    "goes when nobody can say when it is over": ({"expiration": "soon"}, ["delete secret b: expired"]),
    "stays until it is over": ({"expiration": "2026-01-01T00:00:01Z"}, ["wait for b: expires"]),
    "is told in any zone's time": ({"expiration": "2026-01-01T01:00:00+02:00"}, ["delete secret b: expired"]),
    "stays if it does not end": ({}, []),
}


@pytest.mark.parametrize("data, steps", TOKENS.values(), ids=TOKENS)
def test_a_bootstrap_token(data, steps):
    secret = Secret(
        metadata=a_meta("b", "kube-system"),
        type=bootstrap_token_cleaning.TYPE,
        data={key: encoded(value) for key, value in data.items()},
    )
    assert [str(step) for step in bootstrap_token_cleaning.plan(secret, NOW)] == steps
