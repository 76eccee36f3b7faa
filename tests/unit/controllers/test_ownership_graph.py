import pytest

from knarr.client.resource import Partial
from knarr.controllers.ownership_graph import FOREGROUND, ORPHAN, Graph, Identity
from knarr.kinds.types.meta_v1 import OwnerReference
from knarr.testing.builders import a_meta


def an_object(name, *owners, namespace="default", deleting=False, finalizers=(), blocks=True):
    """An object that names owners by their names; a uid is "uid-" and the name."""
    references = [
        OwnerReference(apiVersion="v1", kind="Thing", name=owner, uid=f"uid-{owner}", blockOwnerDeletion=blocks)
        for owner in owners
    ]
    return Partial(metadata=a_meta(name, namespace, owners=references, deleting=deleting, finalizers=[*finalizers]))


class Watched:
    """A graph, fed with objects; each change gives the names to look at."""

    def __init__(self, *objects):
        self.graph = Graph()
        for obj in objects:
            self.see(obj)

    def see(self, obj):
        meta = obj.metadata
        found = self.graph.observe(Identity("v1", "Thing", meta.namespace, meta.name, meta.uid), obj)
        self.misplaced = found.misplaced
        return names(found)

    def lose(self, name):
        return names(self.graph.forget(f"uid-{name}"))

    def absent(self, name):
        return names(self.graph.confirm_absent(self.node(name)))

    def node(self, name):
        return self.graph.nodes.get(f"uid-{name}")


def names(findings):
    return [uid.removeprefix("uid-") for uid in findings.look_at]


def test_an_object_without_owners_is_not_looked_at():
    assert Watched().see(an_object("a")) == []


def test_an_owner_that_was_not_seen_yet_is_looked_at():
    graph = Watched()
    assert graph.see(an_object("child", "parent")) == ["parent"]
    assert graph.node("parent").virtual
    assert graph.see(an_object("parent")) == []
    assert not graph.node("parent").virtual


def test_the_dependents_of_an_object_that_goes_are_looked_at():
    graph = Watched(an_object("parent"), an_object("one", "parent"), an_object("two", "parent"))
    assert graph.lose("parent") == ["one", "two"]
    assert graph.node("parent") is None


def test_an_owner_that_the_server_does_not_have_leaves_its_dependents_to_be_looked_at():
    graph = Watched(an_object("child", "parent"))
    assert graph.absent("parent") == ["child"]
    assert graph.graph.absent(Identity("v1", "Thing", "default", "parent", "uid-parent"))


def test_an_owner_nobody_saw_is_forgotten_with_its_last_dependent():
    graph = Watched(an_object("child", "parent"))
    graph.lose("child")
    assert graph.graph.nodes == {}


def test_a_reference_taken_off_is_forgotten():
    graph = Watched(an_object("parent"), an_object("child", "parent"))
    graph.see(an_object("child"))
    assert graph.lose("parent") == []


FOREGROUND_STORIES = {
    "its dependents and itself are looked at when it begins": (
        lambda graph: graph.see(an_object("parent", deleting=True, finalizers=[FOREGROUND])),
        ["parent", "child"],
    ),
    "nothing is looked at when it is deleted in the background": (
        lambda graph: graph.see(an_object("parent", deleting=True)),
        [],
    ),
    "only itself is looked at when it is to be orphaned": (
        lambda graph: graph.see(an_object("parent", deleting=True, finalizers=[ORPHAN])),
        ["parent"],
    ),
}


@pytest.mark.parametrize("act, expected", FOREGROUND_STORIES.values(), ids=FOREGROUND_STORIES)
def test_what_a_deletion_leads_to(act, expected):
    assert act(Watched(an_object("parent"), an_object("child", "parent"))) == expected


UNBLOCKED = {
    "its last dependent went": lambda graph: graph.lose("child"),
    "its dependent no longer blocks it": lambda graph: graph.see(an_object("child", "parent", blocks=False)),
    "its dependent has another owner": lambda graph: graph.see(an_object("child")),
}


@pytest.mark.parametrize("act", UNBLOCKED.values(), ids=UNBLOCKED)
def test_a_waiting_owner_is_looked_at_when(act):
    graph = Watched(an_object("parent"), an_object("child", "parent"))
    graph.see(an_object("parent", deleting=True, finalizers=[FOREGROUND]))
    assert act(graph) == ["parent"]


def test_a_dependent_that_comes_late_to_a_waiting_owner_is_looked_at():
    graph = Watched(an_object("parent", deleting=True, finalizers=[FOREGROUND]))
    assert graph.see(an_object("child", "parent")) == ["child"]


def test_only_references_that_say_so_block():
    graph = Watched(an_object("parent"), an_object("one", "parent"), an_object("two", "parent", blocks=False))
    blocking = [
        node.identity.name for node in graph.graph.dependents(graph.node("parent")) if node.blocks("uid-parent")
    ]
    assert blocking == ["one"]


ORDERS = {
    "whose owner was seen first": [an_object("parent"), an_object("child", "parent", namespace="other")],
    "that was seen before its owner": [an_object("child", "parent", namespace="other"), an_object("parent")],
}


@pytest.mark.parametrize("objects", ORDERS.values(), ids=ORDERS)
def test_an_owner_in_another_namespace_is_reported_for_an_object(objects):
    graph = Watched(objects[0])
    assert "child" in graph.see(objects[1])
    ((obj, owner),) = graph.misplaced
    assert obj.name == "child"
    assert str(owner) == "[v1/Thing, namespace: other, name: parent, uid: uid-parent]"


def test_a_cluster_wide_owner_may_be_named_from_any_namespace():
    graph = Watched(an_object("parent", namespace=""))
    assert graph.see(an_object("one", "parent", namespace="a")) == []
    assert graph.see(an_object("two", "parent", namespace="b")) == []
    assert graph.lose("parent") == ["one", "two"]


def test_dependents_that_disagree_about_an_absent_owner_are_judged_apart():
    wrong = an_object("wrong", "parent")
    other = OwnerReference(apiVersion="v2", kind="Thing", name="parent", uid="uid-parent")
    right = Partial(metadata=a_meta("right", owners=[other]))
    graph = Watched(wrong, right)
    assert graph.absent("parent") == ["wrong", "parent"]
    assert graph.node("parent").identity.api_version == "v2"
    assert graph.absent("parent") == ["wrong", "right"]


ORPHANS = {
    "when its owner is gone": (["parent"], True),
    "not while one of two is there": (["parent", "other"], False),
    "not without ever having had one": ([], False),
}


@pytest.mark.parametrize("owners, orphan", ORPHANS.values(), ids=ORPHANS)
def test_an_object_is_an_orphan(owners, orphan):
    graph = Watched(
        an_object("parent"), an_object("other"), an_object("child", *owners), an_object("sibling", "parent")
    )
    assert not graph.graph.is_orphan(graph.node("child"))
    graph.lose("parent")
    assert graph.graph.is_orphan(graph.node("child")) is orphan
