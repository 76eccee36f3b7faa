"""What the scheduler makes of a decision that could not be carried out."""

from types import SimpleNamespace

import pytest

from knarr.kinds.types.core_v1 import Pod
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.scheduler.board import key_of
from knarr.scheduler.queue import Waiting
from knarr.scheduler.scheduler import Scheduler


def a_pod(uid):
    return Pod(metadata=ObjectMeta(name="p", namespace="n", uid=uid))


#: whose place -> the uid of the pod of that name that is known, and where it counts afterwards
PLACES = {"of the same pod": ("old", None), "of a pod that is gone": ("", None), "not of its successor": ("new", "a")}


@pytest.mark.parametrize("known, place", PLACES.values(), ids=PLACES)
def test_the_place_of_a_pod_that_was_not_bound_is_free(known, place):
    cache = SimpleNamespace(get=lambda name, namespace: a_pod(known) if known else None)
    context = SimpleNamespace(
        api=None,
        recorder=SimpleNamespace(named=lambda name: None),
        informers=SimpleNamespace(of=lambda kind: SimpleNamespace(cache=cache)),
    )
    scheduler = Scheduler(context)
    scheduler.board.put_pod(a_pod(known or "old"), "a")
    scheduler._give_up(Waiting(a_pod("old")))
    assert scheduler.board.node_of(key_of(a_pod("old"))) == place
