"""Service account tokens: ES256 JWTs that the cluster signs, bound to the account and possibly to a pod or node.

Issued through `serviceaccounts/token`, checked on every request that carries one. `exists` says whether what a token
is bound to is still there, so deleting a pod or an account ends its tokens.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knarr.client.transport import User
from knarr.meta import clock
from knarr.server.authentication import key_names
from knarr.server.identity import service_account

ALGORITHM = "ES256"
NODE_NAME = "authentication.kubernetes.io/node-name"
NODE_UID = "authentication.kubernetes.io/node-uid"
POD_NAME = "authentication.kubernetes.io/pod-name"
POD_UID = "authentication.kubernetes.io/pod-uid"
CREDENTIAL = "authentication.kubernetes.io/credential-id"
CLAIM = "kubernetes.io"  #: the private claim's name

#: (resource, namespace, name, uid) -> whether it exists with that uid
Exists = Callable[[str, str, str, str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Bound:
    """An object that a token depends on."""

    resource: str
    name: str
    uid: str


class ServiceAccountTokens:
    """Signs and checks tokens with one key pair. `issuer` is also the default audience."""

    def __init__(self, private_key: bytes, public_key: bytes, issuer: str, exists: Exists) -> None:
        self._private, self._public = private_key, public_key
        self.issuer = issuer
        self._exists = exists
        self._checked: dict[str, Mapping[str, Any]] = {}

    def issue(
        self, namespace: str, account: Bound, *, audiences: Sequence[str], seconds: int, bound: Sequence[Bound] = ()
    ) -> tuple[str, int]:
        """Make a token; return it and when it ends in unix seconds."""
        import jwt

        now = int(clock.unix())
        expires = now + seconds
        private: dict[str, Any] = {"namespace": namespace}
        for what in bound:
            private[_singular(what.resource)] = {"name": what.name, "uid": what.uid}
        private["serviceaccount"] = {"name": account.name, "uid": account.uid}
        claims = {
            "aud": list(audiences) or [self.issuer],
            "exp": expires,
            "iat": now,
            "iss": self.issuer,
            "jti": clock.uid(),
            CLAIM: private,
            "nbf": now,
            "sub": f"system:serviceaccount:{namespace}:{account.name}",
        }
        named = {"kid": key_names.of_public(self._public)}
        return jwt.encode(claims, self._private, algorithm=ALGORITHM, headers=named), expires

    async def user(self, token: str) -> User | None:
        claims = self.claims(token, [self.issuer])
        return await self._user(claims) if claims else None

    async def review(self, token: str, audiences: Sequence[str]) -> tuple[User, list[str]] | None:
        """Whom a token stands for and for which of `audiences` it is meant."""
        wanted = list(audiences) or [self.issuer]
        claims = self.claims(token, wanted)
        user = await self._user(claims) if claims else None
        if claims is None or user is None:
            return None
        return user, [audience for audience in wanted if audience in claims["aud"]]

    def claims(self, token: str, audiences: Sequence[str]) -> Mapping[str, Any] | None:
        """The claims of a token that this cluster signed, that has not ended and that is for one of `audiences`."""
        claims = self._checked.get(token)
        if claims is None:
            claims = self._verified(token)
            if claims is None:
                return None
            if len(self._checked) > 4096:
                self._checked.clear()
            self._checked[token] = claims
        now = clock.unix()
        if not claims["nbf"] - 10 <= now < claims["exp"]:
            self._checked.pop(token, None)
            return None
        return claims if set(audiences) & set(claims["aud"]) else None

    def _verified(self, token: str) -> Mapping[str, Any] | None:
        if token.count(".") != 2 or not token.isascii():
            return None
        import jwt

        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                self._public,
                algorithms=[ALGORITHM],
                issuer=self.issuer,
                options={
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "require": ["exp", "nbf", "aud", "sub", CLAIM],
                },
            )
        except jwt.InvalidTokenError:
            return None
        return claims

    async def _user(self, claims: Mapping[str, Any]) -> User | None:
        """The user, unless the account or what the token is bound to is gone."""
        private = claims[CLAIM]
        namespace, account = private["namespace"], private["serviceaccount"]
        if not await self._exists("serviceaccounts", namespace, account["name"], account["uid"]):
            return None
        extra = {CREDENTIAL: (f"JTI={claims['jti']}",)} if claims.get("jti") else {}
        if pod := private.get("pod"):
            if not await self._exists("pods", namespace, pod["name"], pod["uid"]):
                return None
            extra |= {POD_NAME: (pod["name"],), POD_UID: (pod["uid"],)}
        secret = private.get("secret")
        if secret and not await self._exists("secrets", namespace, secret["name"], secret["uid"]):
            return None
        node = private.get("node")
        if node and not pod and not await self._exists("nodes", "", node["name"], node["uid"]):
            return None  # of a pod's token the node is only told
        if node:
            extra |= {NODE_NAME: (node["name"],), NODE_UID: (node["uid"],)}
        return service_account(namespace, account["name"], account["uid"], extra)


def _singular(resource: str) -> str:
    return resource.removesuffix("s")
