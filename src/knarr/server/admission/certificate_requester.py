"""A request for a certificate says who made it: what the signer goes by, and nobody says of himself."""

from knarr.server.admission import Admission, State, part


class CertificateRequester:
    async def admit(self, admission: Admission, state: State) -> None:
        if not admission.is_("CertificateSigningRequest", "create", group="certificates.k8s.io"):
            return
        user = admission.user
        said = {
            "username": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {key: list(values) for key, values in user.extra.items()},
        }
        spec = part(admission.tree, "spec")
        for field, value in said.items():
            spec.pop(field, None)
            if value:
                spec[field] = value
