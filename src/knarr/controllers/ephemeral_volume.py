"""Ephemeral volumes: a pod's own claims, made from the templates in its spec, owned by it and gone with it."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from knarr.client.api import Api
from knarr.kinds.pod_claims import claim_of, claims_of, is_made_for, not_made_for
from knarr.kinds.types.core_v1 import PersistentVolumeClaim, PersistentVolumeClaimTemplate, Pod, Volume
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.executor import carry_out
from knarr.loop.revisions import controller_reference
from knarr.loop.runner import Context, Controller, Key, Source, controlled_by
from knarr.loop.steps import Create, Event, Note, Step
from knarr.meta.errors import Conflict, NotFound


def plan(pod: Pod, claims: Mapping[str, PersistentVolumeClaim]) -> Iterator[Step]:
    """The claims that a pod lacks; `claims` are those of its namespace, by name."""
    if pod.metadata.deletionTimestamp:
        return
    for volume in pod.spec.volumes:
        if volume.ephemeral is None or volume.ephemeral.volumeClaimTemplate is None:
            continue
        name = claim_of(pod, volume)
        found = claims.get(name)
        if found is None:
            failed = ("FailedBinding", f"ephemeral volume {volume.name}: create PVC {name}: {{error}}")
            yield Create(new_claim(pod, volume, volume.ephemeral.volumeClaimTemplate), note=Note(pod, failed=failed))
        elif not is_made_for(found, pod):
            yield Event(pod, "Warning", "FailedBinding", f"ephemeral volume {volume.name}: {not_made_for(found, pod)}")


def new_claim(pod: Pod, volume: Volume, template: PersistentVolumeClaimTemplate) -> PersistentVolumeClaim:
    return PersistentVolumeClaim(
        metadata=ObjectMeta(
            name=claim_of(pod, volume),
            namespace=pod.metadata.namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations,
            ownerReferences=[controller_reference(pod)],
        ),
        spec=template.spec,
    )


def pods_with_templates(pod: Pod) -> list[Key]:
    """The pod, if it has a volume with a template."""
    wanted = any(volume.ephemeral is not None for volume in pod.spec.volumes)
    return [(pod.metadata.namespace, pod.metadata.name)] if wanted else []


def controller() -> Controller:
    return Controller(
        name="ephemeral-volume",
        component="ephemeral_volume",
        sources=[
            Source(Pod, pods_with_templates),
            Source(PersistentVolumeClaim, controlled_by("Pod")),
        ],
        sync=sync,
    )


async def is_there(api: Api, pod: Pod) -> bool:
    """Whether the pod of the cache is still the one that the API has."""
    try:
        found = await api.get(Pod, pod.metadata.name, pod.metadata.namespace)
    except NotFound:
        return False
    return found.metadata.uid == pod.metadata.uid


async def sync(key: Key, context: Context) -> datetime | None:
    """See to the claims of one pod; one whose claim is somebody else's is tried again, ever more seldom."""
    namespace, name = key
    pod = context.cache(Pod).get(name, namespace)
    if pod is None:
        return None
    cache = context.cache(PersistentVolumeClaim)
    claims = {each: claim for each in claims_of(pod) if (claim := cache.get(each, namespace)) is not None}
    steps = list(plan(pod, claims))
    if any(isinstance(step, Create) for step in steps) and not await is_there(context.api, pod):
        return None  # a claim of a pod that is gone would be collected, and made again, until the cache hears of it
    again = await carry_out(context.api, steps, context.recorder)
    if blocked := [step for step in steps if isinstance(step, Event)]:
        raise Conflict(blocked[0].message)
    return again
