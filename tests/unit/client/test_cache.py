import random

import pytest

from knarr.client.cache import Cache
from knarr.testing.builders import a_pod, a_set


@pytest.fixture
def cache():
    cache = Cache()
    for pod in (a_pod("b"), a_pod("a", node="n1"), a_pod("c", namespace="other", node="n1")):
        cache.put(pod)
    return cache


def names(pods):
    return [pod.metadata.name for pod in pods]


def test_all_objects_come_in_the_order_of_their_names(cache):
    assert names(cache.list()) == ["a", "b", "c"]


def test_a_namespace_holds_only_its_own(cache):
    assert names(cache.list("other")) == ["c"]
    assert names(cache.list("nowhere")) == []


def test_an_object_is_found_by_name_and_namespace(cache):
    assert cache.get("a", "default").metadata.name == "a"
    assert cache.get("a", "other") is None


def test_an_index_files_what_was_there_and_what_comes(cache):
    cache.add_index("node", lambda pod: [pod.spec.nodeName] if pod.spec.nodeName else [])
    cache.put(a_pod("d", node="n1"))
    assert names(cache.by_index("node", "n1")) == ["a", "d", "c"]


def test_an_index_follows_changes_and_removals(cache):
    cache.add_index("node", lambda pod: [pod.spec.nodeName] if pod.spec.nodeName else [])
    cache.put(a_pod("a", node="n2"))
    cache.drop(("other", "c"))
    assert names(cache.by_index("node", "n1")) == []
    assert names(cache.by_index("node", "n2")) == ["a"]


def test_dependents_are_found_by_their_controllers_uid(cache):
    owner = a_set("db")
    cache.put(a_pod("db-0", owner=owner))
    assert names(cache.by_index("owner", owner.metadata.uid)) == ["db-0"]


def test_dropping_what_is_not_there_gives_nothing(cache):
    assert cache.drop(("default", "none")) is None
    assert len(cache) == 3


def test_whatever_comes_changes_and_goes_an_index_gives_its_objects_in_their_order(cache):
    cache.add_index("node", lambda pod: [pod.spec.nodeName] if pod.spec.nodeName else [])
    draw, known = random.Random(7), {("default", "a"): "n1", ("other", "c"): "n1"}
    for _ in range(2000):
        namespace, name = key = draw.choice(("default", "other")), draw.choice("abcdefgh")
        if draw.random() < 0.3:
            cache.drop(key)
            known.pop(key, None)
        else:
            known[key] = draw.choice(("", "n1", "n2"))
            cache.put(a_pod(name, namespace=namespace, node=known[key]))
        for node in ("n1", "n2"):
            found = [(pod.metadata.namespace, pod.metadata.name) for pod in cache.by_index("node", node)]
            assert found == sorted(key for key, where in known.items() if where == node)
