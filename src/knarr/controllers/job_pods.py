"""The pods of a Job: what they carry, what they count as, and which are made next.

Keeps true: every pod that a Job makes carries the tracking finalizer, so it cannot go before it was counted; a pod of
an Indexed Job carries its index in an annotation, a label, its name, its hostname and JOB_COMPLETION_INDEX. Pure;
called by `job_plan`, `job_counting` and `job`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from knarr.controllers.job_policies import spec_of, verdict
from knarr.kinds.pod import condition
from knarr.kinds.types.batch_v1 import Job
from knarr.kinds.types.core_v1 import Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod, PodSpec
from knarr.loop.deletion_order import deletion_order
from knarr.loop.pod_templates import pod_of
from knarr.meta import clock

TRACKING = "batch.kubernetes.io/job-tracking"  #: the finalizer of pods that are not counted yet
INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
MANAGER = "kubernetes.io/job-controller"
LONGEST_PREFIX = 58  #: of a generated name, which adds five characters

_LARGEST = 2**31 - 1


def is_indexed(job: Job) -> bool:
    return spec_of(job).completionMode == "Indexed"


def is_suspended(job: Job) -> bool:
    return bool(spec_of(job).suspend)


def is_managed_elsewhere(job: Job) -> bool:
    """Whether another controller looks after the Job."""
    return spec_of(job).managedBy not in ("", MANAGER)


def replaces_failed_only(job: Job) -> bool:
    """Whether a pod on its way out is replaced only once it has ended."""
    spec = spec_of(job)
    return spec.podReplacementPolicy == "Failed" or spec.podFailurePolicy is not None


def is_tracked(pod: Pod) -> bool:
    return TRACKING in pod.metadata.finalizers


def is_failed(job: Job, pod: Pod) -> bool:
    """Whether a pod counts as failed: one that was deleted does too, for it may never come to say so itself."""
    if pod.status.phase == "Failed":
        return True
    if replaces_failed_only(job):
        return False
    return bool(pod.metadata.deletionTimestamp) and pod.status.phase != "Succeeded"


def index_of(pod: Pod) -> int | None:
    """The completion index that the pod carries, None when it carries none that could be one."""
    text = pod.metadata.annotations.get(INDEX, "")
    return int(text) if text.isascii() and text.isdecimal() else None


def failures_of(pod: Pod) -> int:
    """How many pods failed and counted in the pod's index before it."""
    return _number(pod, FAILURES)


def all_failures_of(pod: Pod) -> int:
    """How many pods failed in the pod's index before it, those that a policy ignored among them."""
    return _number(pod, FAILURES) + _number(pod, IGNORED_FAILURES)


def finished_at(pod: Pod) -> datetime:
    """When the pod ended: its last container did, it became unready, it was told to go, or, failing all, was made."""
    ended = [status.state.terminated if status.state else None for status in pod.status.containerStatuses]
    times = [state.finishedAt for state in ended if state is not None and state.finishedAt]
    if times and len(times) == len(ended):
        return max(clock.parse(time) for time in times)
    ready = condition(pod, "Ready")
    if ready is not None and ready.status == "False" and ready.lastTransitionTime:
        return clock.parse(ready.lastTransitionTime)
    meta = pod.metadata
    if meta.deletionTimestamp:
        return clock.parse(meta.deletionTimestamp) - timedelta(seconds=meta.deletionGracePeriodSeconds or 0)
    return clock.parse(meta.creationTimestamp)


# Pods to come


def new_pod(job: Job, index: int | None = None, replaced: Pod | None = None) -> Pod:
    """A pod of the Job, of an index if it has them; `replaced` is the failed pod of the index that it follows."""
    template = spec_of(job).template
    finalizers = [] if TRACKING in template.metadata.finalizers else [TRACKING]
    if index is None:
        return pod_of(job, template, finalizers=finalizers)
    mark = {INDEX: str(index)}
    hostname = f"{job.metadata.name}-{index}"
    return pod_of(
        job,
        template,
        generate_name=index_prefix(job.metadata.name, index),
        labels=mark,
        annotations={**mark, **failure_marks(job, replaced)},
        finalizers=finalizers,
        spec=replace(with_index_variable(template.spec), hostname=hostname),
    )


def index_prefix(name: str, index: int) -> str:
    """What the name of an index's pod begins with; a long Job's name is cut, the index never."""
    end = f"-{index}-"
    return name[: LONGEST_PREFIX - len(end)] + end


def failure_marks(job: Job, replaced: Pod | None) -> dict[str, str]:
    """The annotations that count an index's failures, where the Job limits them."""
    if spec_of(job).backoffLimitPerIndex is None:
        return {}
    if replaced is None:
        return {FAILURES: "0"}
    counts = verdict(job, replaced).counts
    ignored = _number(replaced, IGNORED_FAILURES) + (not counts)
    marks = {FAILURES: str(failures_of(replaced) + counts)}
    return {**marks, IGNORED_FAILURES: str(ignored)} if ignored else marks


def with_index_variable(spec: PodSpec) -> PodSpec:
    """The spec with the index in the environment of every container that does not set it itself."""
    return replace(
        spec,
        containers=[_with_variable(container) for container in spec.containers],
        initContainers=[_with_variable(container) for container in spec.initContainers],
    )


def _with_variable(container: Container) -> Container:
    if any(variable.name == INDEX_VARIABLE for variable in container.env):
        return container
    source = EnvVarSource(fieldRef=ObjectFieldSelector(fieldPath=f"metadata.labels['{INDEX}']"))
    return replace(container, env=[*container.env, EnvVar(name=INDEX_VARIABLE, valueFrom=source)])


# Pods to go


def surplus(job: Job, active: Sequence[Pod], least: int, now: datetime) -> list[Pod]:
    """The active pods that should go: what doubles an index or has none that is wanted, and `least` in all."""
    going: list[Pod] = []
    staying = list(active)
    if is_indexed(job):
        going, staying = _doubles(active, spec_of(job).completions or 0, now)
    if len(going) < least:
        going += deletion_order(staying, staying, now)[: least - len(going)]
    return going


def _doubles(active: Iterable[Pod], completions: int, now: datetime) -> tuple[list[Pod], list[Pod]]:
    """The pods whose index is none, too high or taken by a pod that is further on; and the pods that stay."""
    going: list[Pod] = []
    by_index: dict[int, list[Pod]] = {}
    for pod in active:
        index = index_of(pod)
        if index is None or index >= completions:
            going.append(pod)
        else:
            by_index.setdefault(index, []).append(pod)
    staying = []
    for _, pods in sorted(by_index.items()):
        *worse, best = deletion_order(pods, pods, now) if len(pods) > 1 else pods
        going += worse
        staying.append(best)
    return going, staying


def _number(pod: Pod, annotation: str) -> int:
    text = pod.metadata.annotations.get(annotation, "")
    number = int(text) if text.isascii() and text.isdecimal() else 0
    return number if number <= _LARGEST else 0
