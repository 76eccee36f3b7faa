"""For whom room is made where, by what is decided and by what is written."""

import pytest

from knarr.kinds.types.core_v1 import Pod, PodSpec, PodStatus
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.scheduler.board import key_of
from knarr.scheduler.nominations import Nominations


def a_pod(written="", *, uid="p", priority=0, name="p"):
    meta = ObjectMeta(name=name, namespace="n", uid=uid)
    return Pod(metadata=meta, spec=PodSpec(priority=priority), status=PodStatus(nominatedNodeName=written))


P = key_of(a_pod())

#: sentence -> what was decided, the pod as it was written and as it is, where room is made then, and where no longer
WRITTEN = {
    "nothing is written yet of what was decided": ("a", a_pod(), a_pod(), "a", ""),
    "what was decided is written": ("a", a_pod(), a_pod("a"), "a", ""),
    "somebody writes another node": ("a", a_pod("a"), a_pod("b"), "b", "a"),
    "somebody takes it back": ("a", a_pod("a"), a_pod(), "", "a"),
    "a scheduler begins anew": ("", None, a_pod("a"), "a", ""),
    "nothing was ever decided": ("", None, a_pod(), "", ""),
    "another pod has the name": ("a", a_pod("a"), a_pod(uid="other"), "", "a"),
}


@pytest.mark.parametrize(("decided", "old", "new", "made", "left"), WRITTEN.values(), ids=WRITTEN)
def test_what_is_written(decided, old, new, made, left):
    nominations = Nominations()
    if decided:
        nominations.put(a_pod(), decided)
    assert nominations.follow(old, new) == left
    assert nominations.by_node == ({made: {P: new}} if made else {})


def test_a_pod_waits_for_its_victims_while_its_node_stays():
    nominations = Nominations()
    nominations.put(a_pod(), "a", frozenset({"v", "w"}))
    nominations.follow(a_pod(), a_pod("a"))
    assert nominations.victims(P) == {"v", "w"}
    nominations.expect(P, frozenset({"v"}))
    assert nominations.victims(P) == {"v"}
    nominations.follow(a_pod("a"), a_pod("b"))
    assert nominations.victims(P) == frozenset()


def test_who_is_less_important_is_sent_away():
    nominations = Nominations()
    for number in range(3):
        nominations.put(a_pod(name=str(number), priority=number), "a")
    below = list(nominations.below("a", 2))
    assert [pod.metadata.name for pod in below] == ["0", "1"]
    assert [nominations.drop(key_of(pod)) for pod in below] == ["a", "a"]
    assert list(nominations.by_node["a"]) == [("n", "2")]
    assert nominations.drop(P) == ""
