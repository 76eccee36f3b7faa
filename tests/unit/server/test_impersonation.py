"""Acting as somebody else: whom the headers mean, and who may."""

import pytest

from knarr.client.transport import User
from knarr.meta.errors import BadRequest, Forbidden
from knarr.server.authentication.impersonation import acting

ADMIN = User("admin", groups=("system:masters", "system:authenticated"))
EVERYBODY, NOBODY = "system:authenticated", "system:unauthenticated"


class Allowing:
    """Allows all but the names it was made with, and notes what it was asked."""

    def __init__(self, *refused):
        self.refused, self.asked = refused, []

    async def allows(self, attributes):
        self.asked.append((attributes.resource, attributes.namespace, attributes.subresource, attributes.name))
        return attributes.name not in self.refused, ""


CASES = {
    "no header, nobody else": ({}, ADMIN, []),
    "a user is in the group of all who are known": (
        {"impersonate-user": "bob"},
        User("bob", groups=(EVERYBODY,)),
        [("users", "", "", "bob")],
    ),
    "groups are asked for one by one": (
        {"impersonate-user": "bob", "impersonate-group": "devs, ops"},
        User("bob", groups=("devs", "ops", EVERYBODY)),
        [("users", "", "", "bob"), ("groups", "", "", "devs"), ("groups", "", "", "ops")],
    ),
    "a service account has its own groups": (
        {"impersonate-user": "system:serviceaccount:a:robot"},
        User(
            "system:serviceaccount:a:robot",
            groups=("system:serviceaccounts", "system:serviceaccounts:a", EVERYBODY),
        ),
        [("serviceaccounts", "a", "", "robot")],
    ),
    "uid and extra are asked for too": (
        {"impersonate-user": "bob", "impersonate-uid": "7", "impersonate-extra-acme%2fscope": "x"},
        User("bob", "7", (EVERYBODY,), {"acme/scope": ("x",)}),
        [("users", "", "", "bob"), ("uids", "", "", "7"), ("userextras", "", "acme/scope", "x")],
    ),
    "the anonymous user is not known": (
        {"impersonate-user": "system:anonymous"},
        User("system:anonymous", groups=(NOBODY,)),
        [("users", "", "", "system:anonymous")],
    ),
    "who is said to be unknown is not known": (
        {"impersonate-user": "bob", "impersonate-group": NOBODY},
        User("bob", groups=(NOBODY,)),
        [("users", "", "", "bob"), ("groups", "", "", NOBODY)],
    ),
}


@pytest.mark.parametrize("headers, wanted, asked", CASES.values(), ids=CASES)
async def test_acting(headers, wanted, asked):
    authorizer = Allowing()
    assert await acting(ADMIN, headers, authorizer) == wanted
    assert authorizer.asked == asked


async def test_each_part_must_be_allowed():
    headers = {"impersonate-user": "bob", "impersonate-group": "system:masters"}
    with pytest.raises(Forbidden, match='cannot impersonate resource "groups"'):
        await acting(ADMIN, headers, Allowing("system:masters"))


OF_NOBODY = {
    "a group": ({"impersonate-group": "devs"}, "{Group  devs    }"),
    "a uid": ({"impersonate-uid": "7"}, "{UID  7  authentication.k8s.io/v1  }"),
    "an extra": ({"impersonate-extra-a": "x"}, "{UserExtra  x  authentication.k8s.io/v1  a}"),
}


@pytest.mark.parametrize("headers, told", OF_NOBODY.values(), ids=OF_NOBODY)
async def test_a_part_of_nobody_is_refused_instead_of_ignored(headers, told):
    with pytest.raises(BadRequest) as refused:
        await acting(ADMIN, headers, Allowing())
    assert refused.value.message == f"requested [{told}] without impersonating a user"
