"""Requests for certificates: who may have one without asking anybody, what signers refuse, and when requests go."""

import base64
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from knarr.controllers import certificate_approval, certificate_cleaning, certificate_signing
from knarr.controllers.certificate_requests import CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY, read, refusal
from knarr.kinds.types.certificates_v1 import (
    CertificateSigningRequest,
    CertificateSigningRequestCondition,
    CertificateSigningRequestSpec,
    CertificateSigningRequestStatus,
)
from knarr.meta import clock
from knarr.testing.builders import a_meta

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
CLIENT_USAGES, SERVER_USAGES = ("digital signature", "client auth"), ("digital signature", "server auth")
NODE, NODES = "system:node:n", ("system:nodes",)


def asked_for(name=NODE, organizations=NODES, names=()):
    """A PKCS#10 request, PEM in base64."""
    words = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([*words, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return base64.b64encode(builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)).decode()


def a_request(
    signer=KUBELET_CLIENT, usages=CLIENT_USAGES, *, by=NODE, created="", certificate="", conditions=(), **asked
):
    spec = CertificateSigningRequestSpec(
        request=asked_for(**asked), signerName=signer, usages=list(usages), username=by, groups=list(NODES)
    )
    status = CertificateSigningRequestStatus(certificate=certificate, conditions=list(conditions))
    return CertificateSigningRequest(
        metadata=a_meta("r", "", creationTimestamp=created or clock.timestamp(NOW)), spec=spec, status=status
    )


def said(type_, since=NOW, status="True"):
    return CertificateSigningRequestCondition(type=type_, status=status, lastUpdateTime=clock.timestamp(since))


DNS, ADDRESS = x509.DNSName("n"), x509.IPAddress(ip_address("10.0.0.1"))
MAIL, URI = x509.RFC822Name("a@example.com"), x509.UniformResourceIdentifier("spiffe://n")

REFUSALS = {
    "nothing of a node's own client": (a_request(), ""),
    "nothing of one whose key wants to encipher": (a_request(usages=[*CLIENT_USAGES, "key encipherment"]), ""),
    "a node that is of no node": (a_request(organizations=["x"]), "subject organization is not system:nodes"),
    "a node that is of more": (
        a_request(organizations=["system:nodes", "x"]), "subject organization is not system:nodes"),
    "a node with a name of another sort": (a_request(name="n"), "subject common name does not begin with system:node:"),
    "a client that would serve": (
        a_request(usages=SERVER_USAGES), "usages did not match [client auth digital signature key encipherment]"),
    "a client with host names": (a_request(names=[DNS]), "DNS subjectAltNames are not allowed"),
    "a client with addresses": (a_request(names=[ADDRESS]), "IP subjectAltNames are not allowed"),
    "a client with mail": (a_request(names=[MAIL]), "Email subjectAltNames are not allowed"),
    "a client with other names": (a_request(names=[URI]), "URI subjectAltNames are not allowed"),
    "nothing of a node's server": (a_request(KUBELET_SERVING, SERVER_USAGES, names=[DNS, ADDRESS]), ""),
    "a server without names": (a_request(KUBELET_SERVING, SERVER_USAGES), "DNS or IP subjectAltName is required"),
    "a server with mail": (
        a_request(KUBELET_SERVING, SERVER_USAGES, names=[DNS, MAIL]), "Email subjectAltNames are not allowed"),
    "a server that would be a client": (
        a_request(KUBELET_SERVING, CLIENT_USAGES, names=[DNS]),
        "usages did not match [digital signature key encipherment server auth]"),
    "nothing of any client": (a_request(CLIENT, name="jane", organizations=[]), ""),
    "a client that is none": (
        a_request(CLIENT, ["digital signature"]), "missing required usage for client certificate: client auth"),
    "a client that would sign": (
        a_request(CLIENT, ["client auth", "cert sign"]), "invalid usage for client certificate: cert sign"),
    "nothing of what is for unknown use": (a_request(LEGACY, ["any"], name="x", organizations=[]), ""),
}  # fmt: skip


@pytest.mark.parametrize("request_, expected", REFUSALS.values(), ids=REFUSALS)
def test_a_signer_refuses(request_, expected):
    assert refusal(request_, read(request_)) == expected


PERMISSIONS = {
    "a node for itself": (a_request(), ["selfnodeclient", "nodeclient"]),
    "somebody for a node": (a_request(by="bootstrap"), ["nodeclient"]),
    "a node for its server": (a_request(KUBELET_SERVING, SERVER_USAGES, names=[DNS]), []),
    "anybody for a client": (a_request(CLIENT), []),
    "a node for what its signer refuses": (a_request(names=[DNS]), []),
}


@pytest.mark.parametrize("request_, expected", PERMISSIONS.values(), ids=PERMISSIONS)
def test_what_lets_a_request_pass(request_, expected):
    found = certificate_approval.permissions(request_, read(request_))
    assert [each.subresource for each in found] == expected


def sign(request, usages, seconds):
    if "any" in usages:
        raise ValueError("no key for that")
    return "signed"


APPROVED = [said("Approved")]
SIGNED = {
    "an approved one": (a_request(conditions=APPROVED), ["update status of certificatesigningrequest r: signed"]),
    "not an open one": (a_request(), []),
    "not a denied one": (a_request(conditions=[said("Denied")]), []),
    "not one that is signed": (a_request(certificate="x", conditions=APPROVED), []),
    "not one that failed": (a_request(conditions=[*APPROVED, said("Failed")]), []),
    "not one of another's signer": (a_request("example.com/mine", conditions=APPROVED), []),
    "one that is refused fails": (
        a_request(name="n", conditions=APPROVED),
        ["update status of certificatesigningrequest r: subject common name does not begin with system:node:"]),
    "one that cannot be signed fails": (
        a_request(LEGACY, ["any"], conditions=APPROVED),
        ["update status of certificatesigningrequest r: no key for that"]),
}  # fmt: skip


@pytest.mark.parametrize("request_, steps", SIGNED.values(), ids=SIGNED)
def test_what_is_signed(request_, steps):
    planned = certificate_signing.plan(request_, sign, NOW)
    assert [str(step) for step in planned] == steps
    for step in planned:
        failed = [each.reason for each in step.obj.status.conditions if each.type == "Failed"]
        assert failed == ([] if step.obj.status.certificate else ["SignerValidationFailure"])


def ago(**span):
    return NOW - timedelta(**span)


def issued(until):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key()).serial_number(1)
        .not_valid_before(ago(days=9)).not_valid_after(until).sign(KEY, hashes.SHA256())
    )  # fmt: skip
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


