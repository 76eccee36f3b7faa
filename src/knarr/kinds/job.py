"""Job: pods that run until so many have succeeded."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, job_rules, rules, workloads
from knarr.kinds.job_status_rules import status_rules
from knarr.kinds.job_update_rules import update_rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.podspec import validate_template
from knarr.kinds.podspec_defaults import template_defaults
from knarr.kinds.trees import child, fill, items, keep_spec, keep_status, part
from knarr.kinds.types.batch_v1 import Job, JobSpec
from knarr.kinds.types.meta_v1 import LabelSelector
from knarr.meta import clock, field, labels, names
from knarr.meta.field import FieldError, at, at_key
from knarr.meta.label_rules import validate_selector

UID_LABEL, NAME_LABEL = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
OLD_UID_LABEL, OLD_NAME_LABEL = "controller-uid", "job-name"
RESTARTS = ("OnFailure", "Never")


def end_of(job: Job) -> str:
    """The condition that ended the Job, Complete or Failed; "" while it has not ended."""
    for found in job.status.conditions:
        if found.type in ("Complete", "Failed") and found.status == "True":
            return found.type
    return ""


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    limit = rules.INT32 if "backoffLimitPerIndex" in spec else 6
    fill(spec, parallelism=1, backoffLimit=limit, completionMode="NonIndexed", suspend=False, manualSelector=False)
    for rule in items(part(spec, "podFailurePolicy"), "rules"):
        for pattern in items(rule, "onPodConditions"):
            fill(pattern, status="True")
    fill(spec, podReplacementPolicy="Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    template_defaults(child(spec, "template"))
    label_like_template(tree)
    child(tree, "status")


def label_like_template(tree: Tree) -> None:
    """A job without labels of its own has its template's."""
    found = part(tree, "spec", "template", "metadata", "labels")
    if found and not part(tree, "metadata", "labels"):
        child(tree, "metadata")["labels"] = dict(found)


def prepare_create(tree: Tree) -> None:
    """Mark the pods as this job's and select them by that, unless the user does it by hand."""
    tree["status"] = {}
    spec, metadata = child(tree, "spec"), child(tree, "metadata")
    if spec.get("manualSelector"):
        return
    marks = child(child(child(spec, "template"), "metadata"), "labels")
    fill(marks, **own_labels(metadata.get("name", ""), metadata.get("uid", "")))
    fill(child(child(spec, "selector"), "matchLabels"), **{UID_LABEL: metadata.get("uid", "")})
    label_like_template(tree)


def own_labels(name: str, uid: str) -> dict[str, str]:
    """What marks a Job's pods as its own."""
    return {UID_LABEL: uid, NAME_LABEL: name, OLD_UID_LABEL: uid, OLD_NAME_LABEL: name}


def validate(job: Job) -> Iterator[FieldError]:
    spec = job.spec or JobSpec()
    if not spec.manualSelector and spec.selector is not None:
        yield from mark_rules(job, spec.selector)
    yield from spec_rules(spec, "spec")
    if spec.selector is None:
        yield field.required("spec.selector")
    else:
        yield from validate_selector(spec.selector, "spec.selector")
    chosen = spec.template.metadata.labels
    try:
        matches = labels.of_object(spec.selector).matches(chosen)
    except ValueError:
        matches = True  # told above
    if not matches:
        yield field.wrong(
            "spec.template.metadata.labels", chosen or None, "`selector` does not match template `labels`"
        )
    yield from host_name(job, spec)


def mark_rules(job: Job, selector: LabelSelector) -> Iterator[FieldError]:
    """A user's own labels and selector must not be others than those that mark the Job's pods."""
    own = own_labels(job.metadata.name, job.metadata.uid)
    given = (job.spec or JobSpec()).template.metadata.labels
    for key, value in own.items():
        path, message = at_key("spec.template.metadata.labels", key), f"must be '{value}'"
        if key not in given:
            yield field.required(path, message)
        elif given[key] != value:
            yield field.wrong(path, dict(sorted(given.items())), message)
    if not labels.of_object(selector).matches(own):
        yield field.wrong("spec.selector", selector, "`selector` not auto-generated")


def spec_rules(spec: JobSpec, path: str) -> Iterator[FieldError]:
    """What a job's spec and a CronJob's template of one have in common."""
    yield from job_rules.number_rules(spec, path)
    yield from job_rules.completion_rules(spec, path)
    yield from job_rules.policy_rules(spec, path)
    yield from validate_template(spec.template, at(path, "template"))
    where, restarts = at(path, "template", "spec", "restartPolicy"), spec.template.spec.restartPolicy
    if restarts not in RESTARTS:
        yield field.required(where, 'valid values: "OnFailure", "Never"')
    elif spec.podFailurePolicy is not None and restarts != "Never":
        yield field.wrong(where, restarts, 'only "Never" is supported when podFailurePolicy is specified')


def host_name(job: Job, spec: JobSpec) -> Iterator[FieldError]:
    """The name of an indexed job has to leave room for the longest index in its pods' hostnames."""
    if spec.completionMode == "Indexed" and spec.completions and spec.completions > 0:
        host = f"{job.metadata.name}-{spec.completions - 1}"
        if list(names.label_errors(host)):
            message = f"will not able to create pod with invalid DNS label: {host}"
            yield field.wrong("metadata.name", job.metadata.name, message)


def validate_update(new: Job, old: Job) -> Iterator[FieldError]:
    yield from validate(new)
    yield from update_rules(new, old)


def status_of(job: Job) -> str:
    """The word in the Status column."""
    for type_, word in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if any(c.type == type_ and c.status == "True" for c in job.status.conditions):
            return word
    if job.metadata.deletionTimestamp:
        return "Terminating"
    for type_, word in (("FailureTarget", "FailureTarget"), ("SuccessCriteriaMet", "SuccessCriteriaMet")):
        if any(c.type == type_ and c.status == "True" for c in job.status.conditions):
            return word
    return "Running"


def completions_of(spec: JobSpec, succeeded: int) -> str:
    if spec.completions is not None:
        return f"{succeeded}/{spec.completions}"
    parallelism = spec.parallelism or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def duration_of(job: Job, now: datetime) -> str:
    start, end = job.status.startTime, job.status.completionTime
    return cells.since(start, clock.parse(end) if end else now) if start else ""


def row(job: Job, now: datetime) -> Sequence[object]:
    spec = job.spec or JobSpec()
    return (
        job.metadata.name,
        status_of(job),
        completions_of(spec, job.status.succeeded or 0),
        duration_of(job, now),
        cells.age(job, now),
        *workloads.shown_containers(spec.template),
        labels.shown(spec.selector) or cells.NONE,
    )


KIND = Kind(
    type=Job,
    group="batch",
    version="v1",
    kind="Job",
    plural="jobs",
    singular="job",
    categories=("all",),
    subresources={"status": ("get", "patch", "update")},
    generation=True,
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    validate_update=validate_update,
    validate_status=status_rules,
    columns=(
        NAME_COLUMN,
        Column("Status"),
        Column("Completions"),
        Column("Duration"),
        AGE_COLUMN,
        Column("Containers", priority=1),
        Column("Images", priority=1),
        Column("Selector", priority=1),
    ),
    row=row,
    selectable={"status.successful": lambda job: str(job.status.succeeded or 0)},
    propagation="orphan",
)
