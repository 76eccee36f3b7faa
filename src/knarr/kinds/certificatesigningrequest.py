"""CertificateSigningRequest: somebody asks a signer for a certificate."""

import base64
import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Part, Tree
from knarr.kinds.trees import items, keep_spec, keep_status
from knarr.kinds.types.certificates_v1 import CertificateSigningRequest
from knarr.meta import field, names
from knarr.meta.field import FieldError

PEM = re.compile(rb"-----BEGIN CERTIFICATE REQUEST-----\s.*?-----END CERTIFICATE REQUEST-----", re.DOTALL)
USAGES = (
    *("any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment"),
    *("decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel"),
    *("ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime"),
    *("server auth", "signing", "timestamping"),
)
SHORTEST = 600  #: seconds a certificate must be asked for at least


def defaults(tree: Tree) -> None:
    tree.setdefault("spec", {})
    tree.setdefault("status", {})


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


def validate(request: CertificateSigningRequest) -> Iterator[FieldError]:
    spec = request.spec
    if PEM.search(base64.b64decode(spec.request)) is None:
        yield field.wrong("spec.request", spec.request, "PEM block type must be CERTIFICATE REQUEST")
    yield from usages(spec.usages)
    domain, slash, rest = spec.signerName.partition("/")
    if not spec.signerName:
        yield field.required("spec.signerName")
    elif not slash or not rest or names.subdomain_errors(domain) or "." not in domain:
        message = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        yield field.wrong("spec.signerName", spec.signerName, message)
    if spec.expirationSeconds is not None and spec.expirationSeconds < SHORTEST:
        message = "may not specify a duration less than 600 seconds (10 minutes)"
        yield field.wrong("spec.expirationSeconds", spec.expirationSeconds, message)


def usages(given: Sequence[str]) -> Iterator[FieldError]:
    if not given:
        yield field.required("spec.usages")
    for index, usage in enumerate(given):
        if usage not in USAGES:
            yield field.unsupported(f"spec.usages[{index}]", usage, USAGES)
        if usage in given[:index]:
            yield field.duplicate(f"spec.usages[{index}]", usage)


def validate_update(new: CertificateSigningRequest, old: CertificateSigningRequest) -> Iterator[FieldError]:
    yield from rules.unchanged(new.spec, old.spec, "spec")


DECISIONS = ("Approved", "Denied")


def prepare_approval(new: Tree, old: Tree) -> None:
    """An approval decides and does nothing else."""
    decided = {"status": dict(new.get("status") or {})}
    new["spec"] = old["spec"]
    _decide(new, old, decided)


def prepare_status(new: Tree, old: Tree) -> None:
    """A signer tells what became of it, and decides nothing."""
    keep_spec(new, old)
    _decide(new, new, old)


def _decide(new: Tree, status: Tree, decided: Tree) -> None:
    """Take the status of one, but the decisions of another."""
    decisions = [c for c in items(decided.get("status") or {}, "conditions") if c.get("type") in DECISIONS]
    others = [c for c in items(status.get("status") or {}, "conditions") if c.get("type") not in DECISIONS]
    kept = {key: value for key, value in (status.get("status") or {}).items() if key != "conditions"}
    new["status"] = kept | ({"conditions": decisions + others} if decisions or others else {})


def validate_approval(new: CertificateSigningRequest, old: CertificateSigningRequest) -> Iterator[FieldError]:
    path = "status.conditions"
    types = [condition.type for condition in new.status.conditions]
    for condition in old.status.conditions:
        if condition.type in DECISIONS and condition.type not in types:
            yield field.forbidden(path, f'updates may not remove a condition of type "{condition.type}"')
    if set(DECISIONS) <= set(types):
        yield field.wrong(path, "Denied", "Approved and Denied conditions are mutually exclusive")


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
    prepare_status=prepare_status,
    parts={"approval": Part(prepare_approval, validate_approval)},
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
