"""Tokens in Secrets: JWTs of a service account that stand until their Secret, or the account, is gone.

`issue` is what fills Secrets of type `kubernetes.io/service-account-token`; a token is good while its Secret holds it.
Who can, asks for a token that ends, by `serviceaccounts/token`.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

from knarr.client.transport import User
from knarr.kinds import secret
from knarr.kinds.types.base import Type
from knarr.kinds.types.core_v1 import Secret, ServiceAccount
from knarr.meta import clock
from knarr.server.authentication import key_names
from knarr.server.authentication.service_account_tokens import ALGORITHM
from knarr.server.identity import SERVICE_ACCOUNT_PREFIX, service_account

ISSUER = "kubernetes/serviceaccount"
CLAIM = "kubernetes.io/serviceaccount/"
NAMESPACE, SECRET = f"{CLAIM}namespace", f"{CLAIM}secret.name"
ACCOUNT, ACCOUNT_UID = f"{CLAIM}service-account.name", f"{CLAIM}service-account.uid"
KEPT = 4096  #: tokens whose signatures need no second look

T = TypeVar("T", bound=Type)
Used = Callable[
    [Secret], Awaitable[None]
]  #: hears of each use of a Secret's token, also of one that is no good any more


class State(Protocol):
    async def get(self, type_: type[T], namespace: str, name: str) -> T | None: ...


def issue(private_key: bytes, namespace: str, account: str, uid: str, secret: str) -> str:
    """The token of an account, of this name and uid, for a Secret of its namespace; `private_key` is PEM."""
    import jwt

    claims = {
        "iss": ISSUER,
        NAMESPACE: namespace,
        SECRET: secret,
        ACCOUNT: account,
        ACCOUNT_UID: uid,
        "sub": f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{account}",
    }
    return jwt.encode(claims, private_key, algorithm=ALGORITHM, headers={"kid": key_names.of_private(private_key)})


class LegacyTokens:
    """Checks such tokens with the cluster's public key, PEM."""

    def __init__(self, public_key: bytes, state: State, used: Used) -> None:
        self._public, self._state, self._used = public_key, state, used
        self._checked: dict[str, Mapping[str, Any]] = {}

    async def user(self, token: str) -> User | None:
        """Whom the token stands for, if its Secret still holds it and its account is the same."""
        claims = self._claims(token)
        if claims is None:
            return None
        namespace, name = claims[NAMESPACE], claims[ACCOUNT]
        holder = await self._state.get(Secret, namespace, claims[SECRET])
        account = await self._state.get(ServiceAccount, namespace, name)
        if holder is None or account is None or account.metadata.uid != claims[ACCOUNT_UID]:
            return None
        if is_ending(holder) or is_ending(account):
            return None
        if base64.b64decode(holder.data.get("token", "")) != token.encode():
            return None
        await self._used(holder)
        if holder.metadata.labels.get(secret.INVALID_SINCE):
            return None
        return service_account(namespace, name, account.metadata.uid)

    def _claims(self, token: str) -> Mapping[str, Any] | None:
        claims = self._checked.get(token)
        if claims is None and (claims := self._verified(token)) is not None:
            if len(self._checked) > KEPT:
                self._checked.clear()
            self._checked[token] = claims
        return claims

    def _verified(self, token: str) -> Mapping[str, Any] | None:
        if token.count(".") != 2 or not token.isascii():
            return None
        import jwt

        wanted = ["sub", NAMESPACE, SECRET, ACCOUNT, ACCOUNT_UID]
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token, self._public, algorithms=[ALGORITHM], issuer=ISSUER, options={"require": ["iss", *wanted]}
            )
        except jwt.InvalidTokenError:
            return None
        named = all(isinstance(claims[each], str) and claims[each] for each in wanted)
        same = named and claims["sub"] == f"{SERVICE_ACCOUNT_PREFIX}{claims[NAMESPACE]}:{claims[ACCOUNT]}"
        return claims if same else None


def is_ending(obj: Any) -> bool:
    """Whether an object is past its end, finalizers or not."""
    deleted = obj.metadata.deletionTimestamp
    return bool(deleted) and clock.parse(deleted) <= clock.now()
