"""The garbage collector on a whole cluster, on virtual time."""

from contextlib import suppress

import pytest

from knarr.client.transport import TransportError
from knarr.controllers import garbage_collector
from knarr.kinds.types.core_v1 import ConfigMap, Event, Namespace
from knarr.kinds.types.meta_v1 import ObjectMeta, OwnerReference
from knarr.meta import clock
from knarr.meta.errors import NotFound
from knarr.testing.builders import a_namespace
from knarr.testing.cluster import Cluster
from knarr.testing.virtual_time import run


class Garden:
    """ConfigMaps that own each other."""

    def __init__(self, cluster):
        self.cluster, self.api = cluster, cluster.api

    async def plant(self, name, *owners, blocks=True, finalizers=(), namespace="default"):
        references = [
            OwnerReference(
                apiVersion=owner.apiVersion,
                kind=owner.kind,
                name=owner.metadata.name,
                uid=owner.metadata.uid,
                blockOwnerDeletion=blocks,
            )
            for owner in owners
        ]
        meta = ObjectMeta(name=name, namespace=namespace, ownerReferences=references, finalizers=[*finalizers])
        return await self.api.create(ConfigMap(metadata=meta))

    async def cut(self, name, propagation=""):
        await self.api.delete(ConfigMap, name, "default", propagation=propagation)
        await self.cluster.settled()

    async def names(self):
        return [obj.metadata.name for obj in (await self.api.list(ConfigMap)).items]

    async def owners(self, name):
        found = await self.api.get(ConfigMap, name, "default")
        return [reference.name for reference in found.metadata.ownerReferences]


def story(act, seed=0):
    async def main():
        async with Cluster(controllers=[garbage_collector.controller()]) as cluster:
            await act(Garden(cluster))

    run(main(), seed=seed)


async def a_family(garden):
    grandmother = await garden.plant("grandmother")
    mother = await garden.plant("mother", grandmother)
    await garden.plant("child", mother)
    await garden.plant("stranger")
    await garden.cluster.settled()


AFTERWARDS = {
    "Background": ["stranger"],
    "Foreground": ["stranger"],
    "Orphan": ["child", "mother", "stranger"],
}


@pytest.mark.parametrize("propagation, left", AFTERWARDS.items(), ids=AFTERWARDS)
def test_what_is_left_of_a_family(propagation, left):
    async def act(garden):
        await a_family(garden)
        await garden.cut("grandmother", propagation)
        assert await garden.names() == left

    story(act)


def test_orphans_name_their_owner_no_more():
    async def act(garden):
        await a_family(garden)
        await garden.cut("grandmother", "Orphan")
        assert await garden.owners("mother") == []
        assert await garden.owners("child") == ["mother"]

    story(act)


def test_in_the_foreground_an_owner_goes_last():
    async def act(garden):
        owner = await garden.plant("owner")
        await garden.plant("held", owner, finalizers=["example.com/hold"])
        await garden.plant("free", owner)
        await garden.cluster.settled()
        await garden.cut("owner", "Foreground")
        assert await garden.names() == ["held", "owner"]
        await garden.api.patch(ConfigMap, "held", "default", {"metadata": {"finalizers": None}})
        await garden.cluster.settled()
        assert await garden.names() == []

    story(act)


def test_a_dependent_that_does_not_block_does_not_hold_its_owner_up():
    async def act(garden):
        owner = await garden.plant("owner")
        await garden.plant("held", owner, blocks=False, finalizers=["example.com/hold"])
        await garden.cluster.settled()
        await garden.cut("owner", "Foreground")
        assert await garden.names() == ["held"]

    story(act)


def test_an_object_with_one_owner_left_stays_and_forgets_the_other():
    async def act(garden):
        one, other = await garden.plant("one"), await garden.plant("other")
        await garden.plant("child", one, other)
        await garden.cluster.settled()
        await garden.cut("one")
        assert await garden.names() == ["child", "other"]
        assert await garden.owners("child") == ["other"]
        await garden.cut("other")
        assert await garden.names() == []

    story(act)


