import msgspec
import pytest

from knarr.client import errors
from knarr.client.transport import Response
from knarr.kinds.types.meta_v1 import Status
from knarr.meta import errors as tree

BY_STATUS = {
    "by its reason": (Status(reason="AlreadyExists", code=409), tree.AlreadyExists),
    "by its code when the reason is new": (Status(reason="Novel", code=409), tree.Conflict),
    "as an internal error when nothing is known": (Status(code=599), tree.InternalError),
    "a 410 whose reason is Gone, as expired": (Status(reason="Gone", code=410), tree.Expired),
    "a server's timeout, as unavailable": (Status(reason="ServerTimeout", code=500), tree.ServiceUnavailable),
}


@pytest.mark.parametrize("status, expected", BY_STATUS.values(), ids=BY_STATUS)
def test_a_status_is_recognised(status, expected):
    assert type(errors.from_status(status)) is expected


OWN = [cls for cls in tree.tree(tree.ApiError)[1:] if cls.reason and cls.__module__ == tree.__name__]


@pytest.mark.parametrize("error", OWN, ids=lambda cls: cls.__name__)
def test_every_error_survives_the_way_over_the_wire(error):
    made = error("it broke", kind="pods", name="p", causes=[tree.Cause("Wrong", "so it is", "spec")], retry_after=3)
    body = {"kind": "Status", "reason": made.reason, "code": made.code, "message": made.message}
    response = Response(made.code, body=msgspec.json.encode(body | {"details": made.details()}))
    found = errors.from_response(response)
    assert (type(found), found.message, found.details()) == (error, made.message, made.details())


def test_an_answer_that_is_no_status_becomes_an_error_with_its_text():
    found = errors.from_response(Response(503, body=b"upstream connect error\n"))
    assert (type(found), found.message) == (tree.ServiceUnavailable, "upstream connect error")


def test_an_empty_answer_becomes_an_error_that_names_the_code():
    assert errors.from_response(Response(404)).message == "the server answered 404"
