"""What is carried on to the servers behind APIServices, and how much of their answers is taken in."""

import pytest

from knarr.client.transport import Response, User
from knarr.meta.errors import ServiceUnavailable
from knarr.server import aggregation
from knarr.server.aggregation import identity, is_ambiguous, whole
from knarr.server.aggregation_documents import Documents

ROOT = "/apis/metrics.example.com/v1"
PATHS = {
    "a collection": (f"{ROOT}/namespaces/a/widgets", False),
    "with a slash at its end": (f"{ROOT}/namespaces/a/widgets/", False),
    "escapes that hide nothing": (f"{ROOT}/namespaces/a/widgets/b%3Ac", False),
    "the group version": (ROOT, False),
    "nothing between two slashes": (f"{ROOT}//namespaces/a/secrets", True),
    "nothing where the resource is": (f"{ROOT}/namespaces/a//secrets", True),
    "the way up": (f"{ROOT}/namespaces/a/widgets/../secrets", True),
    "the way up, escaped": (f"{ROOT}/namespaces/a/widgets/%2E%2e/secrets", True),
    "the way up within a name": (f"{ROOT}/namespaces/a/widgets/..%2F..%2fsecrets", True),
    "a slash within a name": (f"{ROOT}/widgets/a%2Fstatus", True),
}


@pytest.mark.parametrize(("path", "refused"), PATHS.values(), ids=PATHS)
def test_no_path_is_carried_on_that_another_server_may_read_otherwise(path, refused):
    assert is_ambiguous(path) is refused


async def test_an_answer_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(aggregation, "LARGEST", 10)
    ended = []

    async def stream():
        try:
            while True:
                yield b"12345678"
        finally:
            ended.append(True)

    body = stream()
    with pytest.raises(ServiceUnavailable, match="larger than"):
        await whole(Response(200, stream=body), body)
    assert ended == [True]


@pytest.mark.parametrize("said", [[], "x", {"/apis/a/v1/": 1}, None], ids=["a list", "a text", "no tree", "nothing"])
def test_documents_of_another_shape_say_nothing(said):
    documents = Documents()
    documents.learn_v2(("a", "v1"), {"paths": said, "definitions": []}, "")
    documents.learn_v3(("a", "v1"), {"paths": {"apis/a/v1": said}})
    assert documents.v3() == {}
    assert all(part["definitions"] == {} for part in documents.v2())


def test_a_name_goes_on_as_the_bytes_it_came_in():
    assert identity(User("j\u00f6rg\udcff", groups=())) == [("X-Remote-User", "j\xc3\xb6rg\xff")]
