"""projected: several sources in one directory. Also how every pod gets its service account's token."""

from knarr.client.api import Api
from knarr.kinds.types.authentication_v1 import BoundObjectReference, TokenRequest, TokenRequestSpec
from knarr.kinds.types.core_v1 import Pod, ServiceAccountTokenProjection
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.node.volumes.objects import DEFAULT_MODE
from knarr.node.volumes.volume import File

LIFE = 3600  #: seconds
PRIVATE = 0o600
RENEW = 0.8  #: of its life is when a token is replaced


async def token(api: Api, pod: Pod, source: ServiceAccountTokenProjection) -> tuple[str, float]:
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
    return answer.status.token, float(life)


def token_file(pod: Pod, text: str, mode: int | None) -> File:
    """A token as a file: for the one user of the pod's containers, or their fsGroup, alone where there is one."""
    group = pod.spec.securityContext.fsGroup if pod.spec.securityContext else None
    user = one_user(pod)
    usual = DEFAULT_MODE if mode is None else mode
    return File(text.encode(), usual if user is None and group is None else PRIVATE, user)


def one_user(pod: Pod) -> int | None:
    """The user whom all containers run as, where they say so and it is the same."""
    usual = pod.spec.securityContext.runAsUser if pod.spec.securityContext else None
    containers = [*pod.spec.initContainers, *pod.spec.containers]
    users = {
        usual if each.securityContext is None or each.securityContext.runAsUser is None
        else each.securityContext.runAsUser
        for each in containers
    }  # fmt: skip
    return users.pop() if len(users) == 1 else None
