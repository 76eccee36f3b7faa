"""Secrets that hold tokens, and bootstrap tokens, case by case."""

import base64
from datetime import UTC, datetime

import pytest

from knarr.controllers import bootstrap_token_cleaning, legacy_token_cleaning
from knarr.controllers.service_account_secrets import NAME, TYPE, UID, Desk, forgotten, plan
from knarr.kinds.types.core_v1 import ConfigMap, ObjectReference, Secret, ServiceAccount
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


TODAY = datetime(2026, 6, 1, 12, tzinfo=UTC)
NAMING = ServiceAccount(metadata=a_meta("robot"), secrets=[ObjectReference(name="s")])
LAST, INVALID = "kubernetes.io/legacy-token-last-used", "kubernetes.io/legacy-token-invalid-since"
DISABLED, GONE = (
    ["patch secret s: its token was not used for a year"],
    ["delete secret s: its token is no good for a year"],
)
USED = ["wait for s: its token was used within a year"]
UNKNOWN = ["wait for s: the use of tokens is noted for less than a year"]


def an_old_secret(created="2024-01-01T00:00:00Z", uid="uid-robot", **labels):
    meta = a_meta("s", annotations={NAME: "robot", UID: uid}, labels=labels, creationTimestamp=created)
    return Secret(metadata=meta, type=TYPE)


OLD = {
    "one that was never used": (an_old_secret(), NAMING, "2024-01-01", False, DISABLED),
    "one used more than a year ago": (an_old_secret(**{LAST: "2025-05-31"}), NAMING, "2024-01-01", False, DISABLED),
    "one used a year ago": (an_old_secret(**{LAST: "2025-06-01"}), NAMING, "2024-01-01", False, USED),
    "one used nobody knows when": (an_old_secret(**{LAST: "soon"}), NAMING, "2024-01-01", False, USED),
    "one of a server that is young": (an_old_secret(), NAMING, "2025-06-01", False, UNKNOWN),
    "one of a server that does not note": (an_old_secret(), NAMING, None, False, UNKNOWN),
    "one that is young": (
        an_old_secret("2025-07-01T00:00:00Z"),
        NAMING,
        "2024-01-01",
        False,
        ["wait for s: it is less than a year old"],
    ),
    "one that a pod has": (an_old_secret(), NAMING, "2024-01-01", True, ["wait for s: a pod has it"]),
    "one that its account does not name": (an_old_secret(), ACCOUNT, "2024-01-01", False, []),
    "one of no account": (an_old_secret(), None, "2024-01-01", False, []),
    "one of another account of that name": (an_old_secret(uid="other"), NAMING, "2024-01-01", False, []),
    "one that is no good since nobody knows when": (
        an_old_secret(**{INVALID: "long"}),
        NAMING,
        "2024-01-01",
        False,
        DISABLED,
    ),
    "one that was good a year ago": (
        an_old_secret(**{INVALID: "2025-06-01"}),
        NAMING,
        "2024-01-01",
        False,
        ["wait for s: its token was good less than a year ago"],
    ),
    "one that was no good a year ago": (
        an_old_secret(**{INVALID: "2025-05-31"}),
        NAMING,
        "2024-01-01",
        False,
        GONE,
    ),
}


@pytest.mark.parametrize("secret, account, since, mounted, steps", OLD.values(), ids=OLD)
def test_an_old_token(secret, account, since, mounted, steps):
    tracking = ConfigMap(metadata=a_meta("t"), data={"since": since}) if since else None
    found = legacy_token_cleaning.plan(secret, account, tracking, mounted=mounted, now=TODAY)
    assert [str(step) for step in found] == steps


def test_an_old_token_goes_only_as_it_was_looked_at():
    secret = an_old_secret(**{INVALID: "2025-05-31"})
    tracking = ConfigMap(metadata=a_meta("t"), data={"since": "2024-01-01"})
    (step,) = legacy_token_cleaning.plan(secret, NAMING, tracking, mounted=False, now=TODAY)
    assert step.unchanged
