"""The pods and claims a StatefulSet wants: names, identity, storage and who owns the claims.

Keeps true: pod `<set>-<ordinal>` carries its own name as a label and uses exactly the claims
`<template>-<set>-<ordinal>`; a claim is owned as the set's retention policy says, and one that a stranger owns is
left alone. Pure; called by `statefulset.plan`.
"""

import re
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from knarr.kinds.statefulset import POD_NAME
from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import (
    PersistentVolumeClaim,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodTemplateSpec,
    Volume,
)
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta, OwnerReference

POD_INDEX = "apps.kubernetes.io/pod-index"
REVISION = "controller-revision-hash"

_MEMBER = re.compile(r"(.*)-([0-9]+)")
_LARGEST_ORDINAL = 2**31 - 1


def parent_and_ordinal(name: str) -> tuple[str, int]:
    """The set's name and the ordinal in a pod's name; ("", -1) when it has none."""
    match = _MEMBER.fullmatch(name)
    if match is None or int(match[2]) > _LARGEST_ORDINAL:
        return "", -1
    return match[1], int(match[2])


def ordinal_of(pod: Pod) -> int:
    return parent_and_ordinal(pod.metadata.name)[1]


def is_member(set_: StatefulSet, pod: Pod) -> bool:
    """Whether a pod's name makes it one of the set's."""
    return parent_and_ordinal(pod.metadata.name)[0] == set_.metadata.name


def first_ordinal(set_: StatefulSet) -> int:
    return (set_.spec.ordinals.start or 0) if set_.spec.ordinals else 0


def wanted_ordinals(set_: StatefulSet) -> range:
    start = first_ordinal(set_)
    replicas = 1 if set_.spec.replicas is None else set_.spec.replicas
    return range(start, start + replicas)


def pod_name(set_: StatefulSet, ordinal: int) -> str:
    return f"{set_.metadata.name}-{ordinal}"


def claim_name(set_: StatefulSet, template: PersistentVolumeClaim, ordinal: int) -> str:
    return f"{template.metadata.name}-{set_.metadata.name}-{ordinal}"


def wanted_claims(set_: StatefulSet, ordinal: int) -> list[PersistentVolumeClaim]:
    """The claims of one ordinal, as they are created: the template's, with the set's selector as labels."""
    return [
        PersistentVolumeClaim(
            metadata=ObjectMeta(
                name=claim_name(set_, template, ordinal),
                namespace=set_.metadata.namespace,
                labels={**template.metadata.labels, **(set_.spec.selector or LabelSelector()).matchLabels},
                annotations=template.metadata.annotations,
                finalizers=template.metadata.finalizers,
            ),
            spec=template.spec,
        )
        for template in set_.spec.volumeClaimTemplates
    ]


def new_pod(set_: StatefulSet, template: PodTemplateSpec, revision: str, ordinal: int) -> Pod:
    """The pod of one ordinal at a revision."""
    meta = template.metadata
    name = pod_name(set_, ordinal)
    pod = Pod(
        metadata=ObjectMeta(
            name=name,
            generateName=f"{set_.metadata.name}-",
            namespace=set_.metadata.namespace,
            labels={**meta.labels, REVISION: revision, POD_NAME: name, POD_INDEX: str(ordinal)},
            annotations=meta.annotations,
            finalizers=meta.finalizers,
            ownerReferences=[set_reference(set_)],
        ),
        spec=replace(template.spec, hostname=name, subdomain=set_.spec.serviceName),
    )
    return with_storage(set_, pod)


def with_storage(set_: StatefulSet, pod: Pod) -> Pod:
    """The pod with the set's claims as its volumes; other volumes of these names give way."""
    claims = {
        template.metadata.name: claim_name(set_, template, ordinal_of(pod))
        for template in set_.spec.volumeClaimTemplates
    }
    volumes = [
        Volume(name=name, persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName=claim))
        for name, claim in claims.items()
    ]
    volumes += [volume for volume in pod.spec.volumes if volume.name not in claims]
    return replace(pod, spec=replace(pod.spec, volumes=volumes))


