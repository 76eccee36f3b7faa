"""What a method and a path ask for."""

import pytest

from knarr.server.paths import Target, target

CASES = {
    "a list in a namespace": (
        ("GET", "/api/v1/namespaces/a/pods", []),
        Target("", "list", "", "v1", "a", "pods"),
    ),
    "a list over all namespaces": (
        ("GET", "/apis/apps/v1/deployments", []),
        Target("", "list", "apps", "v1", "", "deployments"),
    ),
    "a watch by its query": (
        ("GET", "/api/v1/pods", [("watch", "1")]),
        Target("", "watch", "", "v1", "", "pods"),
    ),
    "watch=false is a list": (("GET", "/api/v1/pods", [("watch", "false")]), Target("", "list", "", "v1", "", "pods")),
    "a watch by its old path": (
        ("GET", "/api/v1/watch/namespaces/a/pods/x", []),
        Target("", "watch", "", "v1", "a", "pods", "x"),
    ),
    "a namespace is in itself": (
        ("GET", "/api/v1/namespaces/a", []),
        Target("", "get", "", "v1", "a", "namespaces", "a"),
    ),
    "a namespace's subresource is not a kind": (
        ("PUT", "/api/v1/namespaces/a/finalize", []),
        Target("", "update", "", "v1", "a", "namespaces", "a", "finalize"),
    ),
    "a kind that is named like nothing else": (
        ("DELETE", "/api/v1/namespaces/a/services", []),
        Target("", "deletecollection", "", "v1", "a", "services"),
    ),
    "a proxy keeps the rest of its path": (
        ("POST", "/api/v1/namespaces/a/pods/x:80/proxy/b/c", []),
        Target("", "create", "", "v1", "a", "pods", "x:80", "proxy", "/b/c"),
    ),
    "an encoded name is decoded": (
        ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode", []),
        Target("", "get", "rbac.authorization.k8s.io", "v1", "", "clusterroles", "system:node"),
    ),
    "a path that is no resource": (("GET", "/version", []), Target("", "get")),
    "a group is no resource": (("GET", "/apis/apps/v1", []), Target("", "get")),
}


@pytest.mark.parametrize(("request_", "wanted"), CASES.values(), ids=CASES)
def test_target(request_, wanted):
    found = target(*request_)
    assert found.path == request_[1]
    assert (
        found.verb,
        found.group,
        found.version,
        found.namespace,
        found.resource,
        found.name,
        found.subresource,
        found.rest,
    ) == (
        wanted.verb,
        wanted.group,
        wanted.version,
        wanted.namespace,
        wanted.resource,
        wanted.name,
        wanted.subresource,
        wanted.rest,
    )


SELECTED = {
    "a list of one name": ("GET", "/api/v1/namespaces/a/secrets", "metadata.name=x", "x"),
    "a name among other fields": ("GET", "/api/v1/secrets", "type=t,metadata.name==x", "x"),
    "a name that is not wanted": ("GET", "/api/v1/secrets", "metadata.name!=x", ""),
    "a name that no object can have": ("GET", "/api/v1/secrets", "metadata.name=a/b", ""),
    "a selector that is none": ("GET", "/api/v1/secrets", "metadata.name", ""),
    "a delete of a collection": ("DELETE", "/api/v1/namespaces/a/secrets", "metadata.name=x", ""),
}


@pytest.mark.parametrize(("method", "path", "selector", "name"), SELECTED.values(), ids=SELECTED)
def test_a_selected_name_counts_for_permission(method, path, selector, name):
    assert target(method, path, [("fieldSelector", selector)]).only == name
