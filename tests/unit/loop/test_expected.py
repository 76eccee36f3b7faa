"""Creates and deletes are expected until the cache shows them, unless they fail or are not tried."""

import asyncio

import pytest

from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.client.transport import InProcess
from knarr.kinds.types.core_v1 import ConfigMap
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.events import Recorder
from knarr.loop.expectations import Expectations
from knarr.loop.expected import carry_out_expected, ensure_owner_alive
from knarr.loop.runner import Context
from knarr.loop.steps import Create, Delete, Wait
from knarr.meta.errors import Conflict, InternalError, NotFound
from knarr.testing.cluster import Cluster
from knarr.testing.faults import Faulty
from knarr.testing.virtual_time import run

KEY = ("default", "owner")


def a_config(number):
    return ConfigMap(metadata=ObjectMeta(name=f"c{number}", namespace="default", uid=f"u{number}"))


def story(act):
    async def main():
        async with Cluster([]) as cluster:
            faults = Faulty(InProcess(cluster.handler.handle))
            faults.record()
            api = Api(faults)
            context = Context(api, Informers(api), Recorder(api, "tester"))
            await act(context, faults, Expectations())

    run(main())


def test_what_was_done_is_expected_until_it_is_seen():
    async def act(context, faults, expectations):
        await carry_out_expected(context, KEY, [Create(a_config(0)), Create(a_config(1))], expectations)
        assert not expectations.satisfied(KEY)
        expectations.created(KEY, 2)
        assert expectations.satisfied(KEY)

    story(act)


def test_a_pass_that_creates_and_deletes_nothing_expects_nothing():
    async def act(context, faults, expectations):
        await carry_out_expected(context, KEY, [Wait("c0", "not yet")], expectations)
        assert expectations.satisfied(KEY)

    story(act)


def test_what_fails_and_what_is_not_tried_after_it_is_not_expected():
    async def act(context, faults, expectations):
        faults.fail(InternalError("a disk"), when=lambda request: request.method == "POST")
        with pytest.raises(InternalError):
            await carry_out_expected(context, KEY, [Create(a_config(n)) for n in range(7)], expectations)
        assert expectations.satisfied(KEY), "the first alone was tried"
        assert sum(request.method == "POST" for request in faults.requests) == 1

    story(act)


def test_of_a_batch_only_what_failed_is_expected_no_longer():
    async def act(context, faults, expectations):
        posts = iter(range(99))
        faults.fail(InternalError("a disk"), when=lambda request: request.method == "POST" and next(posts) == 2)
        with pytest.raises(InternalError):
            await carry_out_expected(context, KEY, [Create(a_config(n)) for n in range(7)], expectations)
        expectations.created(KEY, 1)
        assert not expectations.satisfied(KEY), "two of the first three are there"
        expectations.created(KEY, 1)
        assert expectations.satisfied(KEY)

    story(act)


def test_a_deletion_is_expected_by_its_uid():
    async def act(context, faults, expectations):
        made = await context.api.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="default")))
        await carry_out_expected(context, KEY, [Delete(made)], expectations)
        expectations.deleted(KEY, "another")
        assert not expectations.satisfied(KEY)
        expectations.deleted(KEY, made.metadata.uid)
        assert expectations.satisfied(KEY)

    story(act)


def test_what_never_shows_is_given_up_after_five_minutes():
    async def act(context, faults, expectations):
        await carry_out_expected(context, KEY, [Create(a_config(0))], expectations)
        await asyncio.sleep(299)
        assert not expectations.satisfied(KEY)
        await asyncio.sleep(2)
        assert expectations.satisfied(KEY)

    story(act)


async def an_owner(context):
    return await context.api.create(ConfigMap(metadata=ObjectMeta(name="owner", namespace="default")))


def test_an_owner_in_doubt_is_looked_at_once_before_it_creates():
    async def act(context, faults, expectations):
        owner = await an_owner(context)
        expectations.doubt(KEY)
        asked = len(faults.requests)
        await ensure_owner_alive(context, KEY, owner, [Delete(a_config(0))], expectations)
        assert len(faults.requests) == asked, "nothing is to be made"
        for _ in range(2):
            await ensure_owner_alive(context, KEY, owner, [Create(a_config(0))], expectations)
        assert [request.method for request in faults.requests[asked:]] == ["GET"]

    story(act)


@pytest.mark.parametrize("made_anew, error", [(False, NotFound), (True, Conflict)], ids=["gone", "made anew"])
def test_an_owner_that_is_gone_stays_in_doubt(made_anew, error):
    async def act(context, faults, expectations):
        owner = await an_owner(context)
        await context.api.delete(ConfigMap, "owner", "default")
        if made_anew:
            await an_owner(context)
        expectations.doubt(KEY)
        for _ in range(2):
            with pytest.raises(error):
                await ensure_owner_alive(context, KEY, owner, [Create(a_config(0))], expectations)

    story(act)
