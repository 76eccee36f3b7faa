"""What a pod may be, what may change of it, and what its status may say."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from knarr.kinds import internal, podspec_affinity, podspec_known, rules
from knarr.kinds.placement import required_terms
from knarr.kinds.podspec import validate_spec
from knarr.kinds.podspec_containers import trimmed
from knarr.kinds.types.core_v1 import (
    Container,
    ContainerStatus,
    NodeAffinity,
    Pod,
    PodSchedulingGate,
    PodSpec,
    Toleration,
)
from knarr.meta import field
from knarr.meta.field import FieldError, at, at_key

MIRROR = "kubernetes.io/config.mirror"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")
CHANGEABLE = ",".join(
    (
        "`spec.containers[*].image`",
        "`spec.initContainers[*].image`",
        "`spec.activeDeadlineSeconds`",
        "`spec.tolerations` (only additions to existing tolerations)",
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
    )
)


_sound = podspec_known.KnownSpecs()


def validate(pod: Pod) -> Iterator[FieldError]:
    """What a new pod breaks."""
    yield from always(pod)
    if pod.spec.ephemeralContainers:
        yield field.forbidden("spec.ephemeralContainers", "cannot be set on create")
    if pod.spec.nodeName and pod.spec.schedulingGates:
        yield field.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")


def always(pod: Pod) -> Iterator[FieldError]:
    """What holds for a pod at any time."""
    yield from annotations(pod)
    outline = podspec_known.outline(pod.spec)
    if outline in _sound:
        return
    found = list(of_spec(pod))
    yield from found
    if not found:
        _sound.add(outline)


def of_spec(pod: Pod) -> Iterator[FieldError]:
    """What a pod's spec breaks, alone and in itself."""
    yield from validate_spec(pod.spec, "spec", pod=pod.metadata.name, is_pod=True)
    if not pod.spec.serviceAccountName:
        for index, volume in enumerate(pod.spec.volumes):
            for number, source in enumerate(volume.projected.sources if volume.projected else ()):
                if source.serviceAccountToken is not None:
                    where = at("spec.volumes", index, "projected", "sources", number, "serviceAccountToken")
                    yield field.forbidden(where, "must not be specified when serviceAccountName is not set")
    for name in ("containers", "initContainers"):
        for index, container in enumerate(getattr(pod.spec, name)):
            yield from trimmed(container, at("spec", name, index))


def annotations(pod: Pod) -> Iterator[FieldError]:
    given = pod.metadata.annotations
    path = "metadata.annotations"
    if MIRROR in given and not pod.spec.nodeName:
        message = "must set spec.nodeName if mirror pod annotation is set"
        yield field.wrong(at_key(path, MIRROR), given[MIRROR], message)
    if DELETION_COST in given and not is_int32(given[DELETION_COST]):
        yield field.wrong(at_key(path, DELETION_COST), given[DELETION_COST], "must be a 32bit integer")


def is_int32(text: str) -> bool:
    """Whether Go reads the text as a 32-bit integer: no sign for what is positive, no leading zeros."""
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 10 or (digits[0] == "0" and text != "0"):
        return False
    return -(2**31) <= int(text) < 2**31


def validate_update(new: Pod, old: Pod) -> Iterator[FieldError]:
    """What an update of a pod breaks: hardly anything of its spec may change."""
    if new.spec == old.spec:  # what is stored has passed before
        yield from annotations(new)
        yield from mirror(new, old)
        return
    yield from always(new)
    yield from mirror(new, old)
    for name in ("containers", "initContainers"):
        if len(getattr(new.spec, name)) != len(getattr(old.spec, name)):
            yield field.forbidden(at("spec", name), "pod updates may not add or remove containers")
            return
    deadline = list(shorter_deadline(new.spec, old.spec))
    yield from deadline
    if deadline and new.spec.activeDeadlineSeconds is not None:
        return
    yield from only_added(new.spec.tolerations, old.spec.tolerations, "spec.tolerations")
    yield from only_removed(new.spec.schedulingGates, old.spec.schedulingGates, "spec.schedulingGates")
    masked = mask(new.spec, old.spec)
    if old.spec.schedulingGates:
        yield from gated(masked, old.spec)
        masked = unplaced(masked, old.spec)
    if masked != old.spec:
        changes = internal.difference(old.spec, masked)
        yield field.forbidden("spec", f"pod updates may not change fields other than {CHANGEABLE}\n{changes}")


def mirror(new: Pod, old: Pod) -> Iterator[FieldError]:
    before, after = old.metadata.annotations.get(MIRROR), new.metadata.annotations.get(MIRROR)
    if before != after:
        verb = "add" if before is None else "remove or update"
        yield field.forbidden(at_key("metadata.annotations", MIRROR), f"may not {verb} mirror pod annotation")


def shorter_deadline(new: PodSpec, old: PodSpec) -> Iterator[FieldError]:
    path, after, before = "spec.activeDeadlineSeconds", new.activeDeadlineSeconds, old.activeDeadlineSeconds
    if after is None:
        if before is not None:
            yield field.wrong(path, None, "must not update from a positive integer to nil value")
    elif not 0 <= after <= rules.INT32:
        yield from rules.between(after, 0, rules.INT32, path)
    elif before is not None and before < after:
        yield field.wrong(path, after, "must be less than or equal to previous value")


def only_added(new: Sequence[Toleration], old: Sequence[Toleration], path: str) -> Iterator[FieldError]:
    kept = {replace(toleration, tolerationSeconds=None) for toleration in new}
    if any(replace(toleration, tolerationSeconds=None) not in kept for toleration in old):
        yield field.forbidden(path, "existing toleration can not be modified except its tolerationSeconds")
    else:
        yield from podspec_affinity.tolerations(new, path)


