"""Certificates that the cluster signs for others."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from knarr.meta import clock
from knarr.server import issuing, signing
from knarr.server.pki import Pki

SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    issuing.ensure(folder, hosts=["localhost"], nodes=[])
    return signing.authority(Pki(folder))


def request(key=KEY, *extensions):
    builder = x509.CertificateSigningRequestBuilder().subject_name(SUBJECT)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def encoded(asked):
    return base64.b64encode(asked.public_bytes(serialization.Encoding.PEM)).decode()


def signed(authority, asked, usages=("client auth",), seconds=None):
    pem = base64.b64decode(authority.sign(encoded(asked), list(usages), seconds))
    return x509.load_pem_x509_certificate(pem)


def test_a_certificate_is_for_who_asks_and_for_what_is_asked(authority):
    names = x509.SubjectAlternativeName([x509.DNSName("a.example.com")])
    found = signed(authority, request(KEY, names), ["digital signature", "client auth", "server auth"])
    found.verify_directly_issued_by(authority.certificate)
    assert found.subject == SUBJECT
    assert found.public_key() == KEY.public_key()
    assert found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == names
    usages = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [*usages] == [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment, usage.key_cert_sign) == (True, False, False)


def test_an_rsa_key_is_as_good(authority):
    assert signed(authority, request(rsa.generate_private_key(65537, 2048))).subject == SUBJECT


def test_nobody_becomes_an_authority_by_asking(authority):
    found = signed(authority, request(KEY, x509.BasicConstraints(ca=True, path_length=None)))
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


WHOLE = timedelta(seconds=1)  #: what a certificate's times are rounded to
LASTS = {
    "a year unless told": (None, timedelta(days=365) - signing.BACKDATE),
    "as long as asked": (86400, timedelta(days=1) - signing.BACKDATE),
    "to the second when short": (3600, timedelta(hours=1)),
    "ten minutes at least": (1, timedelta(minutes=10)),
    "a year at most": (10**9, timedelta(days=365) - signing.BACKDATE),
}


@pytest.mark.parametrize("seconds, lasts", LASTS.values(), ids=LASTS)
def test_a_certificate_lasts(authority, seconds, lasts):
    began = clock.now()
    end = signed(authority, request(), seconds=seconds).not_valid_after_utc
    assert began + lasts - WHOLE <= end <= clock.now() + lasts + WHOLE


def test_a_request_that_its_key_did_not_sign_is_refused(authority):
    asked = bytearray(request().public_bytes(serialization.Encoding.DER))
    asked[-1] ^= 1
    pem = x509.load_der_x509_csr(bytes(asked)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(ValueError, match="unable to verify certificate request signature"):
        authority.sign(base64.b64encode(pem).decode(), ["client auth"], None)


def test_a_usage_that_does_not_exist_is_refused(authority):
    with pytest.raises(ValueError, match="unrecognized usage values"):
        signed(authority, request(), ["world domination"])
