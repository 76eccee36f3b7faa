"""Tokens in Secrets: a Secret of type `kubernetes.io/service-account-token` holds a token of the account it names.

Keeps true: such a Secret has the token, the namespace and the certificate of the cluster's authority; it is gone when
its account is, or is another one of that name; no account names a Secret of that sort that is gone. The key is of who
runs this controller: `issue` is given.
"""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from knarr.kinds.secret import ACCOUNT_NAME as NAME
from knarr.kinds.secret import ACCOUNT_UID as UID
from knarr.kinds.secret import OF_ACCOUNT as TYPE
from knarr.kinds.types.core_v1 import Secret, ServiceAccount
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source
from knarr.loop.steps import Delete, Replace, Step
from knarr.meta.errors import NotFound

OURS = f"type={TYPE}"  #: all other Secrets need not be held

Issue = Callable[[str, str, str, str], str]  #: (namespace, account's name and uid, Secret's name) -> token


@dataclass(frozen=True)
class Desk:
    """Who makes tokens: the function, and the PEM of the authority that the tokens' holders shall trust."""

    issue: Issue
    authority: str = ""


def plan(secret: Secret, account: ServiceAccount | None, desk: Desk) -> list[Step]:
    """Return the step that fills the Secret, or takes it away when its account is not the one it is for."""
    meta = secret.metadata
    if meta.deletionTimestamp:
        return []
    if account is None or meta.annotations.get(UID, account.metadata.uid) != account.metadata.uid:
        return [Delete(secret, "its account is gone")]
    data = dict(secret.data)
    if desk.authority:
        data["ca.crt"] = encoded(desk.authority)
    data["namespace"] = data.get("namespace") or encoded(meta.namespace)
    if not data.get("token"):
        token = desk.issue(meta.namespace, account.metadata.name, account.metadata.uid, meta.name)
        data["token"] = encoded(token)
    annotations = {**meta.annotations, NAME: account.metadata.name, UID: account.metadata.uid}
    if data == secret.data and annotations == meta.annotations:
        return []
    return [Replace(replace(secret, data=data, metadata=replace(meta, annotations=annotations)), "it lacks its token")]


def forgotten(account: ServiceAccount, name: str) -> list[Step]:
    """Return the step that takes a Secret that is gone off its account."""
    kept = [each for each in account.secrets if each.name != name]
    return [Replace(replace(account, secrets=kept), f"secret {name} is gone")] if kept != account.secrets else []


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# Running it


def controller(desk: Desk) -> Controller:
    """The controller; it remembers whose the Secrets were, so that it can tell their accounts when they are gone."""
    accounts: dict[Key, str] = {}

    async def sync(key: Key, context: Context) -> None:
        namespace, name = key
        secret = context.cache(Secret, fields=OURS).get(name, namespace)
        if secret is None:
            await carry_out(context.api, bereaved(key, context), context.recorder)
            accounts.pop(key, None)
            return
        named = accounts[key] = secret.metadata.annotations.get(NAME, "")
        account = context.cache(ServiceAccount).get(named, namespace)
        steps = plan(secret, account, desk)
        if any(isinstance(step, Delete) for step in steps):  # the cache may be behind
            account = await current(context, named, namespace)
            steps = plan(secret, account, desk)
        try:
            await carry_out(context.api, steps, context.recorder)
        except NotFound:
            return

    def bereaved(key: Key, context: Context) -> list[Step]:
        account = context.cache(ServiceAccount).get(accounts.get(key, ""), key[0])
        return forgotten(account, key[1]) if account is not None else []

    return Controller(
        name="serviceaccount-token",
        sources=[Source(Secret, its_key, fields=OURS), Source(ServiceAccount, related=its_secrets)],
        sync=sync,
        component="serviceaccount-token-controller",
    )


async def current(context: Context, name: str, namespace: str) -> ServiceAccount | None:
    try:
        return await context.api.get(ServiceAccount, name, namespace)
    except NotFound:
        return None


def its_key(secret: Secret) -> Iterable[Key]:
    return [(secret.metadata.namespace, secret.metadata.name)]


def its_secrets(account: ServiceAccount, context: Context) -> Iterable[Key]:
    """The Secrets that hold tokens of an account."""
    found = context.cache(Secret, fields=OURS).list(account.metadata.namespace)
    return [(one.metadata.namespace, one.metadata.name) for one in found if names(one, account)]


def names(secret: Secret, account: ServiceAccount) -> bool:
    return secret.metadata.annotations.get(NAME) == account.metadata.name
