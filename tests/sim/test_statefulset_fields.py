"""Fields of a StatefulSet, seen on simulated nodes: what becomes of claims, ordinals, maxUnavailable, labels."""

import asyncio

import pytest
from msgspec.structs import replace

from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import PersistentVolumeClaim, Pod
from knarr.scheduler import scheduler
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster
from tests.sim.stateful import CLASS, CONTROLLERS, SPACE, OneOfEachName, manifest, names, scale, set_image


def lived(tale):
    """Go through a tale on three simulated nodes, holding it to one pod of a name."""

    async def main():
        controllers = [module.controller() for module in CONTROLLERS]
        async with Cluster(controllers, 3, services=[scheduler.run]) as cluster:
            await cluster.apply(CLASS)
            await cluster.settled()
            watcher = OneOfEachName(cluster)
            await tale(cluster)
            assert watcher.broken == []

    virtual_time.run(main())


async def owners(cluster):
    """The kind and name of each claim's owner, "" for none."""
    claims = (await cluster.api.list(PersistentVolumeClaim, SPACE)).items
    return {
        claim.metadata.name: " ".join(f"{ref.kind}/{ref.name}" for ref in claim.metadata.ownerReferences)
        for claim in claims
    }


async def uids(cluster):
    """The uid of each pod and claim."""
    found = [each for kind in (Pod, PersistentVolumeClaim) for each in (await cluster.api.list(kind, SPACE)).items]
    return {each.metadata.name: each.metadata.uid for each in found}


ALL = ["d-db-0", "d-db-1", "d-db-2"]
FIRST = ["d-db-0"]
#: whenDeleted, whenScaled -> who owns the claims of three pods, what is left at one pod, and without the set
RETENTION = {
    "all are kept": ("Retain", "Retain", "", ALL, ALL),
    "surplus ones go": ("Retain", "Delete", "", FIRST, FIRST),
    "they go with the set": ("Delete", "Retain", "StatefulSet/db", ALL, []),
    "none is kept": ("Delete", "Delete", "StatefulSet/db", FIRST, []),
}