def has_identity(pod: Pod) -> bool:
    return pod.metadata.labels.get(POD_NAME) == pod.metadata.name


def has_storage(set_: StatefulSet, pod: Pod) -> bool:
    used = {v.name: v.persistentVolumeClaim.claimName for v in pod.spec.volumes if v.persistentVolumeClaim}
    return all(
        used.get(template.metadata.name) == claim_name(set_, template, ordinal_of(pod))
        for template in set_.spec.volumeClaimTemplates
    )


def corrected(set_: StatefulSet, pod: Pod) -> Pod:
    """The pod with its identity and storage as the set wants them; the same object when nothing is amiss."""
    if not has_identity(pod):
        labels = {**pod.metadata.labels, POD_NAME: pod.metadata.name, POD_INDEX: str(ordinal_of(pod))}
        pod = replace(pod, metadata=replace(pod.metadata, labels=labels))
    return pod if has_storage(set_, pod) else with_storage(set_, pod)


# Who owns a claim


def set_reference(set_: StatefulSet) -> OwnerReference:
    return OwnerReference(
        apiVersion="apps/v1",
        kind="StatefulSet",
        name=set_.metadata.name,
        uid=set_.metadata.uid,
        controller=True,
        blockOwnerDeletion=True,
    )


def pod_reference(pod: Pod) -> OwnerReference:
    return OwnerReference(
        apiVersion="v1",
        kind="Pod",
        name=pod.metadata.name,
        uid=pod.metadata.uid,
        controller=True,
        blockOwnerDeletion=True,
    )


def retention(set_: StatefulSet) -> tuple[str, str]:
    """What happens to claims (when the set is deleted, when it is scaled down): Retain or Delete."""
    policy = set_.spec.persistentVolumeClaimRetentionPolicy
    if policy is None:
        return "Retain", "Retain"
    return policy.whenDeleted or "Retain", policy.whenScaled or "Retain"


def wanted_owner(set_: StatefulSet, pod: Pod) -> OwnerReference | None:
    """Who should own the claims of a pod: the set, the pod once it is surplus, or nobody."""
    deleted, scaled = retention(set_)
    if scaled == "Delete" and ordinal_of(pod) not in wanted_ordinals(set_):
        return pod_reference(pod)
    return set_reference(set_) if deleted == "Delete" else None


def owned(set_: StatefulSet, pod: Pod, claim: PersistentVolumeClaim) -> PersistentVolumeClaim:
    """The claim with the owner its policy wants; the same object when it is so already, or is not ours to change."""
    references = claim.metadata.ownerReferences
    ours = (set_reference(set_), pod_reference(pod))
    if _is_stale(references, ours):
        return claim
    others = [r for r in references if not any(_same_object(r, own) for own in ours)]
    wanted = wanted_owner(set_, pod)
    if retention(set_) != ("Retain", "Retain") and any(r.controller for r in others):
        wanted = None  # a stranger controls it
    mine = [r for r in references if r not in others]
    if [(r.uid, bool(r.controller)) for r in mine] == ([(wanted.uid, True)] if wanted else []):
        return claim
    owners = [*others, wanted] if wanted else others
    return replace(claim, metadata=replace(claim.metadata, ownerReferences=owners))


def is_left_over(set_: StatefulSet, pod: Pod, claims: Mapping[str, PersistentVolumeClaim]) -> bool:
    """Whether a claim of a pod to be created still belongs to an earlier pod of its name, and will go with it."""
    if retention(set_)[1] == "Retain":
        return False
    found = (claims.get(claim_name(set_, t, ordinal_of(pod))) for t in set_.spec.volumeClaimTemplates)
    return any(c is not None and _is_stale(c.metadata.ownerReferences, (pod_reference(pod),)) for c in found)


def _same_object(reference: OwnerReference, own: OwnerReference) -> bool:
    return (reference.apiVersion, reference.kind, reference.name) == (own.apiVersion, own.kind, own.name)


def _is_stale(references: Sequence[OwnerReference], ours: Sequence[OwnerReference]) -> bool:
    """Whether a reference names one of our objects as it was in an earlier life."""
    return any(_same_object(r, own) and r.uid != own.uid for r in references for own in ours)
