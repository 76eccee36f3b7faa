"""Old API versions: what each takes for granted, and that nothing it can say is lost in the stored form."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.kinds import schema
from knarr.kinds.kind import Tree
from knarr.kinds.old.table import OLD, WARNINGS
from knarr.kinds.table import BUILTIN
from knarr.registry import views

LARGEST = (1 << 31) - 1
TEMPLATE = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
ROLLING = {"type": "RollingUpdate"}
SELECTS = {"matchLabels": {"app": "a"}}


def kind_of(api_version: str, kind: str):
    group, _, version = api_version.rpartition("/")
    return BUILTIN.by_kind(group, version, kind)


def taken(api_version: str, kind: str, spec: Tree) -> Tree:
    """A manifest of an old version as it is stored, before the stored version's own defaults."""
    tree = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": copy.deepcopy(spec)}
    found = kind_of(api_version, kind)
    schema.normalise(tree, schema.type_name(found.type))
    return views.converted(found, tree)


DEFAULTS = {
    "extensions/v1beta1 Deployment keeps every revision and has no deadline": (
        ("extensions/v1beta1", "Deployment", {"template": TEMPLATE}),
        {
            "selector": SELECTS,
            "replicas": 1,
            "revisionHistoryLimit": LARGEST,
            "progressDeadlineSeconds": LARGEST,
            "strategy": {**ROLLING, "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
        },
    ),
    "extensions/v1beta1 Deployment that recreates has no numbers": (
        ("extensions/v1beta1", "Deployment", {"template": TEMPLATE, "strategy": {"type": "Recreate"}}),
        {"strategy": {"type": "Recreate"}},
    ),
    "apps/v1beta1 Deployment keeps two revisions": (
        ("apps/v1beta1", "Deployment", {"template": TEMPLATE}),
        {
            "selector": SELECTS,
            "revisionHistoryLimit": 2,
            "progressDeadlineSeconds": 600,
            "strategy": {**ROLLING, "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        },
    ),
    "apps/v1beta2 Deployment keeps ten revisions and wants a selector": (
        ("apps/v1beta2", "Deployment", {"template": TEMPLATE}),
        {"selector": None, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600},
    ),
    "apps/v1beta1 StatefulSet waits for its pods to be deleted": (
        ("apps/v1beta1", "StatefulSet", {"template": TEMPLATE}),
        {
            "selector": SELECTS,
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "OnDelete"},
        },
    ),
    "apps/v1beta2 StatefulSet rolls": (
        ("apps/v1beta2", "StatefulSet", {"template": TEMPLATE}),
        {"selector": None, "updateStrategy": {**ROLLING, "rollingUpdate": {"partition": 0}}},
    ),
    "extensions/v1beta1 DaemonSet waits for its pods to be deleted": (
        ("extensions/v1beta1", "DaemonSet", {"template": TEMPLATE}),
        {"selector": SELECTS, "revisionHistoryLimit": 10, "updateStrategy": {"type": "OnDelete"}},
    ),
    "apps/v1beta2 DaemonSet rolls": (
        ("apps/v1beta2", "DaemonSet", {"template": TEMPLATE}),
        {"selector": None, "updateStrategy": {**ROLLING, "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}},
    ),
    "extensions/v1beta1 ReplicaSet selects what its template makes": (
        ("extensions/v1beta1", "ReplicaSet", {"template": TEMPLATE}),
        {"selector": SELECTS, "replicas": 1},
    ),
    "extensions/v1beta1 NetworkPolicy speaks of TCP that comes in": (
        ("extensions/v1beta1", "NetworkPolicy", {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}),
        {"ingress": [{"ports": [{"port": 80, "protocol": "TCP"}]}], "policyTypes": ["Ingress"]},
    ),
    "an old Ingress leaves how paths match to its controller": (
        (
            "networking.k8s.io/v1beta1",
            "Ingress",
            {"rules": [{"http": {"paths": [{"path": "/", "backend": {"serviceName": "s", "servicePort": 80}}]}}]},
        ),
        {
            "rules": [
                {
                    "http": {
                        "paths": [
                            {
                                "path": "/",
                                "pathType": "ImplementationSpecific",
                                "backend": {"service": {"name": "s", "port": {"number": 80}}},
                            }
                        ]
                    }
                }
            ]
        },
    ),
    "an old Ingress' backend by the name of a port": (
        ("extensions/v1beta1", "Ingress", {"backend": {"serviceName": "s", "servicePort": "http"}}),
        {"backend": None, "defaultBackend": {"service": {"name": "s", "port": {"name": "http"}}}},
    ),
    "a batch/v1beta1 CronJob runs side by side": (
        ("batch/v1beta1", "CronJob", {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}}),
        {"concurrencyPolicy": "Allow", "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1},
    ),
    "an autoscaling/v2beta2 autoscaler watches the CPU": (
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", {"maxReplicas": 2, "scaleTargetRef": {"name": "x"}}),
        {
            "minReplicas": 1,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                }
            ],
        },
    ),
    "an autoscaling/v2beta1 metric has its number beside its name": (
        (
            "autoscaling/v2beta1",
            "HorizontalPodAutoscaler",
            {
                "maxReplicas": 2,
                "scaleTargetRef": {"name": "x"},
                "metrics": [
                    {"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 50}},
                    {"type": "Pods", "pods": {"metricName": "hits", "targetAverageValue": "10"}},
                    {"type": "External", "external": {"metricName": "queue", "targetValue": "30"}},
                    {
                        "type": "Object",
                        "object": {
                            "target": {"kind": "Ingress", "name": "i"},
                            "metricName": "rps",
                            "targetValue": "2k",
                        },
                    },
                ],
            },
        ),
        {
            "minReplicas": 1,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
                },
                {
                    "type": "Pods",
                    "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "10"}},
                },
                {
                    "type": "External",
                    "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "30"}},
                },
                {
                    "type": "Object",
                    "object": {
                        "describedObject": {"kind": "Ingress", "name": "i"},
                        "metric": {"name": "rps"},
                        "target": {"type": "Value", "value": "2k"},
                    },
                },
            ],
        },
    ),
    "an empty selector of a policy/v1beta1 budget selects no pod": (
        ("policy/v1beta1", "PodDisruptionBudget", {"selector": {}}),
        {
            "selector": {
                "matchExpressions": [
                    {"key": "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match", "operator": "Exists"}
                ]
            }
        },
    ),
    "a policy/v1beta1 budget without selector has none": (
        ("policy/v1beta1", "PodDisruptionBudget", {"minAvailable": 1}),
        {"selector": None},
    ),
}


@pytest.mark.parametrize("manifest, expected", DEFAULTS.values(), ids=DEFAULTS)
def test_defaults(manifest, expected):
    spec = taken(*manifest)["spec"]
    assert {key: spec.get(key) for key in expected} == expected


@pytest.mark.parametrize("api_version", ["extensions/v1beta1", "apps/v1beta1"])
def test_a_workload_without_labels_has_those_of_its_template(api_version):
    assert taken(api_version, "Deployment", {"template": TEMPLATE})["metadata"]["labels"] == {"app": "a"}


def test_a_budget_of_every_pod_does_not_become_one_of_none():
    kind = kind_of("policy/v1beta1", "PodDisruptionBudget")
    stored = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {}, "spec": {"selector": {}}}
    old = views.shown(kind, copy.deepcopy(stored))
    assert old["spec"]["selector"]["matchExpressions"][0]["operator"] == "DoesNotExist"
    assert views.converted(kind, old) == stored


