"""Who may approve and sign certificates of a signer, and which subjects nobody may ask for."""

from knarr.kinds.types.certificates_v1 import CertificateSigningRequest
from knarr.server.admission import Admission, State
from knarr.server.authorization import Attributes, Authorizer

GROUP = "certificates.k8s.io"
CLIENT = "kubernetes.io/kube-apiserver-client"
MASTERS = "system:masters"


class CertificateSigners:
    """Approving takes the verb `approve` on the signer, writing the certificate takes `sign`."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def admit(self, admission: Admission, state: State) -> None:
        if admission.kind.group != GROUP or admission.kind.kind != "CertificateSigningRequest":
            return
        if admission.verb != "update" or admission.subresource not in ("approval", "status"):
            return
        old: CertificateSigningRequest = admission.old_object()
        if admission.subresource == "status":
            new: CertificateSigningRequest = admission.object()
            if new.status.certificate == old.status.certificate:
                return
        verb = "approve" if admission.subresource == "approval" else "sign"
        if not await self._may(admission, verb, old.spec.signerName):
            name = old.spec.signerName
            raise admission.refuse(f'user not permitted to {verb} requests with signerName "{name}"')

    async def _may(self, admission: Admission, verb: str, signer: str) -> bool:
        """Whether the user may do it for this signer, or for all of its domain."""
        domain, _, _ = signer.partition("/")
        for name in (signer, f"{domain}/*"):
            asked = Attributes(admission.user, verb, GROUP, "v1", "", "signers", name=name)
            if (await self._authorizer.allows(asked))[0]:
                return True
        return False


class CertificateSubjectRestriction:
    """No client certificate makes its bearer a master of the cluster."""

    async def admit(self, admission: Admission, state: State) -> None:
        if not admission.is_("CertificateSigningRequest", "create", group=GROUP):
            return
        found: CertificateSigningRequest = admission.object()
        if found.spec.signerName == CLIENT and MASTERS in organizations(found.spec.request):
            raise admission.refuse(f"use of {CLIENT} signer with {MASTERS} group is not allowed")


def organizations(request: str) -> list[str]:
    """The organizations that a request in base64 names; none when it cannot be read."""
    import base64

    from cryptography import x509

    try:
        subject = x509.load_pem_x509_csr(base64.b64decode(request)).subject
    except ValueError:
        return []
    return [str(name.value) for name in subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)]
