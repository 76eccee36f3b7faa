"""What an update of a Job may change: its size, and while it is suspended where its pods run and what they ask for.

Rules and wordings after upstream's `ValidateJobSpecUpdate`.
"""

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from knarr.kinds import internal, rules
from knarr.kinds.job_status_rules import has
from knarr.kinds.types.batch_v1 import Job, JobSpec
from knarr.kinds.types.core_v1 import Affinity, Container, PodSpec, PodTemplateSpec
from knarr.meta import field
from knarr.meta.field import FieldError, at

STAYING = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")


def update_rules(new: Job, old: Job) -> Iterator[FieldError]:
    after, before = new.spec or JobSpec(), old.spec or JobSpec()
    yield from completions_rules(after, before)
    yield from rules.unchanged(after.selector, before.selector, "spec.selector")
    template = with_what_may_change(before.template, after.template) if is_at_rest(old) else before.template
    if after.template != template:
        yield field.wrong("spec.template", shown_template(after.template), rules.IMMUTABLE)
    for name in STAYING:
        yield from rules.unchanged(getattr(after, name), getattr(before, name), at("spec", name))


def completions_rules(after: JobSpec, before: JobSpec) -> Iterator[FieldError]:
    """Completions stay; of an Indexed Job they may change together with the parallelism."""
    if after.completionMode != "Indexed":
        yield from rules.unchanged(after.completions, before.completions, "spec.completions")
    elif after.completions not in (None, before.completions, after.parallelism):
        message = "can only be modified in tandem with spec.parallelism"
        yield field.wrong("spec.completions", after.completions, message)


def is_at_rest(job: Job) -> bool:
    """Whether the Job is suspended and has no pods: it never began, or has been brought to a halt."""
    spec, status = job.spec or JobSpec(), job.status
    return bool(spec.suspend) and not status.active and (has(status, "Suspended") or not status.startTime)


def with_what_may_change(before: PodTemplateSpec, after: PodTemplateSpec) -> PodTemplateSpec:
    """The former template with what decides where pods run, and what their containers ask for, of the new one."""
    old, new = before.spec, after.spec
    spec = replace(
        old,
        affinity=with_node_affinity(old, new),
        nodeSelector=new.nodeSelector,
        tolerations=new.tolerations,
        schedulingGates=new.schedulingGates,
        containers=with_resources(old.containers, new.containers),
        initContainers=with_resources(old.initContainers, new.initContainers),
    )
    marks = replace(before.metadata, labels=after.metadata.labels, annotations=after.metadata.annotations)
    return replace(before, spec=spec, metadata=marks)


def with_node_affinity(old: PodSpec, new: PodSpec) -> Affinity | None:
    """The former affinity to pods with the new one to nodes."""
    to_nodes = new.affinity.nodeAffinity if new.affinity is not None else None
    mixed = replace(old.affinity or Affinity(), nodeAffinity=to_nodes)
    return None if new.affinity is None and mixed == Affinity() else mixed if old.affinity or new.affinity else None


def with_resources(old: list[Container], new: list[Container]) -> list[Container]:
    """The former containers with the new ones' resources, where they are the same ones."""
    if [each.name for each in old] != [each.name for each in new]:
        return old
    return [replace(former, resources=later.resources) for former, later in zip(old, new, strict=True)]


def shown_template(template: PodTemplateSpec) -> dict[str, object]:
    """A template as upstream's server holds it."""
    metadata: dict[str, object] = msgspec.to_builtins(template.metadata)
    return {**metadata, "Spec": internal.tree(template.spec)}
