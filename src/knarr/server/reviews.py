"""Reviews: who a token stands for, who the caller is, who may do what. Answered from the same chains as requests."""

from collections.abc import Sequence
from typing import Any

from knarr.client.transport import User
from knarr.meta import clock
from knarr.meta.field import FieldError, forbidden, invalid, required, wrong
from knarr.server.authentication import Authenticator
from knarr.server.authentication.service_account_tokens import ServiceAccountTokens
from knarr.server.authorization import Attributes, Authorizer
from knarr.server.authorization.rbac import Rbac
from knarr.server.authorization.rules import Rule
from knarr.server.identity import MASTERS, authenticated
from knarr.server.virtual import AUTHORIZATION, Virtual

Tree = dict[str, Any]
EXACTLY_ONE = "exactly one of nonResourceAttributes or resourceAttributes must be specified"


class Reviews:
    """Fills in the status of a review."""

    def __init__(
        self, authenticator: Authenticator, authorizer: Authorizer, rbac: Rbac, tokens: ServiceAccountTokens | None
    ) -> None:
        self._authenticator, self._authorizer, self._rbac, self._tokens = authenticator, authorizer, rbac, tokens

    async def review(self, virtual: Virtual, namespace: str, tree: Tree, user: User) -> Tree:
        """The review with its answer; raise Invalid for one that asks nothing."""
        answered = {"kind": virtual.kind, "apiVersion": virtual.api_version, "metadata": {}, **tree}
        answered["kind"], answered["apiVersion"] = virtual.kind, virtual.api_version
        if virtual.kind == "SelfSubjectReview":
            answered["metadata"] = {"creationTimestamp": clock.timestamp()}
            answered["status"] = {"userInfo": user_info(user)}
        elif virtual.kind == "TokenReview":
            answered["status"] = await self._token(tree)
        elif virtual.kind == "SelfSubjectRulesReview":
            answered["status"] = await self._rules(tree, user)
        else:
            answered["status"] = await self._access(virtual, namespace, tree, user)
        return answered

    async def _token(self, tree: Tree) -> Tree:
        spec = tree.get("spec") or {}
        token, audiences = spec.get("token") or "", spec.get("audiences") or []
        if not token:
            raise invalid("TokenReview", "authentication.k8s.io", "", [required("spec.token")])
        if self._tokens is not None and (found := await self._tokens.review(token, audiences)):
            return {"authenticated": True, "user": user_info(authenticated(found[0])), "audiences": found[1]}
        known = await self._authenticator.token_user(token)
        if known is None:
            return {"user": {}, "error": "invalid bearer token"}
        return {"authenticated": True, "user": user_info(known), "audiences": audiences}

    async def _access(self, virtual: Virtual, namespace: str, tree: Tree, user: User) -> Tree:
        spec = tree.get("spec") or {}
        own = virtual.kind == "SelfSubjectAccessReview"
        _check(virtual, namespace, spec, own)
        subject = user if own else _subject(spec)
        asked = attributes(spec, subject)
        allowed, reason = await self._authorizer.allows(asked)
        return {"allowed": allowed, "reason": reason} if reason else {"allowed": allowed}

    async def _rules(self, tree: Tree, user: User) -> Tree:
        namespace = (tree.get("spec") or {}).get("namespace") or ""
        missing: list[str] = []
        rules: list[Rule] = []
        if MASTERS in user.groups:
            rules += [Rule(("*",), ("*",), ("*",)), Rule(("*",), paths=("*",))]
        async for some in self._rbac.rules_of(user, namespace, missing):
            rules += some
        status: Tree = {
            "resourceRules": [_resource_rule(rule) for rule in rules if rule.resources],
            "nonResourceRules": [
                {"verbs": list(rule.verbs), "nonResourceURLs": list(rule.paths)} for rule in rules if rule.paths
            ],
            "incomplete": bool(missing),
        }
        if missing:
            status["evaluationError"] = ", ".join(missing)
        return status


def user_info(user: User) -> Tree:
    out: Tree = {"username": user.name, "uid": user.uid, "groups": list(user.groups)}
    out["extra"] = {key: list(values) for key, values in user.extra.items()}
    return {key: value for key, value in out.items() if value}


def attributes(spec: Tree, user: User) -> Attributes:
    """What a review asks about."""
    if resource := spec.get("resourceAttributes"):
        return Attributes(
            user,
            resource.get("verb") or "",
            resource.get("group") or "",
            resource.get("version") or "",
            resource.get("namespace") or "",
            resource.get("resource") or "",
            resource.get("subresource") or "",
            resource.get("name") or "",
        )
    path = spec.get("nonResourceAttributes") or {}
    return Attributes(user, path.get("verb") or "", path=path.get("path") or "")


def _check(virtual: Virtual, namespace: str, spec: Tree, own: bool) -> None:
    errors: list[FieldError] = []
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        errors.append(
            wrong("spec.nonResourceAttributes", path, "cannot be specified in combination with resourceAttributes")
        )
    if resource is None and path is None:
        errors.append(wrong("spec.resourceAttributes", None, EXACTLY_ONE))
    if not own and not spec.get("user") and not spec.get("groups"):
        errors.append(wrong("spec.user", "", "at least one of user or group must be specified"))
    if virtual.kind == "LocalSubjectAccessReview":
        if path is not None:
            errors.append(forbidden("spec.nonResourceAttributes", "disallowed on this kind of request"))
        if resource is not None and resource.get("namespace", "") != namespace:
            text = "must match metadata.namespace"
            errors.append(wrong("spec.resourceAttributes.namespace", resource.get("namespace", ""), text))
    if errors:
        raise invalid("", AUTHORIZATION, "", errors)


def _subject(spec: Tree) -> User:
    groups: Sequence[str] = spec.get("groups") or ()
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user") or "", spec.get("uid") or "", tuple(groups), extra)


def _resource_rule(rule: Rule) -> Tree:
    out = {"verbs": list(rule.verbs), "apiGroups": list(rule.groups), "resources": list(rule.resources)}
    return out | {"resourceNames": list(rule.names)} if rule.names else out
