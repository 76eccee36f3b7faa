"""Deployments and their sets as tests of their plan and status need them."""

from msgspec.structs import replace

from knarr.controllers import deployment_sets as sets_of
from knarr.kinds.types.apps_v1 import (
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    DeploymentStrategy,
    ReplicaSetCondition,
    ReplicaSetStatus,
    RollingUpdateDeployment,
)
from knarr.kinds.types.core_v1 import Container, PodSpec, PodTemplateSpec
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta

LABELS = {"app": "x"}


def a_template(image="new"):
    return PodTemplateSpec(
        metadata=ObjectMeta(labels=LABELS), spec=PodSpec(containers=[Container(name="c", image=image)])
    )


def a_deployment(
    replicas=10, surge="25%", unavailable="25%", *, image="new", recreate=False, annotations=None, deleting=False,
    status=None, deadline=600, limit=10, generation=1, **spec,
):  # fmt: skip
    rolling = RollingUpdateDeployment(maxSurge=surge, maxUnavailable=unavailable)
    kind = {"type": "Recreate"} if recreate else {"type": "RollingUpdate", "rollingUpdate": rolling}
    return Deployment(
        metadata=ObjectMeta(
            name="web",
            namespace="n",
            uid="web",
            generation=generation,
            annotations=annotations or {},
            deletionTimestamp="2026-01-01T00:00:00Z" * deleting,
        ),
        spec=DeploymentSpec(
            replicas=replicas,
            selector=LabelSelector(matchLabels=LABELS),
            template=a_template(image),
            strategy=DeploymentStrategy(**kind),
            revisionHistoryLimit=limit,
            progressDeadlineSeconds=deadline,
            **spec,
        ),
        status=status or DeploymentStatus(),
    )


def a_set(
    image, size, available=None, *, of=None, desired=None, most=None, revision=None, age=None, have=None,
    annotations=None, failure="", leaving=0, deleting=False, unobserved=False, min_ready=None,
):  # fmt: skip
    """The set of an image; without `available` all of its pods are. Images sort by age: "a" is older than "new"."""
    owner = of or a_deployment()
    have = size if have is None else have
    noted = {
        sets_of.DESIRED: str(owner.spec.replicas if desired is None else desired),
        sets_of.MOST: str(sets_of.most(owner) if most is None else most),
        sets_of.REVISION: str(revision or {"new": 9}.get(image, 1)),
    }
    made = sets_of.new_set(replace(owner, spec=replace(owner.spec, template=a_template(image))), [])
    day = age if age is not None else {"new": 9}.get(image, 1)
    meta = replace(
        made.metadata,
        name=f"web-{image}",
        uid=f"uid-{image}",
        generation=2 if unobserved else 1,
        creationTimestamp=f"2025-12-{day:02}T00:00:00Z",
        annotations={**noted, **(annotations or {})},
        deletionTimestamp="2026-01-01T00:00:00Z" * deleting,
    )
    count = (size if have is None else min(size, have)) if available is None else available
    told = ReplicaSetCondition(type="ReplicaFailure", status="True", reason="FailedCreate", message=failure)
    status = ReplicaSetStatus(
        replicas=have,
        readyReplicas=count or None,
        availableReplicas=count or None,
        terminatingReplicas=leaving,
        observedGeneration=1,
        conditions=[told] if failure else [],
    )
    return replace(
        made, metadata=meta, spec=replace(made.spec, replicas=size, minReadySeconds=min_ready), status=status
    )