def test_an_object_whose_owner_never_was_goes():
    async def act(garden):
        ghost = ConfigMap(metadata=ObjectMeta(name="ghost", uid="nobody"))
        await garden.plant("child", ghost)
        await garden.cluster.settled()
        assert await garden.names() == []

    story(act)


def test_an_owner_made_anew_under_its_name_does_not_keep_what_was_the_old_ones():
    async def act(garden):
        owner = await garden.plant("owner")
        await garden.plant("child", owner)
        await garden.api.delete(ConfigMap, "owner", "default")
        await garden.plant("owner")
        await garden.cluster.settled()
        assert await garden.names() == ["owner"]

    story(act)


def test_an_owner_of_another_namespace_is_told_and_counts_as_absent():
    async def act(garden):
        owner = await garden.plant("owner")
        await garden.api.create(Namespace(metadata=ObjectMeta(name="other")))
        await garden.cluster.settled()
        await garden.plant("child", owner, namespace="other")
        await garden.cluster.settled()
        assert await garden.names() == ["owner"]
        (event,) = (await garden.api.list(Event, "other")).items
        uid = owner.metadata.uid
        assert (event.reason, event.source.component) == ("OwnerRefInvalidNamespace", "garbage-collector-controller")
        assert event.message == (
            f'ownerRef [v1/ConfigMap, namespace: other, name: owner, uid: {uid}] does not exist in namespace "other"'
        )

    story(act)


def test_a_cluster_wide_object_with_an_owner_in_a_namespace_stays():
    async def act(garden):
        owner = await garden.plant("owner")
        reference = OwnerReference(apiVersion="v1", kind="ConfigMap", name="owner", uid=owner.metadata.uid)
        namespace = a_namespace("odd")
        meta = ObjectMeta(name=namespace.metadata.name, ownerReferences=[reference])
        await garden.api.create(Namespace(metadata=meta))
        await garden.cluster.settled()
        assert (await garden.api.get(Namespace, "odd")).metadata.deletionTimestamp == ""

    story(act)


def test_a_circle_deleted_in_the_foreground_opens():
    async def act(garden):
        one = await garden.plant("one")
        two = await garden.plant("two", one)
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "two", "uid": two.metadata.uid}
        circle = [reference | {"blockOwnerDeletion": True}]
        await garden.api.patch(ConfigMap, "one", "default", {"metadata": {"ownerReferences": circle}})
        await garden.cluster.settled()
        await garden.cut("one", "Foreground")
        assert await garden.names() == []

    story(act)


@pytest.mark.parametrize("seed", range(5))
def test_forests_of_any_shape_lose_exactly_what_hangs_on_the_trees_that_fall(seed):
    story(_fell, seed)


async def _fell(garden):
    """Plant at random, fell some in any manner while requests fail, and compare with what must be left."""
    rng = clock.rng()
    parents, planted = {}, {}
    for number in range(40):
        chosen = rng.sample(sorted(planted), min(len(planted), rng.choice((0, 1, 1, 2))))
        name = f"c{number:02}"
        planted[name] = await garden.plant(name, *(planted[one] for one in chosen))
        parents[name] = set(chosen)
    await garden.cluster.settled()
    felled = rng.sample(sorted(planted), 8)
    for name in felled:
        garden.cluster.faults.fail(TransportError("lost"), times=rng.randrange(3))
        garden.cluster.faults.cut_streams()
        propagation = rng.choice(("Background", "Foreground"))
        with suppress(NotFound):  # it hung on one that fell before
            await garden.api.delete(ConfigMap, name, "default", propagation=propagation)
    await garden.cluster.settled(quiet=180)  # longer than the longest back-off
    gone = set(felled)
    while more := {name for name, of in parents.items() if of and of <= gone} - gone:
        gone |= more
    assert await garden.names() == sorted(set(planted) - gone)