def only_removed(new: Sequence[PodSchedulingGate], old: Sequence[PodSchedulingGate], path: str) -> Iterator[FieldError]:
    before = {gate.name for gate in old}
    for index, gate in enumerate(new):
        if gate.name not in before:
            message = f"only deletion is allowed, but found new scheduling gate '{gate.name}'"
            yield field.forbidden(at(path, index, "name"), message)


def mask(new: PodSpec, old: PodSpec) -> PodSpec:
    """The new spec with the old one's values wherever a change is allowed."""
    grace, before = new.terminationGracePeriodSeconds, old.terminationGracePeriodSeconds
    return replace(
        new,
        containers=same_images(new.containers, old.containers),
        initContainers=same_images(new.initContainers, old.initContainers),
        activeDeadlineSeconds=old.activeDeadlineSeconds,
        schedulingGates=old.schedulingGates,
        tolerations=old.tolerations,
        terminationGracePeriodSeconds=before if grace == 1 and before is not None and before < 0 else grace,
    )


def same_images(new: Sequence[Container], old: Sequence[Container]) -> list[Container]:
    return [replace(after, image=before.image) for after, before in zip(new, old, strict=True)]


def gated(new: PodSpec, old: PodSpec) -> Iterator[FieldError]:
    """A pod that waits at a gate may still be told more precisely where to go."""
    if any(new.nodeSelector.get(key) != value for key, value in old.nodeSelector.items()):
        message = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        yield field.wrong("spec.nodeSelector", new.nodeSelector, message)
    before, after = required_terms(old), required_terms(new)
    path = at("spec.affinity.nodeAffinity", podspec_affinity.REQUIRED, "nodeSelectorTerms")
    if not before:
        return
    if len(before) != len(after):
        message = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        yield field.wrong(path, internal.tree(list(after)), message)
        return
    for index, (term, was) in enumerate(zip(after, before, strict=True)):
        expressions, fields = len(was.matchExpressions), len(was.matchFields)
        same = (
            term.matchExpressions[:expressions] == was.matchExpressions and term.matchFields[:fields] == was.matchFields
        )
        if not same or (not expressions and not fields and term != was):
            message = "only additions are allowed (no mutations or deletions)"
            yield field.wrong(at(path, index), internal.tree(term), message)


def unplaced(new: PodSpec, old: PodSpec) -> PodSpec:
    """A gated pod's spec with the old node selector and node affinity."""
    affinity, before = new.affinity, old.affinity
    was: NodeAffinity | None = before.nodeAffinity if before else None
    if affinity is not None and affinity.nodeAffinity != was:
        affinity = replace(affinity, nodeAffinity=was)
        if before is None and affinity.podAffinity is None and affinity.podAntiAffinity is None:
            affinity = None
    elif affinity is None and before is not None and before.podAffinity is None and before.podAntiAffinity is None:
        affinity = before
    return replace(new, nodeSelector=old.nodeSelector, affinity=affinity)


def validate_status(new: Pod, old: Pod) -> Iterator[FieldError]:
    """What a change of a pod's status breaks."""
    yield from mirror(new, old)
    for index, condition in enumerate(new.status.conditions):
        if condition.type not in SYSTEM_CONDITIONS:
            yield from rules.qualified_name(condition.type, f"metadata.conditions[{index}].Type")
    status = new.status
    if status.nominatedNodeName and status.nominatedNodeName != old.status.nominatedNodeName:
        yield from rules.dns_subdomain(status.nominatedNodeName, "status.nominatedNodeName")
    yield from rules.unchanged(status.qosClass, old.status.qosClass, "status.qosClass")
    for name, policy in (
        ("containerStatuses", old.spec.restartPolicy),
        ("initContainerStatuses", old.spec.restartPolicy),
        ("ephemeralContainerStatuses", "Never"),
    ):
        before = getattr(old.status, name)
        if before and policy != "Always":
            restarting = {c.name for c in old.spec.containers if c.restartPolicy or c.restartPolicyRules}
            if name == "initContainerStatuses":
                restarting |= {c.name for c in old.spec.initContainers if c.restartPolicy == "Always"}
            yield from still_ended(getattr(status, name), before, policy, restarting, f"status.{name}")
    yield from addresses([address.ip for address in status.podIPs], "status.podIPs")
    yield from addresses([address.ip for address in status.hostIPs], "status.hostIPs")
    if status.hostIPs and status.hostIPs[0].ip != status.hostIP:
        yield field.wrong("status.hostIPs[0].ip", status.hostIPs[0].ip, "must be equal to `hostIP`")


def still_ended(
    new: Sequence[ContainerStatus], old: Sequence[ContainerStatus], policy: str, restarting: set[str], path: str
) -> Iterator[FieldError]:
    """A container that has ended and must not restart may not be said to run again; `policy` is not Always."""
    after = {status.name: status for status in new}
    for index, before in enumerate(old):
        ended = before.state.terminated if before.state else None
        if ended is None or before.name in restarting or (ended.exitCode and policy == "OnFailure"):
            continue
        now = after.get(before.name)
        if now is not None and (now.state is None or now.state.terminated is None):
            yield field.forbidden(at(path, index, "state"), "may not be transitioned to non-terminated state")


def addresses(given: Sequence[str], path: str) -> Iterator[FieldError]:
    """At most one address of each family."""
    families: list[int] = []
    for index, text in enumerate(given):
        if (found := rules.address_of(text)) is None:
            yield from rules.ip(text, at(path, index))
        else:
            families.append(found.version)
    if len(set(families)) != len(families):
        shown = [{"IP": text} for text in given]
        yield field.wrong(path, shown, "may specify no more than one IP for each IP family")
