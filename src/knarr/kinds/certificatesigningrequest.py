"""CertificateSigningRequest: somebody asks a signer for a certificate."""

import base64
import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import keep_spec, keep_status
from knarr.kinds.types.certificates_v1 import CertificateSigningRequest
from knarr.meta import field, names
from knarr.meta.field import FieldError

PEM = re.compile(rb"-----BEGIN CERTIFICATE REQUEST-----\s.*?-----END CERTIFICATE REQUEST-----", re.DOTALL)
SHORTEST = 600  #: seconds a certificate must be asked for at least


def defaults(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    if not spec.get("usages"):
        spec["usages"] = ["digital signature", "key encipherment"]
    tree.setdefault("status", {})


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


def validate(request: CertificateSigningRequest) -> Iterator[FieldError]:
    spec = request.spec
    if PEM.search(base64.b64decode(spec.request)) is None:
        yield field.wrong("spec.request", spec.request, "PEM block type must be CERTIFICATE REQUEST")
    if not spec.usages:
        yield field.required("spec.usages")
    domain, slash, rest = spec.signerName.partition("/")
    if not spec.signerName:
        yield field.required("spec.signerName")
    elif not slash or not rest or names.subdomain_errors(domain) or "." not in domain:
        message = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        yield field.wrong("spec.signerName", spec.signerName, message)
    if spec.expirationSeconds is not None and spec.expirationSeconds < SHORTEST:
        message = "may not specify a duration less than 600 seconds (10 minutes)"
        yield field.wrong("spec.expirationSeconds", spec.expirationSeconds, message)


def validate_update(new: CertificateSigningRequest, old: CertificateSigningRequest) -> Iterator[FieldError]:
    yield from rules.unchanged(new.spec, old.spec, "spec")


def state(request: CertificateSigningRequest) -> str:
    """The Condition column: approved or denied, failed, issued."""
    words = [c.type for c in request.status.conditions if c.type in ("Approved", "Denied")][:1] or ["Pending"]
    if any(c.type == "Failed" for c in request.status.conditions):
        words.append("Failed")
    if request.status.certificate:
        words.append("Issued")
    return ",".join(words)


def row(request: CertificateSigningRequest, now: datetime) -> Sequence[object]:
    seconds = request.spec.expirationSeconds
    return (
        request.metadata.name,
        cells.age(request, now),
        request.spec.signerName or cells.NONE,
        request.spec.username,
        cells.NONE if seconds is None else cells.duration(seconds),
        state(request),
    )


KIND = Kind(
    type=CertificateSigningRequest,
    group="certificates.k8s.io",
    version="v1",
    kind="CertificateSigningRequest",
    plural="certificatesigningrequests",
    singular="certificatesigningrequest",
    namespaced=False,
    short_names=("csr",),
    subresources={"approval": ("get", "patch", "update"), "status": ("get", "patch", "update")},
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    validate_update=validate_update,
    columns=(
        NAME_COLUMN,
        AGE_COLUMN,
        Column("SignerName"),
        Column("Requestor"),
        Column("RequestedDuration"),
        Column("Condition"),
    ),
    row=row,
    selectable={"spec.signerName": lambda request: request.spec.signerName},
)
