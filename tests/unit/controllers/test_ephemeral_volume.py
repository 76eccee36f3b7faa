"""A pod's own claims, case by case."""

import pytest

from knarr.controllers.ephemeral_volume import plan
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
