"""The scheduler's queue on virtual time: who is tried next, and when again."""

import asyncio

import pytest

from knarr.kinds.types.core_v1 import Pod, PodSpec
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.scheduler.queue import FIRST_DELAY, LONGEST_DELAY, PATIENCE, ROUND, Queue
from knarr.testing import virtual_time


def a_pod(name, priority=0, uid="", labels=None):
    return Pod(
        metadata=ObjectMeta(name=name, namespace="n", uid=uid or name, labels=labels or {}),
        spec=PodSpec(priority=priority),
    )


def any_pod(pod):
    return True


async def next_name(queue):
    waiting, _ = await queue.get()
    return waiting.pod.metadata.name


def on_virtual_time(test):
    def run():
        virtual_time.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@on_virtual_time
async def test_higher_priority_goes_first_then_who_came_first():
    queue = Queue()
    for pod in (a_pod("a"), a_pod("b", 10), a_pod("c"), a_pod("d", 10)):
        queue.put(pod)
    assert [await next_name(queue) for _ in range(4)] == ["b", "d", "a", "c"]


@on_virtual_time
async def test_a_pod_is_tried_once_however_often_it_was_put():
    queue = Queue()
    queue.put(a_pod("a"))
    queue.put(a_pod("a"))
    assert await next_name(queue) == "a"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await queue.get()


@on_virtual_time
async def test_a_pod_that_was_dropped_is_not_tried():
    queue = Queue()
    queue.put(a_pod("a"))
    queue.put(a_pod("b"))
    queue.drop(("n", "a"))
    assert await next_name(queue) == "b"


@on_virtual_time
async def test_another_pod_of_the_name_is_tried_at_once():
    queue = Queue()
    queue.put(a_pod("a"))
    queue.rest(*await queue.get())
    queue.put(a_pod("a", uid="another"))
    waiting, _ = await queue.get()
    assert (waiting.pod.metadata.uid, waiting.tries) == ("another", 0)


@on_virtual_time
async def test_a_resting_pod_is_tried_again_after_five_minutes():
    queue, loop = Queue(), asyncio.get_running_loop()
    queue.put(a_pod("a"))
    queue.rest(*await queue.get())
    await queue.get()
    assert loop.time() == pytest.approx(PATIENCE)


@on_virtual_time
async def test_something_that_could_help_wakes_a_resting_pod_after_its_back_off():
    queue, loop = Queue(), asyncio.get_running_loop()
    queue.put(a_pod("a"))
    delays = []
    for _ in range(9):
        got = await queue.get()
        began = loop.time()
        queue.rest(*got)
        queue.wake(any_pod)
        await queue.get()
        delays.append(loop.time() - began)
        queue.retry(got[0])  # puts it back for the next round
        queue.wake(any_pod)
    assert delays[0] == pytest.approx(FIRST_DELAY)
    assert max(delays) == pytest.approx(LONGEST_DELAY)


@on_virtual_time
async def test_what_happens_during_a_try_is_not_missed():
    queue, loop = Queue(), asyncio.get_running_loop()
    queue.put(a_pod("a"))
    waiting, seen = await queue.get()
    queue.wake(any_pod)
    queue.rest(waiting, seen)
    await queue.get()
    assert loop.time() == pytest.approx(FIRST_DELAY)


@on_virtual_time
async def test_only_the_pods_that_something_could_help_are_woken():
    queue, loop = Queue(), asyncio.get_running_loop()
    for name in ("a", "b"):
        queue.put(a_pod(name, labels={"app": name}))
        queue.rest(*await queue.get())
    queue.wake(lambda pod: pod.metadata.labels["app"] == "b")
    assert (await queue.get())[0].pod.metadata.name == "b"
    assert loop.time() == pytest.approx(FIRST_DELAY)


