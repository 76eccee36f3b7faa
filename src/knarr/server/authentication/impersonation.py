"""Acting as somebody else: the Impersonate headers, for those who may `impersonate` that user and those groups."""

from collections.abc import Iterator, Mapping

from knarr.client.transport import User
from knarr.server.authorization import Attributes, Authorizer, refusal
from knarr.server.identity import SERVICE_ACCOUNT_PREFIX, SERVICE_ACCOUNTS, authenticated

USER, GROUP, UID = "impersonate-user", "impersonate-group", "impersonate-uid"
EXTRA = "impersonate-extra-"
AUTHENTICATION = "authentication.k8s.io"


async def acting(user: User, headers: Mapping[str, str], authorizer: Authorizer) -> User:
    """Whom the request is to act as; raise Forbidden when the caller may not."""
    name = headers.get(USER, "")
    if not name:
        return user
    groups = tuple(group.strip() for group in headers.get(GROUP, "").split(",") if group.strip())
    extra = {key.removeprefix(EXTRA): (value,) for key, value in headers.items() if key.startswith(EXTRA)}
    wanted = User(name, headers.get(UID, ""), groups, extra)
    for asked in _needed(user, wanted):
        allowed, reason = await authorizer.allows(asked)
        if not allowed:
            raise refusal(asked, reason)
    if name.startswith(SERVICE_ACCOUNT_PREFIX) and not groups:
        namespace = name.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")[0]
        wanted = User(name, wanted.uid, (SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}"), extra)
    return authenticated(wanted)


def _needed(user: User, wanted: User) -> Iterator[Attributes]:
    """What the caller must be allowed."""
    if wanted.name.startswith(SERVICE_ACCOUNT_PREFIX):
        namespace, _, account = wanted.name.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")
        yield Attributes(user, "impersonate", "", "v1", namespace, "serviceaccounts", name=account)
    else:
        yield Attributes(user, "impersonate", "", "v1", resource="users", name=wanted.name)
    for group in wanted.groups:
        yield Attributes(user, "impersonate", "", "v1", resource="groups", name=group)
    if wanted.uid:
        yield Attributes(user, "impersonate", AUTHENTICATION, "v1", resource="uids", name=wanted.uid)
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes(user, "impersonate", AUTHENTICATION, "v1", "", "userextras", key, value)
