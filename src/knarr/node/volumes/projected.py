"""projected: several sources in one directory. Also how every pod gets its service account's token."""

from knarr.client.api import Api
from knarr.kinds.types.authentication_v1 import BoundObjectReference, TokenRequest, TokenRequestSpec
from knarr.kinds.types.core_v1 import Pod, ServiceAccountTokenProjection
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.node.volumes.volume import File

LIFE = 3600  #: seconds
RENEW = 0.8  #: of its life is when a token is replaced


async def token(api: Api, pod: Pod, source: ServiceAccountTokenProjection) -> tuple[File, float]:
    """A token bound to the pod, and its life in seconds."""
    life = source.expirationSeconds or LIFE
    request = TokenRequest(
        metadata=ObjectMeta(name=pod.spec.serviceAccountName or "default", namespace=pod.metadata.namespace),
        spec=TokenRequestSpec(
            audiences=[source.audience] if source.audience else [],
            expirationSeconds=life,
            boundObjectRef=BoundObjectReference(
                kind="Pod", apiVersion="v1", name=pod.metadata.name, uid=pod.metadata.uid
            ),
        ),
    )
    answer = await api.create(request, subresource="token")
    return File(answer.status.token.encode(), 0o644), float(life)
