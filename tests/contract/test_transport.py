"""What every transport promises, held against one server: in the process, over a socket, through the fault layer."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from knarr.app import certificates
from knarr.client.api import Api
from knarr.client.http import Http, watchful_socket
from knarr.client.kubeconfig import Entry
from knarr.client.transport import InProcess, Request, TransportError, User
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.core_v1 import ConfigMap
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta.errors import AlreadyExists, Conflict, NotFound, Unauthorized
from knarr.registry.registry import Registry
from knarr.server import http
from knarr.server.server import Settings, build
from knarr.store.memory import open_memory
from knarr.testing.builders import a_namespace
from knarr.testing.faults import Faulty

TRANSPORTS = ("in process", "over a socket", "through the fault layer")


@asynccontextmanager
async def a_server(tmp_path):
    """A handler over an empty store, and a URL where it serves too."""
    tokens = tmp_path / "tokens.csv"
    tokens.write_text('secret,admin,1,"system:masters"\n')
    store = await open_memory()
    registry = Registry(store, BUILTIN)
    await registry.start()
    handler = build(registry, Settings(token_file=tokens))
    listening = await http.serve(handler.handle, hosts=["127.0.0.1"], port=0)
    try:
        yield handler, f"http://127.0.0.1:{listening.addresses[0][1]}"
    finally:
        await listening.close()
        await registry.stop()
        await store.close()


@pytest.fixture(params=TRANSPORTS)
async def transport(request, tmp_path):
    async with a_server(tmp_path) as (handler, url):
        made = {
            "in process": lambda: InProcess(handler.handle, User("admin", groups=("system:masters",))),
            "over a socket": lambda: Http(url, token="secret"),
            "through the fault layer": lambda: Faulty(InProcess(handler.handle)),
        }[request.param]()
        api = Api(made)
        namespace = a_namespace()
        await api.raw("POST", "/api/v1/namespaces", body=b'{"metadata":{"name":"default"}}')
        assert (await api.get(type(namespace), "default")).metadata.name == "default"
        yield made
        await made.close()


def a_config(name="c", **data):
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


async def test_an_object_comes_back_as_it_was_sent(transport):
    api = Api(transport)
    made = await api.create(a_config(key="wert: ü"))
    found = await api.get(ConfigMap, "c", "default")
    assert found == made
    assert found.data == {"key": "wert: ü"}


async def test_errors_come_back_with_their_class_and_details(transport):
    api = Api(transport)
    with pytest.raises(NotFound) as missing:
        await api.get(ConfigMap, "none", "default")
    assert (missing.value.name, missing.value.kind) == ("none", "configmaps")
    await api.create(a_config())
    with pytest.raises(AlreadyExists):
        await api.create(a_config())


async def test_a_stale_update_is_a_conflict(transport):
    api = Api(transport)
    stale = await api.create(a_config(a="1"))
    await api.patch(ConfigMap, "c", "default", {"data": {"a": "2"}})
    with pytest.raises(Conflict):
        await api.update(stale)


async def test_query_values_may_hold_anything(transport):
    api = Api(transport)
    await api.create(a_config("one"))
    await api.create(a_config("two"))
    found = await api.list(ConfigMap, "default", fields="metadata.name=two", labels="a notin (b,c),!d")
    assert [obj.metadata.name for obj in found.items] == ["two"]


async def test_pages_join_to_the_whole_list(transport):
    api = Api(transport)
    for number in range(5):
        await api.create(a_config(f"c{number}"))
    first = await api.list(ConfigMap, "default", limit=3)
    second = await api.list(ConfigMap, "default", limit=3, after=first.next)
    names = [obj.metadata.name for page in (first, second) for obj in page.items]
    assert names == ["c0", "c1", "c2", "c3", "c4"]
    assert second.next == ""


async def test_a_watch_tells_each_change_as_it_happens(transport):
    api = Api(transport)
    start = (await api.list(ConfigMap)).resource_version
    changes = api.watch(ConfigMap, "default", resource_version=start)

    async def follow():
        return [(change.type, change.object.data) async for change in _take(changes, 3)]

    following = asyncio.create_task(follow())
    await api.create(a_config(a="1"))
    await api.patch(ConfigMap, "c", "default", {"data": {"a": "2"}})
    await api.delete(ConfigMap, "c", "default")
    async with asyncio.timeout(60):
        assert await following == [("ADDED", {"a": "1"}), ("MODIFIED", {"a": "2"}), ("DELETED", {"a": "2"})]
    await changes.aclose()


async def test_a_watch_ends_when_its_time_is_over(transport):
    api = Api(transport)
    async with asyncio.timeout(60):
        seen = [change.type async for change in api.watch(ConfigMap, timeout=1)]
    assert set(seen) <= {"BOOKMARK"}


async def test_a_watch_that_nobody_reads_any_more_can_be_left(transport):
    api = Api(transport)
    await api.create(a_config())
    changes = api.watch(ConfigMap, "default")
    first = await anext(changes)
    await changes.aclose()
    assert first.object.metadata.name == "c"
    assert (await api.get(ConfigMap, "c", "default")).metadata.name == "c"


async def test_many_requests_share_the_transport(transport):
    api = Api(transport)
    await asyncio.gather(*(api.create(a_config(f"c{number}")) for number in range(50)))
    assert len((await api.list(ConfigMap, "default")).items) == 50


async def test_closing_twice_is_fine(transport):
    await transport.close()
    await transport.close()


async def test_a_wrong_token_is_refused(tmp_path):
    async with a_server(tmp_path) as (_, url):
        transport = Http(url, token="wrong")
        with pytest.raises(Unauthorized):
            await Api(transport).get(ConfigMap, "c", "default")
        await transport.close()


async def test_a_server_that_is_not_there_is_a_transport_error():
    transport = Http("http://127.0.0.1:1")
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:1"):
        await transport.send(Request("GET", "/version"))
    await transport.close()


async def test_a_server_that_went_away_breaks_the_stream(tmp_path):
    async with a_server(tmp_path) as (_, url):
        transport = Http(url, token="secret")
        changes = Api(transport).watch(ConfigMap)
        reading = asyncio.ensure_future(anext(changes))
        await asyncio.wait([reading], timeout=0.05)
    with pytest.raises((TransportError, StopAsyncIteration)):
        await reading
    await transport.close()


async def _take(changes, count):
    async for change in changes:
        if change.type != "BOOKMARK":
            yield change
            count -= 1
            if not count:
                return


async def test_a_client_certificate_says_who_asks(tmp_path):
    pki = certificates.ensure(tmp_path / "pki", hosts=["127.0.0.1"], nodes=[])
    async with a_server(tmp_path) as (handler, _):
        context = http.tls(pki.server.certificate, pki.server.key, pki.ca)
        listening = await http.serve(handler.handle, hosts=["127.0.0.1"], port=0, context=context)
        url = f"https://127.0.0.1:{listening.addresses[0][1]}"
        entry = Entry(
            "c",
            url,
            ca=pki.ca.read_bytes(),
            certificate=pki.admin.certificate.read_bytes(),
            key=pki.admin.key.read_bytes(),
        )
        for transport in (entry.transport(), Http(url, ca=pki.ca, cert=pki.admin.certificate, key=pki.admin.key)):
            assert (await Api(transport).list(ConfigMap)).items == []
            await transport.close()
        for transport, refusal in ((Http(url, ca=pki.ca), Unauthorized), (Http(url), TransportError)):
            with pytest.raises(refusal):
                await Api(transport).list(ConfigMap)
            await transport.close()
        await listening.close()


async def test_a_server_that_never_answers_is_given_up():
    async def hold(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    transport = Http(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.1)
    with pytest.raises(TransportError):
        await transport.send(Request("GET", "/version"))
    await transport.close()
    server.close()
    await server.wait_closed()


def test_a_connection_whose_other_end_vanished_is_noticed():
    found = watchful_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0)))
    with found:
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 25_000