def test_the_zone_of_an_endpoint_stands_in_its_topology():
    kind = kind_of("discovery.k8s.io/v1beta1", "EndpointSlice")
    topology = {"topology.kubernetes.io/zone": "a", "kubernetes.io/hostname": "h"}
    old = {"metadata": {"name": "x"}, "addressType": "IPv4", "endpoints": [{"addresses": ["1.2.3.4"]}]}
    old["endpoints"][0]["topology"] = dict(topology)
    assert schema.normalise(old, schema.type_name(kind.type)).unknown == []
    stored = views.converted(kind, copy.deepcopy(old))
    assert stored["endpoints"][0]["zone"] == "a"
    assert stored["endpoints"][0]["deprecatedTopology"] == {"kubernetes.io/hostname": "h"}
    assert schema.normalise(stored, "discovery_v1.EndpointSlice").unknown == []
    assert views.shown(kind, stored)["endpoints"][0]["topology"] == topology


def test_an_old_event_is_a_core_event():
    kind = kind_of("events.k8s.io/v1beta1", "Event")
    old = {"metadata": {"name": "x"}, "note": "hi", "regarding": {"kind": "Pod", "name": "p"}}
    assert schema.normalise(old, schema.type_name(kind.type)).unknown == []
    stored = views.converted(kind, copy.deepcopy(old))
    assert (stored["apiVersion"], stored["message"], stored["involvedObject"]["name"]) == ("v1", "hi", "p")
    shown = views.shown(kind, stored)
    assert (shown["apiVersion"], shown["note"]) == ("events.k8s.io/v1beta1", "hi")


