"""Acting as somebody else: the Impersonate headers, for those who may `impersonate` that user and those groups."""

from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from knarr.client.transport import User
from knarr.meta.errors import BadRequest
from knarr.server.authorization import Attributes, Authorizer, refusal
from knarr.server.identity import ANONYMOUS, SERVICE_ACCOUNT_PREFIX, SERVICE_ACCOUNTS, UNAUTHENTICATED, authenticated

USER, GROUP, UID = "impersonate-user", "impersonate-group", "impersonate-uid"
PREFIX = "impersonate-"  #: of all of them
EXTRA = "impersonate-extra-"
AUTHENTICATION = "authentication.k8s.io"


async def acting(user: User, headers: Mapping[str, str], authorizer: Authorizer) -> User:
    """Whom the request is to act as; raise Forbidden when the caller may not, BadRequest for groups of nobody."""
    wanted = _wanted(headers)
    if wanted is None:
        return user
    for asked in _needed(user, wanted):
        allowed, reason = await authorizer.allows(asked)
        if not allowed:
            raise refusal(asked, reason)
    return _with_own_groups(wanted)


def impersonates(headers: Mapping[str, str]) -> bool:
    """Whether a request may want to act as somebody else: most do not."""
    return PREFIX in " ".join(headers)


def _wanted(headers: Mapping[str, str]) -> User | None:
    """The user that the headers describe; None without any. A client that wants less power must not keep its own."""
    name, uid = headers.get(USER, ""), headers.get(UID, "")
    groups = tuple(group.strip() for group in headers.get(GROUP, "").split(",") if group.strip())
    extra = {unquote(key.removeprefix(EXTRA)): (value,) for key, value in headers.items() if key.startswith(EXTRA)}
    if name:
        return User(name, uid, groups, extra)
    if groups or uid or extra:
        parts = [f"{{Group  {group}    }}" for group in groups]
        parts += [f"{{UserExtra  {value}  {AUTHENTICATION}/v1  {key}}}" for key, (value,) in extra.items()]
        parts += [f"{{UID  {uid}  {AUTHENTICATION}/v1  }}"] if uid else []
        raise BadRequest(f"requested [{' '.join(parts)}] without impersonating a user")
    return None


def _with_own_groups(wanted: User) -> User:
    """The user with the groups that such a user has of itself."""
    name, groups = wanted.name, wanted.groups
    if name == ANONYMOUS:
        return wanted if UNAUTHENTICATED in groups else User(name, wanted.uid, (*groups, UNAUTHENTICATED), wanted.extra)
    if name.startswith(SERVICE_ACCOUNT_PREFIX) and not groups:
        namespace = name.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")[0]
        wanted = User(name, wanted.uid, (SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}"), wanted.extra)
    return wanted if UNAUTHENTICATED in groups else authenticated(wanted)


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
