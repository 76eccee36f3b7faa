"""Owner references that are odd, and owners of every kind: what the garbage collector makes of them."""

import json

import pytest

from knarr.client.resource import Partial, Resource
from knarr.controllers import garbage_collector
from knarr.kinds.types.core_v1 import ConfigMap, Node
from knarr.kinds.types.meta_v1 import ObjectMeta, OwnerReference
from knarr.meta.errors import NotFound
from knarr.testing.cluster import Cluster
from knarr.testing.virtual_time import run

BOATS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
"""
BOAT = Resource(Partial, "example.com", "v1", "boats", "Boat", namespaced=True)


def story(act):
    async def main():
        async with Cluster([garbage_collector.controller()]) as cluster:
            await act(cluster)

    run(main())


async def owned(cluster, child, reference):
    meta = ObjectMeta(name=child, namespace="default", ownerReferences=[OwnerReference(**reference)])
    await cluster.api.create(ConfigMap(metadata=meta))
    await cluster.settled()


async def is_there(cluster, type_, name, namespace="default"):
    try:
        return bool(await cluster.api.get(type_, name, namespace))
    except NotFound:
        return False


ODD = {
    "the name is another's": ({"name": "other"}, False),
    "the kind is another": ({"kind": "Secret"}, False),
    "the uid was made up": ({"uid": "made-up"}, False),
    "the kind is cluster-wide": ({"kind": "Namespace"}, False),
    "the group is another that has no such kind": ({"apiVersion": "apps/v1"}, True),
    "nobody knows the kind": ({"apiVersion": "nobody.example.com/v1", "kind": "Ghost"}, True),
    "all is right": ({}, True),
}


@pytest.mark.parametrize("change, stays", ODD.values(), ids=ODD)
def test_a_dependent_stays_only_if_its_owner_is_or_cannot_be_asked_for(change, stays):
    async def act(cluster):
        owner = await cluster.api.create(ConfigMap(metadata=ObjectMeta(name="owner", namespace="default")))
        right = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
        await owned(cluster, "child", {**right, **change})
        await cluster.settled(quiet=70)
        assert await is_there(cluster, ConfigMap, "child") is stays
        assert await is_there(cluster, ConfigMap, "owner")

    story(act)


def test_a_cluster_wide_owner_takes_along_what_it_owns_in_a_namespace():
    async def act(cluster):
        node = await cluster.api.create(Node(metadata=ObjectMeta(name="n")))
        await owned(cluster, "child", {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": node.metadata.uid})
        assert await is_there(cluster, ConfigMap, "child")
        await cluster.api.delete(Node, "n")
        await cluster.settled()
        assert not await is_there(cluster, ConfigMap, "child")

    story(act)


async def a_fleet(cluster):
    """A boat that owns a ConfigMap and a boat, which owns another ConfigMap."""
    await cluster.apply(BOATS)
    await cluster.settled()
    flagship = await a_boat(cluster, "flagship")
    await owned(cluster, "log", reference(flagship))
    dinghy = await a_boat(cluster, "dinghy", reference(flagship))
    await owned(cluster, "oars", reference(dinghy))


async def a_boat(cluster, name, *owners):
    tree = {
        "apiVersion": "example.com/v1",
        "kind": "Boat",
        "metadata": {"name": name, "ownerReferences": [{**owner, "blockOwnerDeletion": True} for owner in owners]},
    }
    await cluster.api.raw("POST", BOAT.path("default"), body=json.dumps(tree).encode())
    return await cluster.api.get(BOAT, name, "default")


def reference(boat):
    return {"apiVersion": "example.com/v1", "kind": "Boat", "name": boat.metadata.name, "uid": boat.metadata.uid}


def test_what_a_custom_resource_owned_goes_even_if_it_went_before_its_kind_was_found():
    async def act(cluster):
        await cluster.apply(BOATS)
        await cluster.settled(quiet=garbage_collector.SETTLE_SECONDS / 4)
        boat = await a_boat(cluster, "skuld")
        oars = ObjectMeta(name="oars", namespace="default", ownerReferences=[OwnerReference(**reference(boat))])
        await cluster.api.create(ConfigMap(metadata=oars))
        await cluster.api.delete(BOAT, "skuld", "default")
        await cluster.advance(seconds=2 * garbage_collector.SETTLE_SECONDS)
        assert not await is_there(cluster, ConfigMap, "oars")

    story(act)


FLEETS = {"Background": (False, False), "Foreground": (False, False), "Orphan": (True, True)}


@pytest.mark.parametrize("propagation, left", FLEETS.items(), ids=FLEETS)
def test_custom_resources_own_and_are_owned(propagation, left):
    async def act(cluster):
        await a_fleet(cluster)
        await cluster.api.delete(BOAT, "flagship", "default", propagation=propagation)
        await cluster.settled()
        assert not await is_there(cluster, BOAT, "flagship")
        assert (await is_there(cluster, BOAT, "dinghy"), await is_there(cluster, ConfigMap, "oars")) == left
        if propagation == "Orphan":
            for type_, name in ((BOAT, "dinghy"), (ConfigMap, "log")):
                assert (await cluster.api.get(type_, name, "default")).metadata.ownerReferences == []

    story(act)