CLEANED = {
    "an open one after a day": (a_request(created=clock.timestamp(ago(days=1))), True),
    "not an open one of today": (a_request(created=clock.timestamp(ago(hours=23))), False),
    "a denied one after an hour": (a_request(conditions=[said("Denied", ago(hours=1))]), True),
    "a failed one after an hour": (a_request(conditions=[said("Approved"), said("Failed", ago(hours=1))]), True),
    "an issued one after an hour": (
        a_request(certificate=issued(NOW + timedelta(days=9)), conditions=[said("Approved", ago(hours=1))]), True),
    "not an issued one of this hour": (
        a_request(certificate=issued(NOW + timedelta(days=9)), conditions=[said("Approved", ago(minutes=59))]), False),
    "one whose certificate is over": (a_request(certificate=issued(NOW), conditions=APPROVED), True),
    "not an approved one that waits for its signature": (
        a_request(conditions=[said("Approved", ago(hours=23))]), False),
    "an approved one that was not signed for a day": (a_request(conditions=[said("Approved", ago(days=1))]), True),
}  # fmt: skip


@pytest.mark.parametrize("request_, goes", CLEANED.values(), ids=CLEANED)
def test_what_is_cleared_away(request_, goes):
    (step,) = certificate_cleaning.plan(request_, NOW)
    assert str(step).startswith("delete" if goes else "wait")