@on_virtual_time
async def test_of_pods_that_are_alike_one_is_asked_about():
    queue, asked = Queue(apart={("n", "c")}), []
    for name in ("a", "b", "c"):
        queue.put(a_pod(name))
        queue.rest(*await queue.get())
    queue.wake(lambda pod: bool(asked.append(pod.metadata.name)))
    assert asked == ["a", "c"]


@on_virtual_time
async def test_some_pods_are_woken_by_name():
    queue = Queue()
    for name in ("a", "b"):
        queue.put(a_pod(name))
        queue.rest(*await queue.get())
    queue.wake_these([("n", "b"), ("n", "unknown")])
    assert await next_name(queue) == "b"


@on_virtual_time
async def test_a_change_of_what_it_asks_for_wakes_a_pod():
    queue, loop = Queue(), asyncio.get_running_loop()
    queue.put(a_pod("a"))
    queue.rest(*await queue.get())
    queue.put(a_pod("a", labels={"x": "y"}))
    await queue.get()
    assert loop.time() == pytest.approx(FIRST_DELAY)


def no_pod(pod):
    return False


#: sentence -> what happens after a pod was found to fit nowhere, and the nodes that it is to look at again
PLACES = {
    "a node that could help": ([(any_pod, "a")], {"a"}),
    "not a node that could not": ([(any_pod, "a"), (no_pod, "")], {"a"}),
    "each node that could": ([(any_pod, "a"), (any_pod, "b"), (no_pod, "c")], {"a", "b"}),
    "all, when something could help anywhere": ([(any_pod, "")], None),
    "all, also when that comes later": ([(any_pod, "a"), (any_pod, "")], None),
    "all, also when a node comes later": ([(any_pod, ""), (any_pod, "a")], None),
}


@pytest.mark.parametrize(("wakes", "places"), PLACES.values(), ids=PLACES)
def test_where_a_pod_looks_again(wakes, places):
    async def main():
        queue = Queue()
        queue.put(a_pod("a"))
        queue.rest(*await queue.get())
        for wake in wakes:
            queue.wake(*wake)
        found = (await queue.get())[0].places
        assert (found if found is None else {*found}) == places

    virtual_time.run(main())


@on_virtual_time
async def test_a_pod_looks_everywhere_when_it_was_changed_or_nothing_happened_for_long():
    queue = Queue()
    queue.put(a_pod("a"))
    queue.rest(*await queue.get())
    queue.wake(any_pod, "a")
    queue.put(a_pod("a", labels={"x": "y"}))
    waiting, seen = await queue.get()
    assert waiting.places is None
    queue.rest(waiting, seen)
    assert (await queue.get())[0].places is None


@on_virtual_time
async def test_what_happens_on_a_node_during_a_try_has_the_pod_look_everywhere():
    queue = Queue()
    queue.put(a_pod("a"))
    got = await queue.get()
    queue.wake(any_pod, "a")
    queue.rest(*got)
    assert (await queue.get())[0].places is None


async def resting(names, **kind):
    """A queue of pods that are alike and were all tried in vain."""
    queue = Queue()
    for name in names:
        queue.put(a_pod(name, **kind))
        queue.rest(*await queue.get(), "no room")
    return queue


async def nobody_is_tried(queue, seconds=10.0):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await queue.get()
    return True


@on_virtual_time
async def test_of_pods_that_are_alike_one_is_tried_for_all():
    queue = await resting("abc")
    queue.wake(any_pod, "node")
    queue.rest(*await queue.get(), "no room")
    assert await nobody_is_tried(queue)


@on_virtual_time
async def test_the_next_is_tried_when_one_has_found_its_node():
    queue = await resting("abc")
    queue.wake(any_pod, "node")
    tried = []
    for _ in range(2):
        waiting, _seen = await queue.get()
        tried.append((waiting.pod.metadata.name, {*waiting.places}))
        queue.settled(waiting)
    queue.rest(*await queue.get(), "no room")
    assert tried == [("a", {"node"}), ("b", {"node"})]
    assert await nobody_is_tried(queue)


