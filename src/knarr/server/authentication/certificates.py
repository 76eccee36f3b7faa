"""Client certificates: the common name is the user, the organizations are the groups."""

from collections.abc import Mapping
from typing import Any

from knarr.client.transport import User


def user(certificate: Mapping[str, Any]) -> User | None:
    """Whom a verified certificate names, in the form of `ssl.SSLSocket.getpeercert()`."""
    names = [pair for part in certificate.get("subject", ()) for pair in part]
    common = next((value for key, value in names if key == "commonName"), "")
    if not common:
        return None
    return User(common, groups=tuple(value for key, value in names if key == "organizationName"))
