"""Certificate approval: nodes may have client certificates of their own, if authorization says so.

A request of a node for itself (`selfnodeclient`), or of somebody who brings up a node (`nodeclient`), is approved when
its requester may create that. Any other request, a node's serving certificate too, waits for a person or a program.
"""

from dataclasses import dataclass

from knarr.client import codec
from knarr.client.api import Api
from knarr.controllers.certificate_requests import KUBELET_CLIENT, Asked, Unreadable, condition, read, refusal, told
from knarr.kinds.types.authorization_v1 import ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec
from knarr.kinds.types.certificates_v1 import CertificateSigningRequest
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.meta import clock
from knarr.meta.errors import NotFound

REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Permission:
    """What a requester must be allowed to create, and what an approval by it says."""

    subresource: str
    message: str


SELF = Permission("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview.")
OTHER = Permission("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview.")


def is_open(request: CertificateSigningRequest) -> bool:
    """Whether nobody has decided yet."""
    return not request.status.certificate and not any(condition(request, each) for each in ("Approved", "Denied"))


def permissions(request: CertificateSigningRequest, asked: Asked) -> list[Permission]:
    """The permissions of which one is enough; none when the request is not this controller's."""
    if request.spec.signerName != KUBELET_CLIENT or refusal(request, asked):
        return []
    return [SELF, OTHER] if request.spec.username == asked.name else [OTHER]


async def sync(key: Key, context: Context) -> None:
    request = context.cache(CertificateSigningRequest).get(key[1])
    if request is None or not is_open(request):
        return
    try:
        asked = read(request)
    except Unreadable:
        return  # whoever signs it says so, should somebody approve it
    for permission in permissions(request, asked):
        if await may(context.api, request, permission):
            try:
                approved = told(request, "Approved", "AutoApproved", permission.message, clock.now())
                await context.api.update(approved, subresource="approval")
            except NotFound:
                return
            return


async def may(api: Api, request: CertificateSigningRequest, permission: Permission) -> bool:
    """Whether the requester may create what the permission names."""
    spec = request.spec
    wanted = ResourceAttributes(
        group="certificates.k8s.io",
        resource="certificatesigningrequests",
        verb="create",
        subresource=permission.subresource,
    )
    asked = SubjectAccessReview(
        spec=SubjectAccessReviewSpec(
            user=spec.username, uid=spec.uid, groups=spec.groups, extra=spec.extra, resourceAttributes=wanted
        )
    )
    answer = await api.raw("POST", REVIEWS, body=codec.encode(asked))
    return codec.decode(SubjectAccessReview, answer.body).status.allowed


CONTROLLER = Controller(
    name="certificatesigningrequest-approving",
    sources=[Source(CertificateSigningRequest, itself)],
    sync=sync,
)
