"""TokenRequest: a service account's token for an audience, a time, and perhaps one pod. Answered, not stored."""

from datetime import UTC, datetime
from typing import Any

from knarr.kinds.types.base import Type
from knarr.kinds.types.core_v1 import Node, Pod, Secret, ServiceAccount
from knarr.meta import clock
from knarr.meta.errors import BadRequest, Conflict
from knarr.meta.field import FieldError, invalid, wrong
from knarr.server.admission import State
from knarr.server.authentication.service_account_tokens import Bound, ServiceAccountTokens
from knarr.server.status import not_found

Tree = dict[str, Any]
DEFAULT_SECONDS, LEAST_SECONDS, MOST_SECONDS = 3600, 600, 1 << 32
BINDABLE: dict[tuple[str, str], tuple[str, type[Type]]] = {
    ("Pod", "v1"): ("pods", Pod),
    ("Secret", "v1"): ("secrets", Secret),
    ("Node", "v1"): ("nodes", Node),
}


async def answer(tokens: ServiceAccountTokens, state: State, namespace: str, name: str, tree: Tree) -> Tree:
    """The request with its token; raise ApiErrors in upstream's words."""
    account = await state.get(ServiceAccount, namespace, name)
    if account is None:
        raise not_found("serviceaccounts", name)
    spec = dict(tree.get("spec") or {})
    seconds = DEFAULT_SECONDS if spec.get("expirationSeconds") is None else spec["expirationSeconds"]
    _check(seconds)
    audiences = spec.get("audiences") or [tokens.issuer]
    bound = await _bound(state, namespace, name, spec.get("boundObjectRef"))
    token, expires = tokens.issue(
        namespace,
        Bound("serviceaccounts", name, account.metadata.uid),
        audiences=audiences,
        seconds=seconds,
        bound=bound,
    )
    spec |= {"audiences": audiences, "expirationSeconds": seconds}
    spec.setdefault("boundObjectRef", None)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": clock.timestamp()},
        "spec": spec,
        "status": {
            "token": token,
            "expirationTimestamp": clock.timestamp(datetime.fromtimestamp(expires, UTC)),
        },
    }


def _check(seconds: int) -> None:
    errors: list[FieldError] = []
    path = "spec.expirationSeconds"
    if seconds < LEAST_SECONDS:
        errors.append(wrong(path, seconds, "may not specify a duration less than 10 minutes"))
    elif seconds > MOST_SECONDS:
        errors.append(wrong(path, seconds, "may not specify a duration larger than 2^32 seconds"))
    if errors:
        raise invalid("TokenRequest", "authentication.k8s.io", "", errors)


async def _bound(state: State, namespace: str, account: str, reference: Tree | None) -> list[Bound]:
    """What the token is to depend on."""
    if not reference:
        return []
    key = (reference.get("kind") or "", reference.get("apiVersion") or "")
    if key not in BINDABLE:
        raise BadRequest(f'cannot bind token for serviceaccount "{account}" to object of type {key[1]}, Kind={key[0]}')
    resource, type_ = BINDABLE[key]
    name, uid = reference.get("name") or "", reference.get("uid") or ""
    found: Any = await state.get(type_, "" if resource == "nodes" else namespace, name)
    if found is None:
        raise not_found(resource, name)
    actual = found.metadata.uid
    if uid and uid != actual:
        raise Conflict(
            f'Operation cannot be fulfilled on {resource} "{name}": the UID in the bound object reference ({uid}) '
            f"does not match the UID in record. The object might have been deleted and then recreated",
            kind=resource,
            name=name,
        )
    bound = [Bound(resource, name, actual)]
    if resource == "pods":
        if found.spec.serviceAccountName != account:
            raise BadRequest(
                f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
            )
        if found.spec.nodeName and (node := await state.get(Node, "", found.spec.nodeName)):
            bound.append(Bound("nodes", found.spec.nodeName, node.metadata.uid))
    return bound
