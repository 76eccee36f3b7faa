"""What a certificate is asked for: the rules of the signers of `kubernetes.io`. Pure.

The controllers that approve, sign and clear away requests read a request by `read` and ask `refusal` what its signer
has against it.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from knarr.kinds.types.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition
from knarr.meta import clock

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"
SIGNERS = (CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY)  #: whose certificates the cluster's authority signs
NODES, NODE = "system:nodes", "system:node:"
OPTIONAL = frozenset({"digital signature", "key encipherment"})
USAGES = {KUBELET_CLIENT: "client auth", KUBELET_SERVING: "server auth"}  #: what a node's certificate is for


class Unreadable(ValueError):
    """A request that is no PKCS#10 request in PEM."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who a certificate is to be for."""

    name: str = ""
    organizations: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def read(request: CertificateSigningRequest) -> Asked:
    """What a request asks for; raises Unreadable."""
    from cryptography import x509  # 30 ms: not before somebody asks for a certificate

    try:
        found = x509.load_pem_x509_csr(base64.b64decode(request.spec.request))
        subject, extensions = found.subject, found.extensions
    except ValueError as error:
        raise Unreadable(f"request {request.metadata.name}: {error}") from error
    names: Iterable[x509.GeneralName] = ()
    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names = extension.value
    names = [*names]

    def of(type_: type[x509.GeneralName]) -> tuple[str, ...]:
        return tuple(str(name.value) for name in names if isinstance(name, type_))

    common = subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return Asked(
        name=str(common[-1].value) if common else "",
        organizations=tuple(str(name.value) for name in subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)),
        dns=of(x509.DNSName),
        addresses=of(x509.IPAddress),
        emails=of(x509.RFC822Name),
        uris=of(x509.UniformResourceIdentifier),
    )


def refusal(request: CertificateSigningRequest, asked: Asked) -> str:
    """Why the request's signer cannot sign it; "" if it can."""
    signer, usages = request.spec.signerName, frozenset(request.spec.usages)
    if signer == CLIENT:
        return client_refusal(request.spec.usages)
    if signer not in USAGES:
        return ""
    if asked.organizations != (NODES,):
        return "subject organization is not system:nodes"
    wrong = names_refusal(asked, serving=signer == KUBELET_SERVING)
    wanted = {USAGES[signer], "digital signature"}
    if not wrong and usages - {"key encipherment"} != wanted:
        listed = " ".join(sorted(wanted | OPTIONAL))
        wrong = f"usages did not match [{listed}]"
    if not wrong and not asked.name.startswith(NODE):
        wrong = "subject common name does not begin with system:node:"
    return wrong


def names_refusal(asked: Asked, *, serving: bool) -> str:
    """What is wrong with the other names of a node's certificate."""
    if serving:
        if not asked.dns and not asked.addresses:
            return "DNS or IP subjectAltName is required"
    elif asked.dns or asked.addresses:
        return f"{'DNS' if asked.dns else 'IP'} subjectAltNames are not allowed"
    if asked.emails or asked.uris:
        return f"{'Email' if asked.emails else 'URI'} subjectAltNames are not allowed"
    return ""


def client_refusal(usages: Iterable[str]) -> str:
    """What is wrong with the usages of a client's certificate."""
    for usage in usages:
        if usage not in OPTIONAL and usage != "client auth":
            return f"invalid usage for client certificate: {usage}"
    return "" if "client auth" in usages else "missing required usage for client certificate: client auth"


def told(
    request: CertificateSigningRequest, type_: str, reason: str, message: str, now: datetime
) -> CertificateSigningRequest:
    """The request with one condition more, which is true from now on."""
    since = clock.timestamp(now)
    said = CertificateSigningRequestCondition(
        type=type_, status="True", reason=reason, message=message, lastUpdateTime=since, lastTransitionTime=since
    )
    return replace(request, status=replace(request.status, conditions=[*request.status.conditions, said]))


def condition(request: CertificateSigningRequest, type_: str) -> CertificateSigningRequestCondition | None:
    """The condition of a type: Approved, Denied or Failed."""
    return next((found for found in request.status.conditions if found.type == type_), None)
