"""StatefulSet: numbered pods with names, addresses and volumes that stay."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from knarr.kinds import cells, claims, internal, rules, statefulset_options, workloads
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Scale, Tree
from knarr.kinds.podspec_defaults import template_defaults
from knarr.kinds.statefulset_options import EXPAND, is_on, only_sizes_differ, shrunk
from knarr.kinds.trees import child, fill, fill_zero, items, keep_spec, keep_status
from knarr.kinds.types.apps_v1 import StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy
from knarr.kinds.types.core_v1 import PodTemplateSpec
from knarr.kinds.volume_defaults import claim_defaults
from knarr.meta import field, labels
from knarr.meta.field import FieldError, at
from knarr.meta.label_rules import validate_labels

POD_NAME = "statefulset.kubernetes.io/pod-name"  #: a label of every pod that a set made
POLICIES = ("OrderedReady", "Parallel")
STRATEGIES = ("RollingUpdate", "OnDelete")
RETENTION = ("Retain", "Delete")
CHANGEABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    fill_zero(spec, podManagementPolicy="OrderedReady")
    strategy = child(spec, "updateStrategy")
    fill_zero(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = child(strategy, "rollingUpdate")
        fill(rolling, partition=0)
    retention = child(spec, "persistentVolumeClaimRetentionPolicy")
    fill_zero(retention, whenDeleted="Retain", whenScaled="Retain")
    fill(spec, replicas=1, revisionHistoryLimit=10)
    template_defaults(child(spec, "template"))
    for claim in items(spec, "volumeClaimTemplates"):
        fill_zero(claim, apiVersion="v1", kind="PersistentVolumeClaim")
        claim_defaults(child(claim, "spec"))
        fill_zero(child(claim, "status"), phase="Pending")
    fill(child(tree, "status"), replicas=0, availableReplicas=0)


def prepare_create(tree: Tree) -> None:
    tree["status"] = {"replicas": 0, "availableReplicas": 0}


def validate(set_: StatefulSet) -> Iterator[FieldError]:
    if "." in set_.metadata.name:
        yield field.wrong("metadata.name", set_.metadata.name, "must not contain dots")
    spec = set_.spec
    if not spec.podManagementPolicy:
        yield field.required("spec.podManagementPolicy")
    elif spec.podManagementPolicy not in POLICIES:
        yield field.wrong("spec.podManagementPolicy", spec.podManagementPolicy, "must be 'OrderedReady' or 'Parallel'")
    yield from update_strategy(spec.updateStrategy or StatefulSetUpdateStrategy(), "spec.updateStrategy")
    yield from retention(spec)
    for name in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        yield from rules.not_negative(getattr(spec, name), at("spec", name))
    if spec.ordinals is not None:
        yield from rules.not_negative(spec.ordinals.start, "spec.ordinals.start")
    if spec.serviceName:
        yield from rules.dns_label(spec.serviceName, "spec.serviceName")
    yield from workloads.selects_template(spec.selector, spec.template, "statefulset", detail="")
    yield from pod_template(spec.template)
    yield from claim_templates(spec)
    yield from statefulset_options.validate(set_)


def update_strategy(strategy: StatefulSetUpdateStrategy, path: str) -> Iterator[FieldError]:
    rolling = strategy.rollingUpdate
    if not strategy.type:
        yield field.required(path)
    elif strategy.type == "OnDelete":
        if rolling is not None:
            shown = {"Partition": rolling.partition, "MaxUnavailable": rolling.maxUnavailable}
            yield field.wrong(at(path, "rollingUpdate"), shown, "only allowed for updateStrategy 'RollingUpdate'")
    elif strategy.type == "RollingUpdate":
        if rolling is not None:
            yield from rules.not_negative(rolling.partition, at(path, "rollingUpdate", "partition"))
            if rolling.maxUnavailable is not None:
                yield from most_unavailable(rolling.maxUnavailable, at(path, "rollingUpdate", "maxUnavailable"))
    else:
        yield field.wrong(path, internal.tree(strategy), "must be 'RollingUpdate' or 'OnDelete'")


def most_unavailable(value: int | str, path: str) -> Iterator[FieldError]:
    """At least one pod, as a number or in percent."""
    yield from workloads.number_or_percent(value, path)
    if value in (0, "0%"):
        yield field.wrong(path, value, "cannot be 0")
    yield from workloads.at_most_all(value, path)


def retention(spec: StatefulSetSpec) -> Iterator[FieldError]:
    policy = spec.persistentVolumeClaimRetentionPolicy
    if policy is not None:
        path = "spec.persistentVolumeClaimRetentionPolicy"
        yield from rules.one_of(policy.whenDeleted, RETENTION, at(path, "whenDeleted"))
        yield from rules.one_of(policy.whenScaled, RETENTION, at(path, "whenScaled"))


def pod_template(template: PodTemplateSpec) -> Iterator[FieldError]:
    """Only what upstream checks: the pod's own rules apply when a pod is made, with the volumes of its claims."""
    path = "spec.template"
    yield from validate_labels(template.metadata.labels, at(path, "labels"))
    yield from rules.annotations(template.metadata.annotations, at(path, "annotations"))
    yield from workloads.always_restarted(template, "StatefulSet")


def claim_templates(spec: StatefulSetSpec) -> Iterator[FieldError]:
    for index, claim in enumerate(spec.volumeClaimTemplates):
        yield from claims.spec(claim.spec, at("spec", "volumeClaimTemplates", index, "spec"))


def validate_update(new: StatefulSet, old: StatefulSet) -> Iterator[FieldError]:
    yield from validate(new)
    kept = {name: getattr(old.spec, name) for name in CHANGEABLE}
    after, before = new.spec.volumeClaimTemplates, old.spec.volumeClaimTemplates
    if is_on(new, EXPAND) and only_sizes_differ(after, before):
        yield from shrunk(after, before)
        kept["volumeClaimTemplates"] = before
    if msgspec.structs.replace(new.spec, **kept) != old.spec:
        listed = ", ".join(f"'{name}'" for name in CHANGEABLE[:-1])
        message = f"updates to statefulset spec for fields other than {listed} and '{CHANGEABLE[-1]}' are forbidden"
        yield field.forbidden("spec", message)


def validate_status(new: StatefulSet, old: StatefulSet) -> Iterator[FieldError]:
    names = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    yield from workloads.counts(new.status, names)
    yield from rules.not_negative(new.status.observedGeneration, "status.observedGeneration")
    yield from rules.not_negative(new.status.collisionCount, "status.collisionCount")
    yield from workloads.available_are_ready(new.status, "status.readyReplicas")


def row(set_: StatefulSet, now: datetime) -> Sequence[object]:
    ready = f"{set_.status.readyReplicas or 0}/{set_.spec.replicas or 0}"
    return set_.metadata.name, ready, cells.age(set_, now), *workloads.shown_containers(set_.spec.template)


KIND = Kind(
    type=StatefulSet,
    group="apps",
    version="v1",
    kind="StatefulSet",
    plural="statefulsets",
    singular="statefulset",
    short_names=("sts",),
    categories=("all",),
    subresources={"scale": ("get", "patch", "update"), "status": ("get", "patch", "update")},
    scale=Scale(selector=lambda set_: labels.shown(set_.spec.selector)),
    generation=True,
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    columns=(
        NAME_COLUMN,
        Column("Ready"),
        AGE_COLUMN,
        Column("Containers", priority=1),
        Column("Images", priority=1),
    ),
    row=row,
)