names = st.text("abc", min_size=1, max_size=3)
ports = st.one_of(st.integers(1, 65535), names)
services = st.fixed_dictionaries({"serviceName": names, "servicePort": ports})
objects = st.fixed_dictionaries({"resource": st.fixed_dictionaries({"kind": names, "name": names})})
backends = st.one_of(services, objects.map(lambda found: {**found, "servicePort": 0}))
paths = st.fixed_dictionaries(
    {"backend": backends, "pathType": st.sampled_from(["Exact", "Prefix"])}, optional={"path": names}
)
rules = st.fixed_dictionaries(
    {}, optional={"host": names, "http": st.fixed_dictionaries({"paths": st.lists(paths, min_size=1, max_size=2)})}
)
ingresses = st.fixed_dictionaries(
    {},
    optional={
        "backend": backends,
        "rules": st.lists(rules, min_size=1, max_size=2),
        "ingressClassName": names,
        "tls": st.lists(st.fixed_dictionaries({"secretName": names}), min_size=1, max_size=1),
    },
)
counts = st.integers(1, 9)
selectors = st.fixed_dictionaries({"matchLabels": st.dictionaries(names, names, min_size=1, max_size=2)})
deployments = st.fixed_dictionaries(
    {"template": st.just(TEMPLATE)},
    optional={
        "selector": selectors,
        "replicas": counts,
        "minReadySeconds": counts,
        "paused": st.just(True),
        "rollbackTo": st.one_of(st.just({}), st.fixed_dictionaries({"revision": counts})),
        "strategy": st.sampled_from([{"type": "Recreate"}, {"type": "RollingUpdate"}]),
    },
)
daemonsets = st.fixed_dictionaries(
    {"template": st.just(TEMPLATE)},
    optional={"selector": selectors, "templateGeneration": counts, "minReadySeconds": counts},
)
budgets = st.fixed_dictionaries(
    {}, optional={"selector": st.one_of(st.just({}), selectors), "minAvailable": st.one_of(counts, st.just("50%"))}
)
values = st.integers(1, 99).map(str)
metrics = st.one_of(
    st.one_of(
        st.fixed_dictionaries({"name": names, "targetAverageUtilization": counts}),
        st.fixed_dictionaries({"name": names, "targetAverageValue": values}),
    ).map(lambda found: {"type": "Resource", "resource": found}),
    st.fixed_dictionaries({"metricName": names, "targetAverageValue": values}, optional={"selector": selectors}).map(
        lambda found: {"type": "Pods", "pods": found}
    ),
    st.fixed_dictionaries(
        {"metricName": names, "target": st.fixed_dictionaries({"kind": names, "name": names}), "targetValue": values},
        optional={"selector": selectors},
    ).map(lambda found: {"type": "Object", "object": found}),
    st.fixed_dictionaries({"metricName": names, "targetValue": values}, optional={"metricSelector": selectors}).map(
        lambda found: {"type": "External", "external": found}
    ),
)
autoscalers = st.fixed_dictionaries(
    {"maxReplicas": counts, "scaleTargetRef": st.fixed_dictionaries({"kind": names, "name": names})},
    optional={"minReplicas": counts, "metrics": st.lists(metrics, min_size=1, max_size=2)},
)
SPECS = st.one_of(
    st.tuples(st.just("autoscaling/v2beta1"), st.just("HorizontalPodAutoscaler"), autoscalers),
    st.tuples(st.sampled_from(["extensions/v1beta1", "networking.k8s.io/v1beta1"]), st.just("Ingress"), ingresses),
    st.tuples(st.sampled_from(["extensions/v1beta1", "apps/v1beta1"]), st.just("Deployment"), deployments),
    st.tuples(st.just("extensions/v1beta1"), st.just("DaemonSet"), daemonsets),
    st.tuples(st.just("policy/v1beta1"), st.just("PodDisruptionBudget"), budgets),
)


@given(SPECS, st.dictionaries(names, names, max_size=2))
def test_what_an_old_form_says_comes_back(manifest, annotations):
    api_version, name, spec = manifest
    kind = kind_of(api_version, name)
    metadata = {"name": "x", "annotations": annotations} if annotations else {"name": "x"}
    tree = {"apiVersion": api_version, "kind": name, "metadata": metadata, "spec": copy.deepcopy(spec)}
    schema.normalise(tree, schema.type_name(kind.type))
    kind.defaults(tree)
    stored = views.converted(kind, copy.deepcopy(tree))
    findings = schema.normalise(stored, schema.type_name(kind.view.kind.type))
    assert findings.unknown == []  # the stored version knows every field that it is given
    assert views.shown(kind, stored) == tree


@pytest.mark.parametrize("old", OLD, ids=lambda old: f"{old.api_version} {old.kind.kind}")
def test_every_old_type_has_a_schema_with_the_numbers_of_its_fields(old):
    entry = schema.types()[old.schema]
    assert entry["gvk"] == [{"group": old.group, "kind": old.kind.kind, "version": old.version}]
    waiting, seen = [old.schema], set()
    while waiting:
        name = waiting.pop()
        for field, spec in schema.types()[name]["fields"].items():
            inner = spec["type"].lstrip("[]{}")
            if "beta" in inner and inner not in seen:
                seen.add(inner)
                waiting.append(inner)
            if field in ("apiVersion", "kind"):
                continue
            like = schema.types().get(schema.types()[name]["like"], {"fields": {}})["fields"].get(field)
            assert "number" in spec or (like is not None and "number" not in like), (name, field)


def test_clients_are_told_in_the_words_of_upstream():
    assert WARNINGS["extensions", "v1beta1", "ingresses"] == (
        "extensions/v1beta1 Ingress is deprecated in v1.14+, unavailable in v1.22+; use networking.k8s.io/v1 Ingress"
    )


def test_a_struct_is_of_one_kind():
    assert all(BUILTIN.by_type(kind.type) is kind for kind in BUILTIN.all())