def test_no_claim_goes_by_a_size_that_the_set_no_longer_has():
    async def tale(cluster):
        await cluster.apply(manifest(2, persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete"}))
        await cluster.settled()
        before = await uids(cluster)
        cache = cluster.context.cache(StatefulSet)
        known = cache.get("db", SPACE)
        spec = replace(known.spec, replicas=1)
        cache.put(replace(known, spec=spec, metadata=replace(known.metadata, generation=0)))  # from before it grew
        await cluster.api.patch(Pod, "db-1", SPACE, {"metadata": {"labels": {"wakes": "it"}}})
        await asyncio.sleep(60)
        cache.put(known)
        await asyncio.sleep(60)
        assert await uids(cluster) == before
        assert await owners(cluster) == dict.fromkeys(ALL[:2], "")

    lived(tale)


@pytest.mark.parametrize(("deleted", "scaled", "owner", "shrunk", "gone"), RETENTION.values(), ids=RETENTION)
def test_claims(deleted, scaled, owner, shrunk, gone):
    async def tale(cluster):
        policy = {"whenDeleted": deleted, "whenScaled": scaled}
        await cluster.apply(manifest(3, persistentVolumeClaimRetentionPolicy=policy))
        await cluster.settled()
        assert await owners(cluster) == dict.fromkeys(ALL, owner)
        await scale(cluster, 1)
        assert await owners(cluster) == dict.fromkeys(shrunk, owner)
        await scale(cluster, 3)
        assert await owners(cluster) == dict.fromkeys(ALL, owner)
        await scale(cluster, 1)
        await cluster.api.delete(StatefulSet, "db", SPACE, propagation="Background")
        await cluster.settled(quiet=10)
        assert (await names(cluster, Pod), await names(cluster, PersistentVolumeClaim)) == ([], gone)

    lived(tale)


def test_a_policy_may_be_changed_while_the_set_lives():
    async def tale(cluster):
        await cluster.apply(manifest(2))
        await cluster.settled()
        change = {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"}}}
        await cluster.api.patch(StatefulSet, "db", SPACE, change)
        await cluster.settled(quiet=10)
        assert set((await owners(cluster)).values()) == {"StatefulSet/db"}
        change["spec"]["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Retain", "whenScaled": "Retain"}
        await cluster.api.patch(StatefulSet, "db", SPACE, change)
        await cluster.settled(quiet=10)
        assert set((await owners(cluster)).values()) == {""}

    lived(tale)


def test_claims_are_found_again_by_a_set_of_the_same_name():
    async def tale(cluster):
        await cluster.apply(manifest(2))
        await cluster.settled()
        before = {c.metadata.name: c.spec.volumeName for c in await claims(cluster)}
        await cluster.api.delete(StatefulSet, "db", SPACE, propagation="Background")
        await cluster.settled(quiet=10)
        await cluster.apply(manifest(2))
        await cluster.settled(quiet=10)
        assert {c.metadata.name: c.spec.volumeName for c in await claims(cluster)} == before
        pods = (await cluster.api.list(Pod, SPACE)).items
        used = {pod.metadata.name: pod.spec.volumes[0].persistentVolumeClaim.claimName for pod in pods}
        assert used == {"db-0": "d-db-0", "db-1": "d-db-1"}

    lived(tale)


async def claims(cluster):
    return (await cluster.api.list(PersistentVolumeClaim, SPACE)).items


def test_ordinals_begin_where_they_are_told_and_may_move():
    async def tale(cluster):
        await cluster.apply(manifest(2, ordinals={"start": 5}))
        await cluster.settled()
        assert await names(cluster, Pod) == ["db-5", "db-6"]
        await cluster.api.patch(StatefulSet, "db", SPACE, {"spec": {"ordinals": {"start": 6}}})
        await cluster.settled(quiet=10)
        assert await names(cluster, Pod) == ["db-6", "db-7"]
        await cluster.api.patch(StatefulSet, "db", SPACE, {"spec": {"ordinals": None, "replicas": 1}})
        await cluster.settled(quiet=10)
        assert await names(cluster, Pod) == ["db-0"]

    lived(tale)


def test_pods_carry_their_name_and_their_ordinal():
    async def tale(cluster):
        await cluster.apply(manifest(2, ordinals={"start": 3}))
        await cluster.settled()
        pods = (await cluster.api.list(Pod, SPACE)).items
        labels = [
            (
                pod.metadata.labels["statefulset.kubernetes.io/pod-name"],
                pod.metadata.labels["apps.kubernetes.io/pod-index"],
            )
            for pod in pods
        ]
        assert labels == [("db-3", "3"), ("db-4", "4")]
        assert [(pod.spec.hostname, pod.spec.subdomain) for pod in pods] == [("db-3", "db"), ("db-4", "db")]

    lived(tale)


#: management, maxUnavailable of five pods -> how many are down at once
DOWN = {
    "one by one unless told otherwise": ("OrderedReady", None, 1),
    "two at a time": ("OrderedReady", 2, 2),
    "a share, rounded down": ("OrderedReady", "70%", 3),
    "two at a time, of a parallel set": ("Parallel", 2, 2),
}


@pytest.mark.parametrize(("policy", "most", "down"), DOWN.values(), ids=DOWN)
def test_an_update_has_so_many_pods_down(policy, most, down):
    async def tale(cluster):
        strategy = {"type": "RollingUpdate", "rollingUpdate": {} if most is None else {"maxUnavailable": most}}
        await cluster.apply(manifest(5, podManagementPolicy=policy, updateStrategy=strategy))
        await cluster.settled()
        leaving, worst = set(), []

        def changed(old, new):
            name = (new or old).metadata.name
            ready = new is not None and not new.metadata.deletionTimestamp and is_ready(new)
            leaving.discard(name) if ready else leaving.add(name)
            worst.append(len(leaving))

        cluster.context.informers.of(Pod).on_change(changed)
        await set_image(cluster, "img:2")
        assert max(worst) == down
        assert {pod.spec.containers[0].image for pod in (await cluster.api.list(Pod, SPACE)).items} == {"img:2"}

    lived(tale)


def is_ready(pod):
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)
