"""How tokens name the key that signed them: as upstream, the digest of the public key's DER form."""

import base64
import hashlib
from functools import cache


@cache
def of_public(public_key: bytes) -> str:
    """The name of a PEM public key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    der = load_pem_public_key(public_key).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


@cache
def of_private(private_key: bytes) -> str:
    """The name of the public half of a PEM private key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    public = load_pem_private_key(private_key, None).public_key()
    return of_public(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