@on_virtual_time
async def test_nodes_that_were_looked_at_in_vain_are_not_looked_at_again():
    queue = await resting("ab")
    queue.wake(any_pod, "full")
    queue.wake(any_pod, "node")
    waiting, _seen = await queue.get()
    del waiting.places["full"]
    queue.settled(waiting)
    assert {*(await queue.get())[0].places} == {"node"}


@on_virtual_time
async def test_the_next_is_tried_when_one_is_gone_while_it_is_tried():
    queue = await resting("ab")
    queue.wake(any_pod, "node")
    waiting, _seen = await queue.get()
    queue.drop(("n", waiting.pod.metadata.name))
    assert (await next_name(queue), waiting.pod.metadata.name) == ("b", "a")


@on_virtual_time
async def test_what_happens_while_one_is_tried_has_the_next_tried():
    queue = await resting("ab")
    queue.wake(any_pod, "node")
    waiting, seen = await queue.get()
    queue.wake(any_pod, "other")
    queue.rest(waiting, seen, "no room")
    following, _seen = await queue.get()
    assert (following.pod.metadata.name, {*following.places}) == ("b", {"other"})


@on_virtual_time
async def test_whose_back_off_is_over_does_not_wait_for_one_that_was_tried_often():
    queue, loop = await resting("a"), asyncio.get_running_loop()
    for _ in range(6):
        queue.wake(any_pod)
        queue.rest(*await queue.get(), "no room")
    queue.put(a_pod("b"))
    queue.rest(*await queue.get(), "no room")
    began = loop.time()
    queue.wake(any_pod)
    assert await next_name(queue) == "b"
    assert loop.time() - began == pytest.approx(FIRST_DELAY)


@on_virtual_time
async def test_all_are_tried_when_something_else_is_said_of_one():
    queue = await resting("abc")
    queue.wake(any_pod, "node")
    queue.rest(*await queue.get(), "a taint")
    tried = []
    for _ in range(2):
        waiting, seen = await queue.get()
        tried.append((waiting.pod.metadata.name, waiting.places))
        queue.rest(waiting, seen, "a taint")
    assert tried == [("b", None), ("c", None)]
    assert await nobody_is_tried(queue)


@on_virtual_time
async def test_all_are_tried_again_after_five_minutes():
    queue, loop = await resting("abc"), asyncio.get_running_loop()
    tried = []
    for _ in range(3):
        waiting, seen = await queue.get()
        tried.append((waiting.pod.metadata.name, loop.time()))
        queue.rest(waiting, seen, "no room")
    assert tried == [(name, pytest.approx(PATIENCE)) for name in "abc"]


@on_virtual_time
async def test_who_was_being_tried_when_five_minutes_were_over_is_tried_again_after_five_more():
    queue, loop = await resting("a"), asyncio.get_running_loop()
    await asyncio.sleep(PATIENCE - 1)
    queue.wake(any_pod, "node")
    taken = await queue.get()
    await asyncio.sleep(2)
    queue.rest(*taken, "no room")
    began = loop.time()
    assert await next_name(queue) == "a"
    assert PATIENCE <= loop.time() - began < PATIENCE + ROUND


@on_virtual_time
async def test_a_failure_has_the_pod_tried_again_and_others_at_once():
    queue, loop = await resting("ab"), asyncio.get_running_loop()
    queue.wake(any_pod, "node")
    waiting, _seen = await queue.get()
    began = loop.time()
    queue.retry(waiting)
    assert (await next_name(queue), loop.time()) == ("b", began)
    assert await next_name(queue) == "a"
    assert loop.time() > began


@on_virtual_time
async def test_nothing_is_kept_of_pods_that_are_gone():
    queue = await resting("abc")
    queue.wake(any_pod, "node")
    for name in "abc":
        queue.drop(("n", name))
    assert (len(queue), queue._crowds, queue._timers) == (0, {}, {})
    assert await nobody_is_tried(queue, 2 * PATIENCE)
