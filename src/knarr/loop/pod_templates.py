"""From a pod template to a pod: what every owner of equal pods makes of its template."""

from collections.abc import Mapping
from typing import Any

from knarr.kinds.types.core_v1 import Pod, PodSpec, PodTemplateSpec
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.revisions import controller_reference
from knarr.meta import names


def pod_of(
    owner: Any,
    template: PodTemplateSpec,
    *,
    name: str = "",
    generate_name: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    finalizers: list[str] | None = None,
    spec: PodSpec | None = None,
) -> Pod:
    """A pod of the owner's, named by the server unless `name` says otherwise, with more labels and the like on top."""
    meta = template.metadata
    return Pod(
        metadata=ObjectMeta(
            name=name,
            generateName="" if name else generate_name or pod_prefix(owner.metadata.name),
            namespace=owner.metadata.namespace,
            labels={**meta.labels, **(labels or {})},
            annotations={**meta.annotations, **(annotations or {})},
            finalizers=[*meta.finalizers, *(finalizers or [])],
            ownerReferences=[controller_reference(owner)],
        ),
        spec=spec or template.spec or PodSpec(),
    )


def pod_prefix(owner: str) -> str:
    """What the names of an owner's pods begin with."""
    prefix = f"{owner}-"
    return prefix if not names.name_errors("subdomain", prefix, prefix=True) else owner
