"""Informers against a real server, on virtual time, with a transport that fails on demand."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

from knarr.client.api import Api
from knarr.client.informer import FIRST_DELAY, LONGEST_DELAY, Informers
from knarr.client.resource import Partial
from knarr.client.transport import InProcess, TransportError
from knarr.kinds.types.core_v1 import ConfigMap
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta.errors import Expired, ServiceUnavailable
from knarr.testing.cluster import Cluster
from knarr.testing.faults import Faulty
from knarr.testing.virtual_time import run, wait_until


class Watched:
    """A cluster, an informer of ConfigMaps through a faulty transport, and what it told."""

    def __init__(self, cluster, faults, informer):
        self.cluster, self.faults, self.informer = cluster, faults, informer
        self.told = []
        informer.on_change(lambda old, new: self.told.append((value(old), value(new))))

    async def write(self, name, text):
        await self.cluster.apply(ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data={"k": text}))

    async def wait_told(self, *changes):
        await wait_until(lambda: self.told == [*changes], timeout=200)

    def lists(self):
        return sum(request.parameter("watch") == "" for request in self.faults.requests)


def value(obj):
    return None if obj is None else obj.data["k"]


def watching(request):
    return request.parameter("watch") == "true"


@asynccontextmanager
async def watched():
    async with Cluster([]) as cluster:
        faults = Faulty(InProcess(cluster.handler.handle))
        faults.record()
        async with Informers(Api(faults)) as informers:
            yield Watched(cluster, faults, informers.of(ConfigMap))


def told(story):
    """Run a story on virtual time."""

    async def main():
        async with watched() as it:
            await story(it)

    run(main())


def test_what_was_there_and_what_comes_is_told_in_order():
    async def story(it):
        await it.write("a", "1")
        await it.informer.wait_synced()
        await it.write("a", "2")
        await it.cluster.api.delete(ConfigMap, "a", "default")
        await it.wait_told((None, "1"), ("1", "2"), ("2", None))
        assert it.informer.cache.list() == []

    told(story)


def test_a_listener_that_comes_late_hears_what_is_there():
    async def story(it):
        await it.write("a", "1")
        await it.wait_told((None, "1"))
        late = []
        it.informer.on_change(lambda old, new: late.append((value(old), value(new))))
        assert late == [(None, "1")]

    told(story)


def test_a_listener_that_fails_ends_nothing(caplog):
    async def story(it):
        heard = []

        def failing(old, new):
            heard.append(value(new))
            raise ValueError("a fault")

        it.informer.on_change(failing)
        it.informer.on_change(lambda old, new: heard.append(value(new)))
        for text in ("1", "2"):
            await it.write("a", text)
            await wait_until(lambda text=text: heard[-2:] == [text, text])
        assert caplog.text.count("a change is lost on one who listens") == len(heard) / 2

    told(story)


def test_a_broken_watch_is_resumed_without_a_new_list():
    async def story(it):
        await it.write("a", "1")
        await it.wait_told((None, "1"))
        it.faults.cut_streams()
        await it.write("a", "2")
        await it.write("a", "3")
        await it.wait_told((None, "1"), ("1", "2"), ("2", "3"))
        assert it.lists() == 1

    told(story)


def test_history_that_is_gone_leads_to_a_new_list_and_only_differences_are_told():
    async def story(it):
        await it.write("a", "1")
        await it.write("b", "1")
        await it.wait_told((None, "1"), (None, "1"))
        it.faults.fail(Expired("too old resource version"), when=watching)
        it.faults.cut_streams()
        await it.write("c", "1")
        await it.cluster.api.delete(ConfigMap, "b", "default")
        await wait_until(lambda: it.lists() == 2, timeout=200)
        await wait_until(lambda: {*it.told[2:]} == {("1", None), (None, "1")}, timeout=200)

    told(story)


def test_history_that_is_gone_after_a_long_time_is_listed_at_once_and_the_list_is_told():
    async def story(it):
        await it.write("a", "1")
        await it.wait_told((None, "1"))
        lists = []
        it.informer.on_list(
            lambda objects, revision: lists.append(([each.metadata.name for each in objects], revision))
        )
        await asyncio.sleep(LONGEST_DELAY)
        it.faults.fail(Expired("too old resource version"), when=watching)
        it.faults.cut_streams()
        await it.write("b", "1")
        begun = asyncio.get_running_loop().time()
        await wait_until(lambda: lists, timeout=200)
        assert asyncio.get_running_loop().time() - begun < 2.1 * FIRST_DELAY
        assert lists == [(["a", "b"], int(it.informer.resource_version))]

    told(story)


def test_a_server_that_is_away_is_tried_again_ever_more_slowly():
    async def story(it):
        it.faults.fail(TransportError("refused"), times=3)
        it.faults.fail(ServiceUnavailable("starting"), times=2)
        await it.write("a", "1")
        await it.wait_told((None, "1"))
        assert len(it.faults.requests) == 7

    told(story)


def test_an_object_that_went_and_came_back_unseen_is_two_changes():
    async def story(it):
        await it.write("a", "1")
        await it.wait_told((None, "1"))
        it.faults.fail(Expired("too old resource version"), when=watching)
        it.faults.fail(TransportError("refused"), times=1, when=lambda request: not watching(request))
        it.faults.cut_streams()
        await it.cluster.api.delete(ConfigMap, "a", "default")
        await it.write("a", "2")
        await it.wait_told((None, "1"), ("1", None), (None, "2"))

    told(story)


def test_everybody_who_asks_for_a_collection_shares_its_informer():
    async def story(it):
        informers = Informers(it.cluster.api)
        assert informers.of(ConfigMap) is informers.of(ConfigMap)
        assert informers.of(ConfigMap, namespace="default") is not informers.of(ConfigMap)

    told(story)


def test_who_wants_metadata_alone_shares_the_informer_of_whole_objects():
    async def story():
        async with watched() as world:
            resource = world.informer.resource
            partial = replace(resource, type=Partial)
            informers = Informers(Api(world.faults))
            alone = informers.of(partial)
            assert alone.resource.type is Partial
            whole = informers.of(ConfigMap)
            assert informers.of(partial) is alone, "who has one keeps it"
            informers.drop(partial)
            assert informers.of(partial) is whole
            informers.drop(ConfigMap)
            assert informers.of(partial) not in (alone, whole)

    run(story())
