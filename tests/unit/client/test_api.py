"""What the client asks for, and how it takes answers; the server is a list of answers."""

import msgspec
import pytest

from knarr.client.api import Api
from knarr.client.resource import Partial, Resource
from knarr.client.transport import Response
from knarr.kinds.types.coordination_v1 import Lease
from knarr.kinds.types.core_v1 import Binding, Node, ObjectReference, Pod
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta.errors import TooManyRequests
from knarr.testing.builders import a_pod
from knarr.testing.virtual_time import run

WIDGET = Resource(Partial, "example.com", "v1", "widgets", "Widget")
LEASE = Lease(metadata=ObjectMeta(name="l", namespace="shop"))
POD = a_pod("p", namespace="shop")


class Answers:
    """A transport that gives the next answer and keeps the request."""

    def __init__(self, *answers):
        self._answers = [*answers]
        self.requests = []

    async def send(self, request):
        self.requests.append(request)
        return self._answers.pop(0) if self._answers else Response(200, body=b"{}")

    async def close(self):
        self._answers.clear()


REQUESTS = {
    "a core object of a namespace": (
        lambda api: api.get(Pod, "p", "shop"),
        "GET /api/v1/namespaces/shop/pods/p",
    ),
    "a cluster-wide object, whatever namespace is said": (
        lambda api: api.get(Node, "n", "shop"),
        "GET /api/v1/nodes/n",
    ),
    "a subresource": (
        lambda api: api.get(Pod, "p", "shop", subresource="status"),
        "GET /api/v1/namespaces/shop/pods/p/status",
    ),
    "all namespaces, selected": (
        lambda api: api.list(Pod, labels="a=b", fields="spec.nodeName=n"),
        "GET /api/v1/pods labelSelector=a=b fieldSelector=spec.nodeName=n",
    ),
    "the next page": (
        lambda api: api.list(Pod, "shop", limit=2, after="token"),
        "GET /api/v1/namespaces/shop/pods limit=2 continue=token",
    ),
    "a new object in its own namespace": (
        lambda api: api.create(LEASE),
        "POST /apis/coordination.k8s.io/v1/namespaces/shop/leases",
    ),
    "a binding, posted to its pod": (
        lambda api: api.create(
            Binding(metadata=ObjectMeta(name="p", namespace="shop"), target=ObjectReference(kind="Node", name="n")),
            subresource="binding",
        ),
        "POST /api/v1/namespaces/shop/pods/p/binding",
    ),
    "a status": (
        lambda api: api.update(POD, subresource="status"),
        "PUT /api/v1/namespaces/shop/pods/p/status",
    ),
    "a server-side apply": (
        lambda api: api.patch(Pod, "p", "shop", {}, kind="apply", field_manager="me", force=True),
        "PATCH /api/v1/namespaces/shop/pods/p fieldManager=me force=true",
    ),
    "a kind known by discovery only": (
        lambda api: api.delete(WIDGET, "w", "shop"),
        "DELETE /apis/example.com/v1/namespaces/shop/widgets/w",
    ),
    "a name with a slash in it": (lambda api: api.get(Pod, "a/b", "shop"), "GET /api/v1/namespaces/shop/pods/a%2Fb"),
}


@pytest.mark.parametrize("act, expected", REQUESTS.values(), ids=REQUESTS)
async def test_where_a_verb_goes(act, expected):
    server = Answers()
    await act(Api(server))
    (request,) = server.requests
    assert " ".join([request.method, request.path, *(f"{name}={value}" for name, value in request.query)]) == expected


async def test_a_delete_says_only_what_was_asked():
    server = Answers()
    api = Api(server)
    await api.delete(Pod, "p", "shop")
    await api.delete(Pod, "p", "shop", uid="u", grace=0, propagation="Orphan")
    assert server.requests[0].body == b""
    assert msgspec.json.decode(server.requests[1].body) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u"},
        "propagationPolicy": "Orphan",
    }


async def test_the_user_agent_names_the_component():
    server = Answers()
    await Api(server, user_agent="kubelet").get(Pod, "p", "shop")
    assert server.requests[0].headers["user-agent"] == "kubelet"


def test_a_server_that_asks_for_patience_gets_it():
    async def main():
        body = b'{"kind":"Status","code":429,"reason":"TooManyRequests","message":"later"}'
        busy = Response(429, {"retry-after": "2"}, body)
        server = Answers(busy, busy, Response(200, body=msgspec.json.encode(a_pod("p"))))
        assert (await Api(server).get(Pod, "p")).metadata.name == "p"
        assert len(server.requests) == 3
        refused = Answers(Response(429, {}, body))
        with pytest.raises(TooManyRequests, match="later"):
            await Api(refused).get(Pod, "p")

    run(main())
