"""CronJob: a Job whenever the clock says so."""

import zoneinfo
from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules, workloads
from knarr.kinds.job import spec_rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.podspec_defaults import template_defaults
from knarr.kinds.trees import child, fill, fill_zero, keep_spec, keep_status
from knarr.kinds.types.batch_v1 import CronJob, JobSpec
from knarr.meta import cron, field, names
from knarr.meta.field import FieldError, at

POLICIES = ("Allow", "Forbid", "Replace")
LONGEST_NAME = 52  #: a job's name adds eleven characters


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    fill_zero(spec, concurrencyPolicy="Allow")
    fill(spec, suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    template_defaults(child(child(child(spec, "jobTemplate"), "spec"), "template"))
    child(tree, "status")


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


def validate(job: CronJob) -> Iterator[FieldError]:
    if len(job.metadata.name) > LONGEST_NAME:
        yield field.wrong("metadata.name", job.metadata.name, names.length_error(LONGEST_NAME))
    spec = job.spec
    if not spec.schedule:
        yield field.required("spec.schedule")
    elif "TZ" in spec.schedule:
        message = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        yield field.wrong("spec.schedule", spec.schedule, message)
    elif error := cron.schedule_error(spec.schedule):
        yield field.wrong("spec.schedule", spec.schedule, error)
    yield from rules.not_negative(spec.startingDeadlineSeconds, "spec.startingDeadlineSeconds")
    if spec.timeZone:
        yield from time_zone(spec.timeZone, "spec.timeZone")
    yield from rules.required_one_of(spec.concurrencyPolicy, POLICIES, "spec.concurrencyPolicy")
    template = spec.jobTemplate.spec or JobSpec()
    yield from spec_rules(template, "spec.jobTemplate.spec")
    if template.selector is not None:
        yield field.wrong("spec.jobTemplate.spec.selector", template.selector, "`selector` will be auto-generated")
    if template.manualSelector:
        yield field.unsupported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false"))
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        yield from rules.not_negative(getattr(spec, name), at("spec", name))


def time_zone(value: str, path: str) -> Iterator[FieldError]:
    if value.lower() == "local":
        message = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        yield field.wrong(path, value, message)
        return
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        yield field.wrong(path, value, f"unknown time zone {value}")


def row(job: CronJob, now: datetime) -> Sequence[object]:
    template = (job.spec.jobTemplate.spec or JobSpec()).template
    return (
        job.metadata.name,
        job.spec.schedule,
        job.spec.timeZone or cells.NONE,
        "True" if job.spec.suspend else "False",
        len(job.status.active),
        cells.since(job.status.lastScheduleTime, now) if job.status.lastScheduleTime else cells.NONE,
        cells.age(job, now),
        *workloads.shown_containers(template),
        cells.NONE,
    )


KIND = Kind(
    type=CronJob,
    group="batch",
    version="v1",
    kind="CronJob",
    plural="cronjobs",
    singular="cronjob",
    short_names=("cj",),
    categories=("all",),
    subresources={"status": ("get", "patch", "update")},
    generation=True,
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    columns=(
        NAME_COLUMN,
        Column("Schedule"),
        Column("Timezone"),
        Column("Suspend"),
        Column("Active", "integer"),
        Column("Last Schedule"),
        AGE_COLUMN,
        Column("Containers", priority=1),
        Column("Images", priority=1),
        Column("Selector", priority=1),
    ),
    row=row,
)
