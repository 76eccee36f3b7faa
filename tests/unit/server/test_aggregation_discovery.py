"""What discovery and OpenAPI say when other servers answer for some group versions."""

import pytest

from knarr.kinds.types.apiregistration_v1 import APIService, APIServiceCondition, APIServiceSpec, APIServiceStatus
from knarr.kinds.types.meta_v1 import APIResource, APIResourceList
from knarr.server import aggregation_discovery as discovery
from knarr.server.aggregation_documents import Documents, joined


def entry(group, version, priority=100, version_priority=10, *, available=True):
    condition = APIServiceCondition(type="Available", status="True" if available else "False")
    spec = APIServiceSpec(group=group, version=version, groupPriorityMinimum=priority, versionPriority=version_priority)
    return APIService(spec=spec, status=APIServiceStatus(conditions=[condition]))


def services(*entries):
    return {(e.spec.group, e.spec.version): e for e in entries}


METRICS = services(
    entry("custom.metrics.k8s.io", "v1beta1", version_priority=10),
    entry("custom.metrics.k8s.io", "v1beta2", version_priority=20),
    entry("wardle.example.com", "v1alpha1", 2000, available=False),
)
OWN = {"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}], "preferredVersion": {}}


def test_groups_follow_this_servers_in_the_order_of_their_priorities():
    listed = discovery.with_groups({"kind": "APIGroupList", "groups": [OWN]}, METRICS)
    assert [group["name"] for group in listed["groups"]] == ["apps", "wardle.example.com", "custom.metrics.k8s.io"]
    assert listed["groups"][0] is OWN
    custom = listed["groups"][2]
    assert [version["version"] for version in custom["versions"]] == ["v1beta2", "v1beta1"]
    assert custom["preferredVersion"] == {"groupVersion": "custom.metrics.k8s.io/v1beta2", "version": "v1beta2"}
    assert "kind" not in custom


def test_a_group_that_nobody_serves_is_none():
    assert discovery.with_group(None, "nobody.example.com", METRICS) is None


def test_a_version_added_to_a_group_of_this_server_comes_after_its_own():
    found = discovery.with_group(OWN, "apps", services(entry("apps", "v9")))
    assert [version["version"] for version in found["versions"]] == ["v1", "v9"]


def test_aggregated_discovery_has_their_resources_and_says_what_is_stale():
    documents = Documents()
    resources = [
        APIResource(name="flunders", singularName="flunder", namespaced=True, kind="Flunder", verbs=["get", "list"]),
        APIResource(name="flunders/status", namespaced=True, kind="Flunder", verbs=["get"]),
        APIResource(name="pods/queue", namespaced=True, kind="MetricValueList", verbs=["get"]),
    ]
    documents.learn(("wardle.example.com", "v1alpha1"), APIResourceList(groupVersion="x", resources=resources))
    listed = discovery.with_aggregated({"items": []}, METRICS, documents)
    wardle, custom = listed["items"]
    assert [(v["version"], v["freshness"]) for v in custom["versions"]] == [
        ("v1beta2", "Current"),
        ("v1beta1", "Current"),
    ]
    (version,) = wardle["versions"]
    assert version["freshness"] == "Stale"
    flunder, pods = version["resources"]
    kind = {"group": "wardle.example.com", "version": "v1alpha1", "kind": "Flunder"}
    assert flunder == {
        "resource": "flunders",
        "responseKind": kind,
        "verbs": ["get", "list"],
        "scope": "Namespaced",
        "singularResource": "flunder",
        "subresources": [{"subresource": "status", "responseKind": kind, "verbs": ["get"]}],
    }
    assert (pods["resource"], pods["verbs"], len(pods["subresources"])) == ("pods", [], 1)


def test_this_servers_own_version_gives_way():
    own = {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "resources": ["own"]}]}
    listed = discovery.with_aggregated({"items": [own]}, services(entry("metrics.k8s.io", "v1beta1")), Documents())
    assert listed["items"][0]["versions"] == [{"version": "v1beta1", "resources": [], "freshness": "Current"}]


WHERE = ("wardle.example.com", "v1alpha1")
THEIRS = {
    "paths": {"/apis/wardle.example.com/v1alpha1/flunders": 1, "/apis/apps/v1/deployments": 2, "/healthz": 3},
    "definitions": {"Flunder": {}, "ObjectMeta": "theirs"},
}


def test_of_a_document_only_the_paths_of_the_group_version_are_taken():
    documents = Documents()
    documents.learn_v2(WHERE, THEIRS, '"tag"')
    own = {"swagger": "2.0", "paths": {"/api": 0}, "definitions": {"ObjectMeta": "ours"}}
    assert joined(own, documents.v2()) == {
        "swagger": "2.0",
        "paths": {"/apis/wardle.example.com/v1alpha1/flunders": 1, "/api": 0},
        "definitions": {"Flunder": {}, "ObjectMeta": "ours"},
    }
    assert documents.of(WHERE).v2_tag == '"tag"'


def test_what_is_told_again_is_no_change_and_what_is_forgotten_is():
    documents = Documents()
    documents.learn_v2(WHERE, THEIRS, "")
    version = documents.version
    documents.learn_v2(WHERE, THEIRS, "")
    assert documents.version == version
    documents.forget(WHERE)
    assert (documents.version, documents.v2()) == (version + 1, [])


@pytest.mark.parametrize("index", [{}, {"paths": None}, {"paths": {"apis/other/v1": {"serverRelativeURL": "/x"}}}])
def test_an_index_without_the_group_version_tells_nothing(index):
    documents = Documents()
    documents.learn_v3(WHERE, index)
    assert documents.v3() == {}
