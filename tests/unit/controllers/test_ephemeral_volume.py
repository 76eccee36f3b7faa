"""A pod's own claims, case by case."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from knarr.client.cache import Cache
from knarr.controllers.ephemeral_volume import plan, sync
from knarr.kinds.types.core_v1 import (
    EphemeralVolumeSource,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimTemplate,
    Pod,
    PodSpec,
    Volume,
)
from knarr.kinds.types.meta_v1 import ObjectMeta, OwnerReference
from knarr.meta.errors import NotFound

TEMPLATE = PersistentVolumeClaimTemplate(
    metadata=ObjectMeta(labels={"a": "b"}), spec=PersistentVolumeClaimSpec(accessModes=["ReadWriteOnce"])
)


def a_pod(*, deleted=""):
    source = EphemeralVolumeSource(volumeClaimTemplate=TEMPLATE)
    return Pod(
        metadata=ObjectMeta(name="p", namespace="n", uid="u", deletionTimestamp=deleted),
        spec=PodSpec(volumes=[Volume(name="plain"), Volume(name="scratch", ephemeral=source)]),
    )


def a_claim(uid):
    owner = OwnerReference(kind="Pod", name="p", uid=uid, controller=True)
    return {"p-scratch": PersistentVolumeClaim(metadata=ObjectMeta(name="p-scratch", ownerReferences=[owner]))}


FOREIGN = "PVC n/p-scratch was not created for pod n/p (pod is not owner)"

#: sentence -> pod, claims, steps
CASES = {
    "a claim is made from the template": (a_pod(), {}, ["create persistentvolumeclaim p-scratch"]),
    "a claim is made once": (a_pod(), a_claim("u"), []),
    "a pod that is going gets no claim": (a_pod(deleted="2026-01-01T00:00:00Z"), {}, []),
    "a claim of an earlier pod of the name is not taken": (
        a_pod(), a_claim("earlier"), [f"event on pod p: FailedBinding: ephemeral volume scratch: {FOREIGN}"]),
}  # fmt: skip


@pytest.mark.parametrize(("pod", "claims", "steps"), CASES.values(), ids=CASES)
def test_claims(pod, claims, steps):
    assert [str(step) for step in plan(pod, claims)] == steps


def test_the_claim_is_the_pods_own():
    claim = next(plan(a_pod(), {})).obj
    owner = claim.metadata.ownerReferences[0]
    assert (owner.kind, owner.uid, owner.controller, owner.blockOwnerDeletion) == ("Pod", "u", True, True)
    assert (claim.metadata.labels, claim.spec) == ({"a": "b"}, TEMPLATE.spec)


class Server:
    """An API server that has one pod, or none, and remembers what was created."""

    def __init__(self, pod):
        self.pod, self.made = pod, []

    async def get(self, type_, name, namespace):
        if self.pod is None:
            raise NotFound("gone")
        return self.pod

    async def create(self, obj):
        self.made.append(obj.metadata.name)
        return obj


#: sentence -> the pod that the server has while the cache has `a_pod()`, and the claims that are made
BEHIND = {
    "a pod that is there gets its claim": (a_pod(), ["p-scratch"]),
    "a pod that is gone gets none": (None, []),
    "a pod that is another by now gets none": (replace(a_pod(), metadata=ObjectMeta(name="p", uid="new")), []),
}


@pytest.mark.parametrize(("pod", "made"), BEHIND.values(), ids=BEHIND)
async def test_a_cache_that_is_behind(pod, made):
    caches = {Pod: Cache(), PersistentVolumeClaim: Cache()}
    caches[Pod].put(a_pod())
    server = Server(pod)
    await sync(("n", "p"), SimpleNamespace(cache=caches.get, api=server, recorder=None))
    assert server.made == made
