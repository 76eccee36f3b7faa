import pytest

from knarr.kinds.types.core_v1 import ConfigMap, Pod
from knarr.loop.claims import Claim, claim, claim_on
from knarr.meta.errors import Conflict
from knarr.testing.builders import LABELS, a_meta, a_pod, a_set
from knarr.testing.cluster import Cluster
from knarr.testing.virtual_time import run

OWNER, OTHER = a_set("db"), a_set("other")
GOING = a_set("db", deleting=True)

DECISIONS = {
    "its own pod that matches stays": (OWNER, a_pod(owner=OWNER), True, Claim.OWN),
    "its own pod that no longer matches is released": (OWNER, a_pod(owner=OWNER), False, Claim.RELEASE),
    "another's pod is left alone": (OWNER, a_pod(owner=OTHER), True, Claim.IGNORE),
    "a free pod that matches is adopted": (OWNER, a_pod(), True, Claim.ADOPT),
    "a free pod that does not match is left alone": (OWNER, a_pod(), False, Claim.IGNORE),
    "a free pod that is going is not adopted": (OWNER, a_pod(deleting=True), True, Claim.IGNORE),
    "an owner that is going adopts nothing": (GOING, a_pod(), True, Claim.IGNORE),
    "an owner that is going releases nothing": (GOING, a_pod(owner=GOING), False, Claim.IGNORE),
    "an owner that is going keeps what it has": (GOING, a_pod(owner=GOING), True, Claim.OWN),
}


@pytest.mark.parametrize("owner, obj, matches, decision", DECISIONS.values(), ids=DECISIONS)
def test_claim_on(owner, obj, matches, decision):
    assert claim_on(owner, obj, matches) is decision


def an_owner(name="owner"):
    return ConfigMap(metadata=a_meta(name, uid="", resourceVersion="", creationTimestamp=""))


def matches(pod):
    return LABELS.items() <= pod.metadata.labels.items()


async def a_story(cluster):
    """An owner and a free pod on the server."""
    await cluster.apply(an_owner(), a_pod("free"))
    return await cluster.api.get(ConfigMap, "owner", "default"), await cluster.api.get(Pod, "free", "default")


def story(act):
    async def main():
        async with Cluster([]) as cluster:
            owner, pod = await a_story(cluster)
            await act(cluster, owner, pod)

    run(main())


async def references(cluster):
    return [found.uid for found in (await cluster.api.get(Pod, "free", "default")).metadata.ownerReferences]


def test_a_pod_is_adopted_and_released():
    async def act(cluster, owner, pod):
        (adopted,) = await claim(cluster.api, owner, [pod], matches)
        assert await references(cluster) == [owner.metadata.uid]
        assert adopted.metadata.ownerReferences[0].blockOwnerDeletion
        assert await claim(cluster.api, owner, [adopted], lambda pod: False) == []
        assert await references(cluster) == []

    story(act)


def test_an_owner_made_anew_under_its_name_adopts_nothing_for_the_old_one():
    async def act(cluster, owner, pod):
        await cluster.api.delete(ConfigMap, "owner", "default")
        await cluster.apply(an_owner())
        with pytest.raises(Conflict, match="original ConfigMap default/owner is gone"):
            await claim(cluster.api, owner, [pod], matches)
        assert await references(cluster) == []

    story(act)


def test_a_pod_made_anew_under_its_name_is_not_adopted_for_the_old_one():
    async def act(cluster, owner, pod):
        await cluster.api.delete(Pod, "free", "default", grace=0)
        await cluster.apply(a_pod("free"))
        with pytest.raises(Conflict):
            await claim(cluster.api, owner, [pod], matches)
        assert await references(cluster) == []

    story(act)


def test_a_pod_that_went_meanwhile_is_not_among_the_claimed():
    async def act(cluster, owner, pod):
        await cluster.api.delete(Pod, "free", "default", grace=0)
        assert await claim(cluster.api, owner, [pod], matches) == []

    story(act)
