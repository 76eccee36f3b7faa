"""A certificate authority of one's own and every certificate signed by it. Called by `knarr.app` and `knarr.testing`.

What is there is kept, and only what is missing is made. Private keys are written 0600 in a folder that is 0700. All
keys are ECDSA P-256.
"""

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from knarr.meta import clock
from knarr.server.pki import Pair, Pki

LIFETIME = timedelta(days=3650)
FRONT_PROXY = "front-proxy-client"  #: under which servers of further APIs know the API server
BACKDATE = timedelta(minutes=5)  # tolerates a client whose clock is a little behind


def ensure(
    folder: Path, *, hosts: Iterable[str], nodes: Iterable[tuple[str, str]], simulated: Iterable[str] = ()
) -> Pki:
    """Make what is missing in `folder`: for the API server under `hosts`, for `nodes` given as (name, address), and one
    certificate for all simulated nodes, at these addresses.
    """
    pki = Pki(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = _ensure_authority(pki.pair("ca"))
    _ensure_signed(authority, pki.server, "kube-apiserver", hosts=hosts, server=True)
    _ensure_signed(authority, pki.admin, "kubernetes-admin", groups=["system:masters"])
    _ensure_signed(authority, pki.kubelet_client, "kube-apiserver-kubelet-client")  # no power but over agents
    front_proxy = _ensure_authority(pki.pair("front-proxy-ca"), "knarr-front-proxy-ca")
    _ensure_signed(front_proxy, pki.front_proxy, FRONT_PROXY)
    for name, address in nodes:
        hosts_of_node = [name, address] if address else [name, "127.0.0.1"]
        _ensure_signed(
            authority, pki.node(name), f"system:node:{name}", groups=["system:nodes"], hosts=hosts_of_node, server=True
        )
    if addresses := list(simulated):
        _ensure_signed(authority, pki.simulated, "knarr-simulated-nodes", hosts=addresses, server=True)
    _ensure_signing_key(pki.service_accounts)
    return pki


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def _ensure_authority(pair: Pair, common_name: str = "knarr-ca") -> _Authority:
    if pair.certificate.exists() and pair.key.exists():
        key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{pair.key} holds no elliptic curve key")
        return _Authority(x509.load_pem_x509_certificate(pair.certificate.read_bytes()), key)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    certificate = (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(pair, certificate, key)
    return _Authority(certificate, key)


def _ensure_signed(
    authority: _Authority,
    pair: Pair,
    user: str,
    *,
    groups: Iterable[str] = (),
    hosts: Iterable[str] = (),
    server: bool = False,
) -> None:
    wanted = sorted(set(hosts))
    if pair.certificate.exists() and pair.key.exists() and _serves(pair.certificate, wanted):
        return
    key = ec.generate_private_key(ec.SECP256R1())
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if server else [])]
    ca_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        _builder(_name(user, groups), authority.certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(ca_key, critical=False)
    )
    if wanted:
        builder = builder.add_extension(x509.SubjectAlternativeName([_host(h) for h in wanted]), critical=False)
    _write(pair, builder.sign(authority.key, hashes.SHA256()), key)


def _serves(path: Path, hosts: list[str]) -> bool:
    """Whether the certificate is valid for another day and names all `hosts`."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    if certificate.not_valid_after_utc < clock.now() + timedelta(days=1):
        return False
    if not hosts:
        return True
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {_host(h) for h in hosts} <= set(names)


def _ensure_signing_key(pair: Pair) -> None:
    if pair.key.exists() and pair.certificate.exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    _write_private(pair.key, _pem(key))
    pair.certificate.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = clock.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(user: str, groups: Iterable[str] = ()) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    _write_private(pair.key, _pem(key))
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
