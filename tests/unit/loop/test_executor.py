import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from knarr.client.api import Api
from knarr.client.transport import InProcess
from knarr.kinds.types.core_v1 import ConfigMap
from knarr.kinds.types.core_v1 import Event as CoreEvent
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.events import Recorder
from knarr.loop.executor import batches, carry_out
from knarr.loop.steps import Create, Delete, Event, Note, Patch, Replace, Wait
from knarr.meta import clock
from knarr.meta.errors import AlreadyExists, Conflict, InternalError
from knarr.testing.builders import a_pod
from knarr.testing.cluster import Cluster
from knarr.testing.faults import Faulty
from knarr.testing.virtual_time import run

ON = a_pod("owner")


class Stage:
    def __init__(self, cluster):
        self.cluster = cluster
        self.faults = Faulty(InProcess(cluster.handler.handle))
        self.api = Api(self.faults)
        self.recorder = Recorder(self.api, "tester")

    async def carry_out(self, *steps, **options):
        return await carry_out(self.api, steps, self.recorder, **options)

    async def names(self):
        return [obj.metadata.name for obj in (await self.cluster.api.list(ConfigMap, "default")).items]

    async def get(self, name):
        return await self.cluster.api.get(ConfigMap, name, "default")

    async def events(self):
        writing = asyncio.create_task(self.recorder.run())
        await self.recorder.flush()
        writing.cancel()
        await asyncio.wait([writing])
        found = (await self.cluster.api.list(CoreEvent, "default")).items
        return [f"{event.type} {event.reason} {event.message}" for event in found]


def story(act):
    async def main():
        async with Cluster([]) as cluster:
            await act(Stage(cluster))

    run(main())


def a_config(name="c", **fields):
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), **fields)


def test_steps_are_carried_out_in_order():
    async def act(stage):
        await stage.carry_out(Create(a_config("a")), Create(a_config("b")))
        found = await stage.get("a")
        await stage.carry_out(
            Replace(replace(found, data={"k": "1"})), Patch(found, {"data": {"l": "2"}}), Delete(await stage.get("b"))
        )
        assert (await stage.get("a")).data == {"k": "1", "l": "2"}
        assert await stage.names() == ["a"]

    story(act)


def test_the_first_failure_ends_the_pass():
    async def act(stage):
        stage.faults.fail(InternalError("broken"))
        with pytest.raises(InternalError):
            await stage.carry_out(Create(a_config("a")), Create(a_config("b")))
        assert await stage.names() == []

    story(act)


def test_an_object_that_exists_is_a_failure_unless_it_will_do():
    async def act(stage):
        await stage.carry_out(Create(a_config()))
        await stage.carry_out(Create(a_config(), keep=True))
        with pytest.raises(AlreadyExists):
            await stage.carry_out(Create(a_config()))

    story(act)


def test_deleting_what_is_gone_is_fine_and_another_of_its_name_is_spared():
    async def act(stage):
        await stage.carry_out(Create(a_config()))
        old = await stage.get("c")
        await stage.carry_out(Delete(old), Delete(old), Create(a_config()))
        with pytest.raises(Conflict):
            await stage.carry_out(Delete(old))
        assert await stage.names() == ["c"]

    story(act)


def test_the_earliest_wait_says_when_to_look_again():
    async def act(stage):
        soon, late = clock.now() + timedelta(seconds=1), clock.now() + timedelta(seconds=9)
        assert await stage.carry_out(Wait(ON, "a", late), Wait(ON, "b", soon), Wait(ON, "c")) == soon
        assert await stage.carry_out(Wait(ON, "c")) is None

    story(act)


def test_notes_tell_how_a_step_ended():
    async def act(stage):
        note = Note(ON, ("Made", "created {name}"), ("NotMade", "no {name}: {error}"))
        stage.faults.fail(InternalError("broken"))
        with pytest.raises(InternalError):
            await stage.carry_out(Create(a_config("a"), note=note))
        generated = ConfigMap(metadata=ObjectMeta(generateName="c-", namespace="default"))
        await stage.carry_out(Create(generated, note=note), Event(ON, "Normal", "Done", "all"))
        (name,) = await stage.names()
        assert sorted(await stage.events()) == [
            "Normal Done all",
            f"Normal Made created {name}",
            "Warning NotMade no a: broken",
        ]

    story(act)


def test_batches_double():
    assert [len(batch) for batch in batches([Create(a_config())] * 11)] == [1, 2, 4, 4]


def test_together_a_failure_stops_the_batches_after_it():
    async def act(stage):
        stage.faults.fail(InternalError("broken"))
        with pytest.raises(InternalError):
            await stage.carry_out(*(Create(a_config(f"c{number}")) for number in range(9)), together=True)
        assert await stage.names() == []
        await stage.carry_out(*(Create(a_config(f"c{number}")) for number in range(9)), together=True)
        assert len(await stage.names()) == 9

    story(act)
