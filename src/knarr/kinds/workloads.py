"""Rules that the kinds with a pod template share: selector and template agree, counts of a status are possible."""

from collections.abc import Iterator

from knarr.kinds import cells, rules
from knarr.kinds.podspec import validate_template
from knarr.kinds.types.apps_v1 import DeploymentStatus, ReplicaSetStatus, StatefulSetStatus
from knarr.kinds.types.core_v1 import PodTemplateSpec, ReplicationControllerStatus
from knarr.kinds.types.meta_v1 import LabelSelector
from knarr.meta import field, labels, names
from knarr.meta.field import FieldError, at
from knarr.meta.label_rules import validate_selector


def selects_template(
    selector: LabelSelector | None, template: PodTemplateSpec, owner: str, *, detail: str = "invalid label selector"
) -> Iterator[FieldError]:
    """The selector is there, valid, not empty, and matches the template. `owner` is upstream's word for the kind."""
    if selector is None:
        yield field.required("spec.selector")
    else:
        found = list(validate_selector(selector, "spec.selector"))
        yield from found
        if not selector.matchLabels and not selector.matchExpressions:
            yield field.wrong("spec.selector", selector, f"empty selector is invalid for {owner}")
            return
        if found:
            yield field.wrong("spec.selector", selector, detail)
            return
    if not labels.of_object(selector).matches(template.metadata.labels):
        message = "`selector` does not match template `labels`"
        yield field.wrong("spec.template.metadata.labels", template.metadata.labels, message)


def long_lived_template(template: PodTemplateSpec, owner: str) -> Iterator[FieldError]:
    """A template of pods that are always restarted. `owner` is the kind that upstream's message names."""
    yield from validate_template(template, "spec.template")
    yield from always_restarted(template, owner)


def always_restarted(template: PodTemplateSpec, owner: str) -> Iterator[FieldError]:
    """The template's pods run until they are deleted."""
    if template.spec.restartPolicy != "Always":
        yield field.unsupported("spec.template.spec.restartPolicy", template.spec.restartPolicy, ("Always",))
    if template.spec.activeDeadlineSeconds is not None:
        yield field.forbidden(
            "spec.template.spec.activeDeadlineSeconds", f"activeDeadlineSeconds in {owner} is not Supported"
        )


def number_or_percent(value: int | str, path: str) -> Iterator[FieldError]:
    """A count that is not negative, or a percentage."""
    if isinstance(value, int):
        yield from rules.not_negative(value, path)
    else:
        yield from rules.wrong(path, value, names.percent_errors(value))


def at_most_all(value: int | str, path: str) -> Iterator[FieldError]:
    if isinstance(value, str) and not names.percent_errors(value) and len(value) < 20 and int(value[:-1]) > 100:
        yield field.wrong(path, value, "must not be greater than 100%")


def counts(status: object, names: tuple[str, ...]) -> Iterator[FieldError]:
    """No count of a status is negative; every one after the first is at most the first."""
    for name in names:
        yield from rules.not_negative(getattr(status, name) or 0, at("status", name))
    most = getattr(status, names[0]) or 0
    for name in names[1:]:
        value = getattr(status, name) or 0
        if value > most:
            yield field.wrong(at("status", name), value, f"cannot be greater than status.{names[0]}")


def replica_counts(status: ReplicaSetStatus | ReplicationControllerStatus) -> Iterator[FieldError]:
    """The counts of what keeps a number of like pods."""
    yield from counts(status, ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"))
    yield from rules.not_negative(status.observedGeneration, "status.observedGeneration")
    yield from available_are_ready(status)


def available_are_ready(
    status: DeploymentStatus | ReplicaSetStatus | ReplicationControllerStatus | StatefulSetStatus,
    what: str = "readyReplicas",
) -> Iterator[FieldError]:
    """No more replicas are available than ready. `what` is how upstream's message names those."""
    if (available := status.availableReplicas or 0) > (status.readyReplicas or 0):
        yield field.wrong("status.availableReplicas", available, f"cannot be greater than {what}")


def shown_containers(template: PodTemplateSpec) -> tuple[str, str]:
    """Names and images of the template's containers, for the wide columns."""
    return cells.containers(template.spec.containers)
