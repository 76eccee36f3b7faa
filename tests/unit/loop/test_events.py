import asyncio

from knarr.client.api import Api
from knarr.client.transport import InProcess, TransportError
from knarr.kinds.types.core_v1 import Event
from knarr.loop.events import AT_ONCE, QUEUE_LENGTH, Recorder
from knarr.testing.builders import a_pod
from knarr.testing.cluster import Cluster
from knarr.testing.faults import Faulty
from knarr.testing.virtual_time import run

POD = a_pod("p")


def recorded(story):
    """Run a story with a recorder, one that writes event after event and one that writes some at once; give the events
    there are afterwards, which are the same.
    """
    (events, *others) = (written(story, together) for together in (1, 3, AT_ONCE))
    for other in others:
        assert [told(event) for event in other] == [told(event) for event in events]
    return events


def told(event):
    about = event.involvedObject
    return (about.namespace, about.name, event.reason, event.message, event.count, event.firstTimestamp)


def written(story, together):
    async def main():
        async with Cluster([]) as cluster:
            faults = Faulty(InProcess(cluster.handler.handle))
            recorder = Recorder(Api(faults), "tester", "host", together=together)
            writing = asyncio.create_task(recorder.run())
            await story(recorder, faults, cluster)
            await recorder.flush()
            writing.cancel()
            await asyncio.wait([writing])
            found = (await cluster.api.list(Event, "default")).items
            return sorted(found, key=lambda event: event.metadata.name)

    return run(main())


def test_an_event_names_its_object_component_and_times():
    async def story(recorder, faults, cluster):
        await recorder.event(POD, "Normal", "Started", "it runs")

    (event,) = recorded(story)
    assert (event.type, event.reason, event.message, event.count) == ("Normal", "Started", "it runs", 1)
    assert (event.involvedObject.kind, event.involvedObject.name) == ("Pod", "p")
    assert (event.source.component, event.source.host) == ("tester", "host")
    assert (event.reportingComponent, event.reportingInstance) == ("tester", "host")
    assert event.firstTimestamp == event.lastTimestamp == "2026-01-01T00:00:00Z"
    assert event.metadata.name.startswith("p.")


def test_the_same_event_again_raises_its_count():
    async def story(recorder, faults, cluster):
        for _ in range(3):
            await recorder.event(POD, "Warning", "BackOff", "again")
            await asyncio.sleep(60)

    (event,) = recorded(story)
    assert (event.count, event.firstTimestamp, event.lastTimestamp) == (
        3,
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:02:00Z",
    )


def test_from_the_tenth_different_message_on_events_are_combined():
    async def story(recorder, faults, cluster):
        for number in range(13):
            await recorder.event(POD, "Warning", "Failed", f"reason {number}")

    events = recorded(story)
    assert len(events) == 10
    assert (events[-1].message, events[-1].count) == ("(combined from similar events): reason 12", 4)


def test_an_object_with_too_many_events_may_have_one_in_five_minutes():
    async def story(recorder, faults, cluster):
        for number in range(40):
            await recorder.event(POD, "Normal", f"Reason{number}", "m")
        await asyncio.sleep(301)
        await recorder.event(POD, "Normal", "Late", "m")
        await recorder.event(POD, "Normal", "TooLate", "m")

    reasons = [event.reason for event in recorded(story)]
    assert len(reasons) == 26
    assert reasons[-1] == "Late"


def test_an_event_that_has_expired_on_the_server_is_written_anew():
    async def story(recorder, faults, cluster):
        await recorder.event(POD, "Normal", "Started", "it runs")
        await recorder.flush()
        await cluster.api.delete_collection(Event, "default")
        await recorder.event(POD, "Normal", "Started", "it runs")

    (event,) = recorded(story)
    assert event.count == 2


def test_events_wait_for_a_server_that_is_away():
    async def story(recorder, faults, cluster):
        faults.fail(TransportError("refused"), times=5)
        await recorder.event(POD, "Normal", "Started", "it runs")

    assert len(recorded(story)) == 1


def test_an_event_that_the_server_refuses_is_dropped_and_the_next_written():
    async def story(recorder, faults, cluster):
        await recorder.event(a_pod("p", namespace="nowhere"), "Normal", "Started", "it runs")
        await recorder.event(POD, "Normal", "Started", "it runs")

    assert [event.involvedObject.namespace for event in recorded(story)] == ["default"]


def test_a_full_queue_drops_events_and_fails_nobody():
    async def main():
        async with Cluster([]) as cluster:
            recorder = Recorder(cluster.api, "tester")
            for number in range(QUEUE_LENGTH + 5):
                recorder.note(a_pod(f"p{number}"), "Normal", "Started", "it runs")
            writing = asyncio.create_task(recorder.run())
            await recorder.flush()
            writing.cancel()
            await asyncio.wait([writing])
            assert len((await cluster.api.list(Event, "default")).items) == QUEUE_LENGTH

    run(main())


def test_components_of_one_process_share_the_order():
    async def story(recorder, faults, cluster):
        other = recorder.named("other")
        await recorder.event(POD, "Normal", "First", "m")
        await other.event(POD, "Normal", "Second", "m")

    events = recorded(story)
    assert [(event.reason, event.source.component) for event in events] == [("First", "tester"), ("Second", "other")]


def test_new_events_are_written_at_once_and_in_their_order():
    async def main():
        async with Cluster([]) as cluster:
            recorder = Recorder(cluster.api, "tester", together=3)
            for number in range(7):
                recorder.note(a_pod(f"p{number}"), "Normal", "Started", "it runs")
            writing = asyncio.create_task(recorder.run())
            await recorder.flush()
            writing.cancel()
            await asyncio.wait([writing])
            found = sorted((await cluster.api.list(Event)).items, key=lambda event: int(event.metadata.resourceVersion))
            assert [event.involvedObject.name for event in found] == [f"p{number}" for number in range(7)]

    run(main())


def test_an_event_counts_one_that_waits_with_it():
    async def story(recorder, faults, cluster):
        for reason in ("Pulled", "Started", "Started", "Killing", "Started"):
            recorder.note(POD, "Normal", reason, "m")

    assert [(event.reason, event.count) for event in recorded(story)] == [("Pulled", 1), ("Started", 3), ("Killing", 1)]
