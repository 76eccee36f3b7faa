"""Jobs and their pods, as the tables of `test_job*.py` write them, and what a pass over them does, as lines of text."""

from datetime import UTC, datetime, timedelta

from knarr.controllers.job_backoff import Failures
from knarr.controllers.job_counting import closed, outcome
from knarr.controllers.job_counts import Snapshot
from knarr.controllers.job_plan import plan
from knarr.controllers.job_pods import FAILURES, IGNORED_FAILURES, INDEX, TRACKING
from knarr.kinds.types.batch_v1 import (
    Job,
    JobCondition,
    JobSpec,
    JobStatus,
    PodFailurePolicy,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
    SuccessPolicy,
    SuccessPolicyRule,
    UncountedTerminatedPods,
)
from knarr.kinds.types.core_v1 import (
    Container,
    ContainerState,
    ContainerStateTerminated,
    ContainerStatus,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    PodTemplateSpec,
)
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta
from knarr.loop.revisions import controller_reference
from knarr.meta import clock

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LABELS = {"app": "x"}


def ago(seconds):
    return clock.timestamp(NOW - timedelta(seconds=seconds))


def a_job(
    completions=1,
    parallelism=1,
    *,
    indexed=False,
    restart="Never",
    conditions=(),
    started=100,
    deleting=False,
    status=None,
    uncounted=((), ()),
    **spec,
):
    """A Job that started 100 s ago. `conditions` are types, `uncounted` uids that succeeded and that failed."""
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels=LABELS),
        spec=PodSpec(restartPolicy=restart, containers=[Container(name="c", image="img:1")]),
    )
    return Job(
        metadata=ObjectMeta(
            name="j", namespace="n", uid="job", generation=1, deletionTimestamp=ago(0) if deleting else ""
        ),
        spec=JobSpec(
            **{
                "completions": completions,
                "parallelism": parallelism,
                "completionMode": "Indexed" if indexed else "NonIndexed",
                "backoffLimit": 2**31 - 1 if "backoffLimitPerIndex" in spec else 6,
                "selector": LabelSelector(matchLabels=LABELS),
                "template": template,
                **spec,
            }
        ),
        status=JobStatus(
            startTime=ago(started) if started is not None else "",
            conditions=[a_condition(type_) for type_ in conditions],
            uncountedTerminatedPods=UncountedTerminatedPods(succeeded=[*uncounted[0]], failed=[*uncounted[1]]),
            **(status or {}),
        ),
    )


def a_condition(type_, status="True"):
    reason = {"Suspended": "JobSuspended", "FailureTarget": "Why", "SuccessCriteriaMet": "Why"}.get(type_, "")
    message = {"Suspended": "Job suspended"}.get(type_, "because")
    return JobCondition(type=type_, status=status, reason=reason, message=message)


def a_pod(
    name="a",
    phase="Running",
    *,
    index=None,
    tracked=True,
    deleting=False,
    ended=30,
    code=None,
    restarts=0,
    failures=None,
    ignored=None,
    ready=True,
    conditions=(),
    container="c",
    job=None,
):
    """A pod of the Job with uid `name`; it is tracked until it is counted. It ended 30 s ago if it did."""
    marks = {INDEX: index, FAILURES: failures, IGNORED_FAILURES: ignored}
    over = phase in ("Succeeded", "Failed")
    code = (1 if phase == "Failed" else 0) if code is None else code
    state = ContainerState(terminated=ContainerStateTerminated(exitCode=code, finishedAt=ago(ended))) if over else None
    found = [PodCondition(type=type_, status="True") for type_ in conditions]
    if phase == "Running":
        found.append(PodCondition(type="Ready", status="True" if ready else "False", lastTransitionTime=ago(50)))
    return Pod(
        metadata=ObjectMeta(
            name=name,
            namespace="n",
            uid=name,
            labels=LABELS,
            annotations={key: str(value) for key, value in marks.items() if value is not None},
            finalizers=[TRACKING] if tracked else [],
            ownerReferences=[controller_reference(job or a_job())],
            creationTimestamp=ago(60),
            deletionTimestamp=ago(20) if deleting else "",
        ),
        spec=PodSpec(nodeName="node-0", containers=[Container(name="c", image="img:1")]),
        status=PodStatus(
            phase=phase,
            conditions=found,
            containerStatuses=[ContainerStatus(name=container, state=state, restartCount=restarts)],
        ),
    )


def on_codes(action, *codes, operator="In", container=""):
    requirement = PodFailurePolicyOnExitCodesRequirement(containerName=container, operator=operator, values=[*codes])
    return PodFailurePolicyRule(action=action, onExitCodes=requirement)


def on_condition(action, type_, status="True"):
    pattern = PodFailurePolicyOnPodConditionsPattern(type=type_, status=status)
    return PodFailurePolicyRule(action=action, onPodConditions=[pattern])


def failing(*rules):
    return {"podFailurePolicy": PodFailurePolicy(rules=[*rules]), "podReplacementPolicy": "Failed"}


def succeeding(*rules):
    """Rules of a success policy, each (indexes, count)."""
    made = [SuccessPolicyRule(succeededIndexes=indexes, succeededCount=count) for indexes, count in rules]
    return {"successPolicy": SuccessPolicy(rules=made)}


def snapshot(job, pods=(), *, trusted=True, failures=None, released=frozenset()):
    return Snapshot(job, [*pods], NOW, released, trusted, failures or Failures())


def one_pass(job, pods=(), *, undone=(), **facts):
    """The Job after one pass in which the steps at these places fail, and what was done and told on the way."""
    planned = plan(snapshot(job, pods, **facts))
    failed = [planned.steps[place] for place in undone]
    first = outcome(planned, failed)
    last, events = closed(first.job, first, {pod.metadata.uid for pod in first.release})
    return planned, first, last, [*first.events, *events]


def lines(job, pods=(), **facts):
    """The steps and events of one pass."""
    planned, _, _, events = one_pass(job, pods, **facts)
    return [*(str(step) for step in planned.steps), *(str(event) for event in events)]


def shown(status):
    """A status as text: the numbers that are not 0, the conditions that are true, the uids that are not counted."""
    parts = [
        f"{name} {value}"
        for name in ("active", "ready", "terminating", "succeeded", "failed")
        if (value := getattr(status, name))
    ]
    parts += [f"{name} {value}" for name in ("completedIndexes", "failedIndexes") if (value := getattr(status, name))]
    listed = status.uncountedTerminatedPods
    for name in ("succeeded", "failed"):
        if uids := getattr(listed, name, ()):
            parts.append(f"uncounted {name} {' '.join(uids)}")
    parts += [
        f"{each.type} {each.reason}".strip() if each.status == "True" else f"not {each.type}"
        for each in status.conditions
    ]
    return ", ".join(parts)
