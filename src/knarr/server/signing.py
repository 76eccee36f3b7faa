"""What the cluster signs for others with the keys it has: certificates that were asked for and approved.

Called by `knarr.app`, which gives it to the controllers: they neither hold keys nor read files.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from knarr.meta import clock
from knarr.server.pki import Pki

LONGEST, SHORTEST = timedelta(days=365), timedelta(minutes=10)  #: upstream's --cluster-signing-duration, and its least
BACKDATE = timedelta(minutes=5)  #: tolerates a client whose clock is a little behind
SHORT = timedelta(hours=8)  #: the end of a certificate that lasts less is not moved too

#: what a request calls a usage -> what X.509 does
KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "data encipherment": "data_encipherment",
    "key agreement": "key_agreement",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
EXTENDED = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec tunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft sgc": x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
}


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority, able to sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def sign(self, request: str, usages: Sequence[str], seconds: int | None) -> str:
        """The certificate for a PKCS#10 request, both PEM in base64; raises ValueError, which says what is wrong."""
        asked = x509.load_pem_x509_csr(base64.b64decode(request))
        if not asked.is_signature_valid:
            raise ValueError("unable to verify certificate request signature: the signature is not of its key")
        now, lasts = clock.now(), lifetime(seconds)
        until = now + (lasts if lasts < SHORT else lasts - BACKDATE)
        builder = (
            x509.CertificateBuilder()
            .subject_name(asked.subject)
            .issuer_name(self.certificate.subject)
            .public_key(asked.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATE)
            .not_valid_after(min(until, self.certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        for extension, critical in (*extensions_of(usages), *names_of(asked)):
            builder = builder.add_extension(extension, critical=critical)
        signed = builder.sign(self.key, hashes.SHA256())
        return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


def lifetime(seconds: int | None) -> timedelta:
    """How long a certificate lasts for which so many seconds are asked."""
    return LONGEST if seconds is None else min(max(timedelta(seconds=seconds), SHORTEST), LONGEST)


def extensions_of(usages: Sequence[str]) -> list[tuple[x509.ExtensionType, bool]]:
    """What the certificate may be used for, and whether that is critical; raises ValueError for an unknown usage."""
    if unknown := [usage for usage in usages if usage not in KEY_USAGES and usage not in EXTENDED]:
        raise ValueError(f"unrecognized usage values: {unknown}")
    found: list[tuple[x509.ExtensionType, bool]] = []
    wanted = {KEY_USAGES[usage] for usage in usages if usage in KEY_USAGES}
    if wanted:
        found.append((x509.KeyUsage(**{name: name in wanted for name in dict.fromkeys(KEY_USAGES.values())}), True))
    if extended := list(dict.fromkeys(EXTENDED[usage] for usage in usages if usage in EXTENDED)):
        found.append((x509.ExtendedKeyUsage(extended), False))
    return found


def names_of(asked: x509.CertificateSigningRequest) -> list[tuple[x509.ExtensionType, bool]]:
    """The other names that are asked for. Nothing else that a request asks for is granted."""
    for extension in asked.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            kinds = (x509.DNSName, x509.IPAddress, x509.RFC822Name, x509.UniformResourceIdentifier)
            names = [name for name in extension.value if isinstance(name, kinds)]
            return [(x509.SubjectAlternativeName(names), not list(asked.subject))] if names else []
    return []


def authority(pki: Pki) -> Authority:
    """The cluster's authority, from its files; raises ValueError for a key of another sort."""
    pair = pki.pair("ca")
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{pair.key} holds no elliptic curve key")
    return Authority(x509.load_pem_x509_certificate(pair.certificate.read_bytes()), key)
