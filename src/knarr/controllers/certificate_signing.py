"""Certificate signing: approved requests get the certificate that they ask for, if their signer is the cluster's.

Keeps true: of the signers of `kubernetes.io` that are for clients of the API server and for nodes, each approved
request has its certificate, or a condition that says what its signer has against it. The key is whoever's runs this
controller: `sign` is given.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from knarr.controllers.certificate_requests import SIGNERS, Unreadable, condition, read, refusal, told
from knarr.kinds.types.certificates_v1 import CertificateSigningRequest
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Status, Step
from knarr.meta import clock
from knarr.meta.errors import NotFound

#: (request in base64, usages, seconds or None) -> the certificate in base64; raises ValueError for what is wrong
Sign = Callable[[str, Sequence[str], int | None], str]


def is_due(request: CertificateSigningRequest) -> bool:
    """Whether a request waits for a signature of the cluster's."""
    agreed, failed = condition(request, "Approved"), condition(request, "Failed")
    if request.spec.signerName not in SIGNERS or request.status.certificate or condition(request, "Denied"):
        return False
    return agreed is not None and (failed is None or failed.status != "True")


def plan(request: CertificateSigningRequest, sign: Sign, now: datetime) -> list[Step]:
    """Return the step that signs the request, or says why that cannot be."""
    if not is_due(request):
        return []
    try:
        if wrong := refusal(request, read(request)):
            return [failed(request, wrong, now)]
        certificate = sign(request.spec.request, request.spec.usages, request.spec.expirationSeconds)
    except (Unreadable, ValueError) as error:
        return [failed(request, str(error), now)]
    return [Status(replace(request, status=replace(request.status, certificate=certificate)), "signed")]


def failed(request: CertificateSigningRequest, why: str, now: datetime) -> Status:
    return Status(told(request, "Failed", "SignerValidationFailure", why, now), why)


async def sync(sign: Sign, key: Key, context: Context) -> None:
    request = context.cache(CertificateSigningRequest).get(key[1])
    if request is None:
        return
    try:
        await carry_out(context.api, plan(request, sign, clock.now()), context.recorder)
    except NotFound:
        return


def controller(sign: Sign) -> Controller:
    return Controller(
        name="certificatesigningrequest-signing",
        sources=[Source(CertificateSigningRequest, itself)],
        sync=partial(sync, sign),
    )
