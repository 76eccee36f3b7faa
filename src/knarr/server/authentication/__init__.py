"""Who is asking: one file for each kind of credential, tried in order. The first that knows the caller decides."""

import base64
from collections.abc import Mapping, Sequence
from typing import Protocol

from knarr.client.transport import Request, User
from knarr.meta.errors import Unauthorized
from knarr.server.identity import authenticated

PROTOCOLS = "sec-websocket-protocol"
BEARER_PROTOCOL = "base64url.bearer.authorization.k8s.io."


class Tokens(Protocol):
    """A kind of bearer token."""

    async def user(self, token: str) -> User | None:
        """Whom the token stands for; None when it is not one of these or no longer valid."""


class Authenticator:
    """By bearer tokens, where no client certificate says it. Nobody is anonymous."""

    def __init__(self, tokens: Sequence[Tokens]) -> None:
        self._tokens = tuple(tokens)

    async def user(self, request: Request) -> User:
        """The caller, of whom the transport has not made sure; raise Unauthorized."""
        token = bearer(request.headers) or websocket_token(request.headers)
        user = await self.token_user(token) if token else None
        if user is None:
            raise Unauthorized("Unauthorized")
        return user

    async def token_user(self, token: str) -> User | None:
        """Whom a bearer token stands for."""
        for tokens in self._tokens:
            user = await tokens.user(token)
            if user is not None:
                return authenticated(user)
        return None


def websocket_token(headers: dict[str, str]) -> str:
    """The token that a browser's WebSocket offers as a subprotocol, "" when it has none; it goes no further than here.

    A page can set no other header. The subprotocol that is really meant must stand beside it.
    """
    if headers.get("upgrade", "").lower() != "websocket" or BEARER_PROTOCOL not in headers.get(PROTOCOLS, ""):
        return ""
    offered = [protocol.strip() for protocol in headers[PROTOCOLS].split(",")]
    kept = [protocol for protocol in offered if not protocol.startswith(BEARER_PROTOCOL)]
    tokens = [protocol.removeprefix(BEARER_PROTOCOL) for protocol in offered if protocol.startswith(BEARER_PROTOCOL)]
    if len(tokens) != 1 or not kept:
        raise Unauthorized("Unauthorized")
    headers[PROTOCOLS] = ", ".join(kept)
    try:
        return base64.b64decode(tokens[0] + "=" * (-len(tokens[0]) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise Unauthorized("Unauthorized") from None


def bearer(headers: Mapping[str, str]) -> str:
    """The bearer token of a request, "" when it has none."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return ""
