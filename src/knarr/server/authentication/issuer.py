"""What tells other systems how to check service account tokens without asking this cluster for each: the issuer's
configuration and its key set, as OpenID Connect discovery has them. RBAC says who may read them.

https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery
"""

import base64
import json
from typing import Any

from knarr.client.transport import Response
from knarr.server.authentication import key_names
from knarr.server.authentication.service_account_tokens import ALGORITHM

CONFIGURATION = "/.well-known/openid-configuration"
KEYS = "/openid/v1/jwks"
FRESH = "public, max-age=3600"  #: how long the answers may be kept


class IssuerDocuments:
    """Both documents of one issuer with one key. `address` is the server's host and port."""

    def __init__(self, issuer: str, address: str, public_key: bytes) -> None:
        configuration = {
            "issuer": issuer,
            "jwks_uri": f"https://{address}{KEYS}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
        }
        self._answers = {
            CONFIGURATION: ("application/json", configuration),
            KEYS: ("application/jwk-set+json", {"keys": [jwk(public_key)]}),
        }

    def answer(self, path: str) -> Response | None:
        """The document at a path; None when none is there."""
        if path not in self._answers:
            return None
        kind, tree = self._answers[path]
        body = json.dumps(tree, separators=(",", ":")).encode()
        return Response(200, {"content-type": kind, "cache-control": FRESH}, body)


def jwk(public_key: bytes) -> dict[str, Any]:
    """A PEM key of the curve P-256 as a JSON web key (RFC 7517)."""
    from cryptography.hazmat.primitives import serialization

    key: Any = serialization.load_pem_public_key(public_key)
    point = key.public_numbers()
    name = {"use": "sig", "kid": key_names.of_public(public_key), "alg": ALGORITHM}
    return name | {"kty": "EC", "crv": "P-256", "x": coordinate(point.x), "y": coordinate(point.y)}


def coordinate(number: int) -> str:
    """A number of P-256, all of its 32 bytes, as web keys write them (RFC 7518)."""
    return base64.urlsafe_b64encode(number.to_bytes(32)).decode().rstrip("=")
