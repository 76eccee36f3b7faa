"""What a Job's policies say: of a failed pod, whether it counts and what it brings about; of successes, whether they
are enough. Pure; called by `job_plan` and `job_counting`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knarr.controllers.job_indexes import Indexes, parse
from knarr.kinds.types.batch_v1 import (
    Job,
    JobSpec,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
)
from knarr.kinds.types.core_v1 import ContainerStatus, Pod, PodCondition


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure policy says about a pod: whether the failure counts, the action of the rule that matched (""
    when none did), and the message that the Job fails with ("" unless it does)."""

    counts: bool = True
    action: str = ""
    message: str = ""


COUNTED = Verdict()


def verdict(job: Job, pod: Pod) -> Verdict:
    """The first rule of the Job's failure policy that a failed pod matches decides; without one its failure counts."""
    policy = spec_of(job).podFailurePolicy
    for number, rule in enumerate(policy.rules if policy else ()):
        if (cause := matching(rule, pod)) is not None:
            return judged(rule, number, pod, cause)
    return COUNTED


def judged(rule: PodFailurePolicyRule, number: int, pod: Pod, cause: ContainerStatus | PodCondition) -> Verdict:
    """What the rule does with a pod that matches it, for the cause that was found."""
    if rule.action == "Ignore":
        return Verdict(counts=False, action="Ignore")
    if rule.action != "FailJob":
        return Verdict(action=rule.action)
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    end = f"matching FailJob rule at index {number}"
    if isinstance(cause, PodCondition):
        return Verdict(action="FailJob", message=f"Pod {name} has condition {cause.type} {end}")
    code = exit_code(cause)
    return Verdict(
        action="FailJob", message=f"Container {cause.name} for pod {name} failed with exit code {code} {end}"
    )


def matching(rule: PodFailurePolicyRule, pod: Pod) -> ContainerStatus | PodCondition | None:
    """What of the pod matches the rule: a container that ended with such a code, or a condition."""
    if rule.onExitCodes is not None:
        statuses = (*pod.status.containerStatuses, *pod.status.initContainerStatuses)
        return with_exit_code(statuses, rule.onExitCodes)
    return with_condition(pod.status.conditions, rule.onPodConditions)


def with_exit_code(
    statuses: Iterable[ContainerStatus], wanted: PodFailurePolicyOnExitCodesRequirement
) -> ContainerStatus | None:
    """The first container that failed with a code that is wanted; success, 0, never is."""
    for status in statuses:
        code = exit_code(status)
        if not code or wanted.containerName not in ("", status.name):
            continue
        if (code in wanted.values) == (wanted.operator == "In"):
            return status
    return None


def exit_code(status: ContainerStatus) -> int | None:
    ended = status.state.terminated if status.state else None
    return (ended.exitCode or 0) if ended else None


def with_condition(
    conditions: Iterable[PodCondition], patterns: Sequence[PodFailurePolicyOnPodConditionsPattern]
) -> PodCondition | None:
    wanted = {(pattern.type, pattern.status or "True") for pattern in patterns}
    return next((found for found in conditions if (found.type, found.status) in wanted), None)


def success(job: Job, succeeded: Indexes) -> str:
    """Which rule of the success policy these indexes meet, as the condition's message says it; "" when none."""
    spec = spec_of(job)
    if spec.successPolicy is None or not succeeded.intervals:
        return ""
    for number, rule in enumerate(spec.successPolicy.rules):
        if rule.succeededIndexes:
            wanted = parse(rule.succeededIndexes, spec.completions or 0)
            found = len(wanted & succeeded)
            met = bool(wanted.intervals) and (found == len(wanted) or found >= (rule.succeededCount or found + 1))
        else:
            met = rule.succeededCount is not None and len(succeeded) >= rule.succeededCount
        if met:
            return f"Matched rules at index {number}"
    return ""


def spec_of(job: Job) -> JobSpec:
    return job.spec or JobSpec()
