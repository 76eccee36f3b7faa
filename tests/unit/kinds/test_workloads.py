"""Kinds with a pod template, and what goes with them: defaults, rules, updates, status and columns."""

import copy

import msgspec
import pytest

from knarr.kinds import schema
from knarr.kinds.table import BUILTIN
from knarr.meta import clock

NOW = clock.parse("2026-01-01T00:10:00Z")
POD = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]}}
SELECTED = {"selector": {"matchLabels": {"app": "x"}}, "template": POD}
ONCE = {"spec": {"containers": [{"name": "c", "image": "a"}], "restartPolicy": "Never"}}
META = {"name": "x", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}


def body(api_version, kind, **rest):
    return copy.deepcopy({"apiVersion": api_version, "kind": kind, "metadata": META, **rest})


def deployment(**spec):
    return body("apps/v1", "Deployment", spec={**SELECTED, **spec})


def daemon_set(**spec):
    return body("apps/v1", "DaemonSet", spec={**SELECTED, **spec})


def replica_set(**spec):
    return body("apps/v1", "ReplicaSet", spec={**SELECTED, **spec})


def stateful_set(**spec):
    return body("apps/v1", "StatefulSet", spec={"serviceName": "x", **SELECTED, **spec})


def job(**spec):
    return body("batch/v1", "Job", spec={"template": ONCE, **spec})


def made_job(**spec):
    """A job as it is after its creation: with its selector."""
    return job(**{"manualSelector": True, **SELECTED, "template": {**ONCE, "metadata": POD["metadata"]}, **spec})


def cron_job(**spec):
    return body(
        "batch/v1", "CronJob", spec={"schedule": "* * * * *", "jobTemplate": {"spec": {"template": ONCE}}, **spec}
    )


def budget(**spec):
    return body("policy/v1", "PodDisruptionBudget", spec=spec)


def scaler(**spec):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}
    return body("autoscaling/v2", "HorizontalPodAutoscaler", spec={"scaleTargetRef": target, "maxReplicas": 5, **spec})


def ingress(path):
    rule = {"host": "a.example.com", "http": {"paths": [path]}}
    return body("networking.k8s.io/v1", "Ingress", spec={"rules": [rule]})


BACKEND = {"service": {"name": "x", "port": {"number": 80}}}
NO_MATCH = "`selector` does not match template `labels`"
NEGATIVE = "must be greater than or equal to 0"
PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)

