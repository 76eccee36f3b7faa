"""Certificate cleaning: requests for certificates go when nobody needs them any more.

Issued, denied and failed ones are kept for an hour, those that nobody decided or signed for a day, and none for longer
than the certificate lasts.
"""

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta

from knarr.controllers.certificate_requests import condition
from knarr.kinds.types.certificates_v1 import CertificateSigningRequest
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Delete, Step, Wait
from knarr.meta import clock

DONE, OPEN = timedelta(hours=1), timedelta(hours=24)


def plan(request: CertificateSigningRequest, now: datetime) -> list[Step]:
    """Delete the request, or wait until it is to be deleted."""
    if request.metadata.deletionTimestamp:
        return []
    due, why = min(ends(request))
    return [Delete(request, why)] if due <= now else [Wait(request, f"will be {why}", due)]


def ends(request: CertificateSigningRequest) -> Iterator[tuple[datetime, str]]:
    """When the request may go, and what it is then."""
    created = clock.parse(request.metadata.creationTimestamp)
    if not request.status.conditions:
        yield created + OPEN, "pending for a day"
    for type_ in ("Denied", "Failed", "Approved"):
        found = condition(request, type_)
        if found is None:
            continue
        since = clock.parse(found.lastUpdateTime) if found.lastUpdateTime else created
        if type_ != "Approved":
            yield since + DONE, f"{type_.lower()} for an hour"
        elif request.status.certificate:
            yield since + DONE, "issued for an hour"
        else:
            yield since + OPEN, "approved and not signed for a day"
    if (until := expiry(request.status.certificate)) is not None:
        yield until, "expired"
    yield datetime.max.replace(tzinfo=created.tzinfo), "old"


def expiry(certificate: str) -> datetime | None:
    """When a certificate, PEM in base64, is over; None for what is none."""
    if not certificate:
        return None
    from cryptography import x509  # 30 ms: not before there is one

    try:
        return x509.load_pem_x509_certificate(base64.b64decode(certificate)).not_valid_after_utc
    except ValueError:
        return None


async def sync(key: Key, context: Context) -> datetime | None:
    request = context.cache(CertificateSigningRequest).get(key[1])
    if request is None:
        return None
    return await carry_out(context.api, plan(request, clock.now()), context.recorder)


CONTROLLER = Controller(
    name="certificatesigningrequest-cleaner",
    sources=[Source(CertificateSigningRequest, itself)],
    sync=sync,
)