REFUSED = {
    "a deployment that recreates rolls nothing": (
        deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
        "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ),
    "a surge is a percentage": (
        deployment(strategy={"rollingUpdate": {"maxSurge": "x%"}}),
        f'spec.strategy.rollingUpdate.maxSurge: Invalid value: "x%": {PERCENT}',
    ),
    "not more than all may be unavailable": (
        deployment(strategy={"rollingUpdate": {"maxUnavailable": "101%"}}),
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
    ),
    "a percentage beyond all numbers is left out": (
        deployment(strategy={"rollingUpdate": {"maxUnavailable": "9" * 5000 + "%", "maxSurge": -1}}),
        "spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: must be greater than or equal to 0",
    ),
    "a rollout must be able to move": (
        deployment(strategy={"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}),
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
    ),
    "progress takes longer than readiness": (
        deployment(minReadySeconds=700),
        "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds",
    ),
    "a selector needs a known operator": (
        replica_set(selector={"matchExpressions": [{"key": "a", "operator": "X"}]}),
        'spec.selector.matchExpressions[0].operator: Invalid value: "X": not a valid selector operator',
        'spec.selector: Invalid value: {"matchExpressions":[{"key":"a","operator":"X"}]}: invalid label selector',
    ),
    "a missing selector is no empty one": (
        body("apps/v1", "StatefulSet", spec={"serviceName": "x", "template": POD}),
        "spec.selector: Required value",
        f'spec.template.metadata.labels: Invalid value: {{"app":"x"}}: {NO_MATCH}',
    ),
    "an empty selector selects too much": (
        deployment(selector={}),
        "spec.selector: Invalid value: {}: empty selector is invalid for deployment",
    ),
    "a selector must select its own pods": (
        replica_set(selector={"matchLabels": {"app": "y"}}),
        f'spec.template.metadata.labels: Invalid value: {{"app":"x"}}: {NO_MATCH}',
    ),
    "a daemon is always restarted": (
        daemon_set(template={**POD, "spec": {**POD["spec"], "restartPolicy": "OnFailure"}}),
        'spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"',
    ),
    "a daemon set knows two strategies": (
        daemon_set(updateStrategy={"type": "X"}),
        'spec.updateStrategy: Unsupported value: {"Type":"X","RollingUpdate":null}: supported values: "RollingUpdate", '
        '"OnDelete"',
    ),
    "ordinals begin at zero or later": (
        stateful_set(ordinals={"start": -1}),
        f"spec.ordinals.start: Invalid value: -1: {NEGATIVE}",
    ),
    "a job's pods are not restarted for ever": (
        job(template={"spec": {"containers": ONCE["spec"]["containers"]}}),
        'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ),
    "a job with a selector by hand needs one": (
        job(manualSelector=True),
        "spec.selector: Required value",
        f"spec.template.metadata.labels: Invalid value: null: {NO_MATCH}",
    ),
    "indexed jobs are bounded": (
        job(completionMode="Indexed", completions=3, parallelism=200000),
        "spec.parallelism: Invalid value: 200000: must be less than or equal to 100000 when completion mode is Indexed",
    ),
    "a schedule has no time zone": (
        cron_job(schedule="TZ=UTC * * * * *"),
        'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field '
        "instead",
    ),
    "a time zone exists": (
        cron_job(timeZone="Nowhere/X"),
        'spec.timeZone: Invalid value: "Nowhere/X": unknown time zone Nowhere/X',
    ),
    "a budget has one bound": (
        budget(minAvailable=1, maxUnavailable=1),
        'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: '
        "minAvailable and maxUnavailable cannot be both set",
    ),
    "an autoscaler's bounds are in order": (
        scaler(minReplicas=9),
        "spec.maxReplicas: Invalid value: 5: must be greater than or equal to `minReplicas`",
    ),
    "a metric has a target": (
        scaler(metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}]),
        "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a "
        "target utilization",
    ),
    "a path is absolute": (
        ingress({"path": "x", "pathType": "Prefix", "backend": BACKEND}),
        'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path',
    ),
    "a path leads somewhere": (
        ingress({"path": "/", "pathType": "Prefix", "backend": {}}),
        'spec.rules[0].http.paths[0].backend: Invalid value: "": resource or service backend is required',
    ),
}


@pytest.mark.parametrize("given, errors", [(c[0], list(c[1:])) for c in REFUSED.values()], ids=REFUSED)
def test_what_a_create_complains_of(created, given, errors):
    assert created(given)[1] == errors


def test_a_deployment_rolls_by_quarters(created):
    tree, errors = created(deployment())
    assert errors == []
    assert tree["status"] == {}
    spec = {key: value for key, value in tree["spec"].items() if key not in SELECTED}
    assert spec == {
        "replicas": 1,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }


def test_a_stateful_set_gets_its_defaults(created):
    claim = {
        "metadata": {"name": "d"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    tree, errors = created(stateful_set(volumeClaimTemplates=[claim]))
    assert errors == []
    assert tree["status"] == {"replicas": 0, "availableReplicas": 0}
    found = tree["spec"]["volumeClaimTemplates"][0]
    assert (found["kind"], found["apiVersion"], found["status"]) == (
        "PersistentVolumeClaim",
        "v1",
        {"phase": "Pending"},
    )
    assert tree["spec"]["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert tree["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert tree["spec"]["podManagementPolicy"] == "OrderedReady"


def test_a_job_selects_its_pods_by_its_uid(created):
    tree, errors = created(job())
    assert errors == []
    marks = {
        f"{prefix}{name}": value
        for prefix in ("", "batch.kubernetes.io/")
        for name, value in (("controller-uid", "u"), ("job-name", "x"))
    }
    assert tree["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}
    assert tree["spec"]["template"]["metadata"]["labels"] == marks
    assert tree["metadata"]["labels"] == marks
    assert (tree["spec"]["completions"], tree["spec"]["parallelism"], tree["spec"]["backoffLimit"]) == (1, 1, 6)


def test_a_work_queue_has_no_completions(created):
    tree, _ = created(job(parallelism=3))
    assert "completions" not in tree["spec"]


def test_a_daemon_set_counts_its_templates(updated):
    before = daemon_set()
    before["metadata"]["annotations"] = {"deprecated.daemonset.template.generation": "4"}
    same, _ = updated(before, daemon_set())
    changed, _ = updated(before, daemon_set(template={**POD, "metadata": {"labels": {"app": "x", "v": "2"}}}))
    counts = [tree["metadata"]["annotations"]["deprecated.daemonset.template.generation"] for tree in (same, changed)]
    assert counts == ["4", "5"]


MISMATCH = 'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`'
MOVED = {"matchLabels": {"z": "y"}}
KEPT = 'spec.selector: Invalid value: {"matchLabels":{"z":"y"}}: field is immutable'
FIXED = {
    "a deployment's selector": (deployment(), deployment(selector=MOVED), [MISMATCH, KEPT]),
    "a replica set's selector": (replica_set(), replica_set(selector=MOVED), [MISMATCH, KEPT]),
    "a daemon set's selector, told of first": (daemon_set(), daemon_set(selector=MOVED), [KEPT, MISMATCH]),
    "a stateful set's service": (
        stateful_set(),
        stateful_set(serviceName="y"),
        [
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
            "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
            "are forbidden"
        ],
    ),
    "a job's completions": (
        made_job(completions=1),
        made_job(completions=2),
        ["spec.completions: Invalid value: 2: field is immutable"],
    ),
    "nothing, when only the number of replicas changes": (deployment(), deployment(replicas=7), []),
    "nothing, when an elastic job grows": (
        made_job(completionMode="Indexed", completions=2, parallelism=2),
        made_job(completionMode="Indexed", completions=3, parallelism=3),
        [],
    ),
    **{
        f"what a create may not say either, of a {kind}": (
            make(),
            make(**{name: -1}),
            [f"spec.{name}: Invalid value: -1: must be greater than or equal to 0"],
        )
        for kind, make, name in (
            ("deployment", deployment, "replicas"),
            ("replica set", replica_set, "replicas"),
            ("daemon set", daemon_set, "minReadySeconds"),
            ("stateful set", stateful_set, "replicas"),
            ("job", made_job, "backoffLimit"),
        )
    },
}


@pytest.mark.parametrize("before, after, errors", FIXED.values(), ids=FIXED)
def test_what_an_update_may_not_change(updated, before, after, errors):
    assert updated(before, after)[1] == errors


STATUS = {
    "a deployment": (
        deployment,
        {"replicas": -1},
        [
            f"status.replicas: Invalid value: -1: {NEGATIVE}",
            "status.updatedReplicas: Invalid value: 0: cannot be greater than status.replicas",
            "status.readyReplicas: Invalid value: 0: cannot be greater than status.replicas",
            "status.availableReplicas: Invalid value: 0: cannot be greater than status.replicas",
        ],
    ),
    "a replica set": (
        replica_set,
        {"replicas": 2, "readyReplicas": 1, "availableReplicas": 2},
        ["status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas"],
    ),
    "a stateful set": (
        stateful_set,
        {"replicas": 1, "currentReplicas": 2},
        ["status.currentReplicas: Invalid value: 2: cannot be greater than status.replicas"],
    ),
}


@pytest.mark.parametrize("make, status, errors", STATUS.values(), ids=STATUS)
def test_a_status_must_be_possible(make, status, errors):
    tree = make()
    kind = BUILTIN.by_kind("apps", "v1", tree["kind"])
    tree["status"] = status
    schema.normalise(tree, schema.type_name(kind.type))
    obj = msgspec.convert(tree, kind.type)
    assert [str(error) for error in kind.validate_status(obj, obj)] == errors


ROWS = {
    "a deployment": (deployment(), ["x", "0/1", 0, 0, "10m", "c", "nginx:1.25", "app=x"]),
    "a replica set": (replica_set(), ["x", 1, 0, 0, "10m", "c", "nginx:1.25", "app=x"]),
    "a daemon set": (daemon_set(), ["x", 0, 0, 0, 0, 0, "<none>", "10m", "c", "nginx:1.25", "app=x"]),
    "a stateful set": (stateful_set(), ["x", "0/1", "10m", "c", "nginx:1.25"]),
    "a job": (job(), ["x", "Running", "0/1", "", "10m", "c", "a", "<none>"]),
    "a cron job": (cron_job(), ["x", "* * * * *", "<none>", "False", 0, "<none>", "10m", "c", "a", "<none>"]),
    "a budget": (budget(minAvailable=1), ["x", "1", "N/A", 0, "10m"]),
    "an autoscaler": (scaler(), ["x", "Deployment/x", "cpu: <unknown>/80%", "1", 5, 0, "10m"]),
    "an ingress": (
        ingress({"path": "/", "pathType": "Prefix", "backend": BACKEND}),
        ["x", "<none>", "a.example.com", "", "80", "10m"],
    ),
}


@pytest.mark.parametrize("given, cells", ROWS.values(), ids=ROWS)
def test_printed_cells(row, given, cells):
    assert row(given, NOW) == cells
