"""PyPI's `kubernetes`, typed: verbs, selectors, pages, patches, errors, watches and what only some kinds have."""

import asyncio
import json
import threading
from datetime import UTC, datetime
from functools import partial

import pytest
from kubernetes import client, config, informer, utils, watch
from kubernetes.client.exceptions import ApiException

from tests.wire.places import a_config_map, a_deployment, a_pod, a_stateful_set

shows = partial(pytest.mark.operation, "kubernetes")

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


@pytest.fixture
def api(place):
    with config.new_client_from_config(str(place.kubeconfig)) as connected:
        yield connected


@pytest.fixture
def core(api):
    return client.CoreV1Api(api)


@pytest.fixture
def namespace(place):
    return place.namespace


def body(error):
    return json.loads(error.value.body)


@shows("create, get, replace, delete")
def test_an_object_is_made_read_replaced_and_deleted(core, namespace):
    made = core.create_namespaced_config_map(namespace, a_config_map(colour="blue"))
    assert made.metadata.uid
    read = core.read_namespaced_config_map("settings", namespace)
    assert read.data == {"colour": "blue"}
    read.data["colour"] = "green"
    replaced = core.replace_namespaced_config_map("settings", namespace, read)
    assert replaced.data == {"colour": "green"}
    assert replaced.metadata.resource_version != made.metadata.resource_version
    told = core.delete_namespaced_config_map("settings", namespace)
    assert (told["status"], told["details"]["uid"]) == ("Success", made.metadata.uid)
    with pytest.raises(ApiException) as error:
        core.read_namespaced_config_map("settings", namespace)
    assert error.value.status == 404


@shows("create: typed models, generated name, dry run")
def test_models_are_written_as_the_server_reads_them(core, namespace):
    model = client.V1ConfigMap(metadata=client.V1ObjectMeta(generate_name="settings-"), data={"a": "1"})
    dry = core.create_namespaced_config_map(namespace, model, dry_run="All")
    made = core.create_namespaced_config_map(namespace, model, field_validation="Strict", field_manager="me")
    assert made.metadata.name.startswith("settings-")
    assert made.metadata.managed_fields[0].manager == "me"
    assert [m.metadata.name for m in core.list_namespaced_config_map(namespace).items if m.data == {"a": "1"}] == [
        made.metadata.name
    ]
    assert dry.metadata.name != made.metadata.name


ERRORS = {
    "errors: 404": (
        lambda core, ns: core.read_namespaced_pod("none", ns),
        404,
        ("NotFound", 'pods "none" not found', {"name": "none", "kind": "pods"}),
    ),
    "errors: 409 exists already": (
        lambda core, ns: [core.create_namespaced_config_map(ns, a_config_map()) for _ in range(2)],
        409,
        ("AlreadyExists", 'configmaps "settings" already exists', {"name": "settings", "kind": "configmaps"}),
    ),
    "errors: 409 was changed meanwhile": (
        lambda core, ns: core.replace_namespaced_config_map(
            "kube-root-ca.crt", ns, {**a_config_map("kube-root-ca.crt"), "metadata": {"resourceVersion": "1"}}
        ),
        409,
        (
            "Conflict",
            'Operation cannot be fulfilled on configmaps "kube-root-ca.crt": the object has been modified; '
            "please apply your changes to the latest version and try again",
            {"name": "kube-root-ca.crt", "kind": "configmaps"},
        ),
    ),
    "errors: 422": (
        lambda core, ns: core.create_namespaced_pod(ns, a_pod(restartPolicy="Sometimes")),
        422,
        (
            "Invalid",
            'Pod "web" is invalid: spec.restartPolicy: Unsupported value: "Sometimes": '
            'supported values: "Always", "OnFailure", "Never"',
            {
                "name": "web",
                "kind": "Pod",
                "causes": [
                    {
                        "reason": "FieldValueNotSupported",
                        "message": 'Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
                        "field": "spec.restartPolicy",
                    }
                ],
            },
        ),
    ),
}


@pytest.mark.parametrize(
    ("ask", "code", "told"),
    [pytest.param(*case, marks=shows(name), id=name) for name, case in ERRORS.items()],
)
def test_a_refusal_is_an_exception_with_the_status_as_its_body(core, namespace, ask, code, told):
    with pytest.raises(ApiException) as error:
        ask(core, namespace)
    status = body(error)
    assert (error.value.status, status["code"]) == (code, code)
    assert (status["reason"], status["message"], status["details"]) == told


@shows("errors: 403")
def test_what_rbac_does_not_allow_is_forbidden(place):
    bob = config.new_client_from_config(str(place.kubeconfig), context="bob")
    with bob, pytest.raises(ApiException) as error:
        client.CoreV1Api(bob).list_namespaced_secret(place.namespace)
    assert error.value.status == 403
    assert body(error)["message"] == (
        f'secrets is forbidden: User "bob" cannot list resource "secrets" in API group "" '
        f'in the namespace "{place.namespace}"'
    )


@shows("list: label and field selectors")
def test_lists_are_selected(core, namespace):
    for name in ("a", "b", "c"):
        core.create_namespaced_config_map(namespace, a_config_map(name, labels={"letter": name}))

    def names(**selectors):
        return [m.metadata.name for m in core.list_namespaced_config_map(namespace, **selectors).items]

    assert names(label_selector="letter in (a, c)") == ["a", "c"]
    assert names(label_selector="letter,letter!=a") == ["b", "c"]
    assert names(field_selector="metadata.name=b") == ["b"]
    everywhere = core.list_config_map_for_all_namespaces(field_selector=f"metadata.namespace={namespace}")
    assert [m.metadata.name for m in everywhere.items] == ["a", "b", "c", "kube-root-ca.crt"]


@shows("list: pages")
def test_a_list_comes_in_pages_of_one_state(core, namespace):
    for name in ("a", "b", "c", "d", "e"):
        core.create_namespaced_config_map(namespace, a_config_map(name, labels={"of": "pages"}))
    ask = partial(core.list_namespaced_config_map, namespace, label_selector="of=pages", limit=2)
    pages = [ask()]
    core.delete_namespaced_config_map("e", namespace)
    while token := pages[-1].metadata._continue:
        pages.append(ask(_continue=token))
    assert [[m.metadata.name for m in page.items] for page in pages] == [["a", "b"], ["c", "d"], ["e"]]
    assert len({page.metadata.resource_version for page in pages}) == 1


PATCHES = {
    "patch: JSON": (JSON_PATCH, [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "x:2"}]),
    "patch: merge": (
        MERGE_PATCH,
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "x:2"}]}}}},
    ),
    "patch: strategic merge": (
        STRATEGIC_PATCH,
        {
            "spec": {
                "template": {"spec": {"containers": [{"name": "web", "image": "x:2"}, {"name": "b", "image": "b"}]}}
            }
        },
    ),
    "apply on the server": (
        APPLY_PATCH,
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "x:2"}]}}},
        },
    ),
}


@pytest.mark.parametrize(
    ("kind", "patch"), [pytest.param(*case, marks=shows(name), id=name) for name, case in PATCHES.items()]
)
def test_patches_change_what_they_name(api, namespace, kind, patch):
    apps = client.AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, a_deployment(replicas=0))
    how = {"field_manager": "me", "force": True} if kind == APPLY_PATCH else {}
    changed = apps.patch_namespaced_deployment("web", namespace, patch, _content_type=kind, **how)
    assert changed.spec.template.spec.containers[0].image == "x:2"
    ports = changed.spec.template.spec.containers[0].ports
    assert bool(ports) == (kind != MERGE_PATCH)


@shows("apply on the server: conflict")
def test_an_applied_field_of_somebody_else_is_a_conflict(core, namespace):
    apply = partial(core.patch_namespaced_config_map, "settings", namespace, _content_type=APPLY_PATCH)
    made = apply(a_config_map(colour="blue"), field_manager="one")
    assert made.metadata.managed_fields[0].operation == "Apply"
    with pytest.raises(ApiException) as error:
        apply(a_config_map(colour="red"), field_manager="two")
    assert error.value.status == 409
    assert body(error)["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.colour'
    assert apply(a_config_map(colour="red"), field_manager="two", force=True).data == {"colour": "red"}


@shows("delete: propagation policies")
@pytest.mark.parametrize("policy", ["Foreground", "Background", "Orphan"])
def test_deletion_reaches_what_is_owned_as_asked(api, core, namespace, policy):
    apps = client.AppsV1Api(api)
    apps.create_namespaced_stateful_set(namespace, a_stateful_set())
    events = watch.Watch().stream(core.list_namespaced_pod, namespace, resource_version="0", timeout_seconds=60)
    pod = next(events)["object"]
    assert [owner.kind for owner in pod.metadata.owner_references] == ["StatefulSet"]
    apps.delete_namespaced_stateful_set("db", namespace, propagation_policy=policy)
    for event in events:
        if event["type"] == "DELETED" or (policy == "Orphan" and not event["object"].metadata.owner_references):
            break
    else:
        raise AssertionError("the pod was left alone")
    assert len(core.list_namespaced_pod(namespace).items) == (policy == "Orphan")


@shows("delete: collection")
def test_a_selected_collection_is_deleted(core, namespace):
    for name, letter in {"a": "x", "b": "x", "c": "y"}.items():
        core.create_namespaced_config_map(namespace, a_config_map(name, labels={"letter": letter}))
    core.delete_collection_namespaced_config_map(namespace, label_selector="letter=x")
    left = core.list_namespaced_config_map(namespace, label_selector="letter")
    assert [m.metadata.name for m in left.items] == ["c"]


@shows("watch")
def test_a_watch_tells_what_happens_after_the_list(core, namespace):
    listed = core.list_namespaced_config_map(namespace)
    core.create_namespaced_config_map(namespace, a_config_map(colour="blue"))
    core.patch_namespaced_config_map("settings", namespace, {"data": {"colour": "green"}})
    core.delete_namespaced_config_map("settings", namespace)
    events = watch.Watch().stream(
        core.list_namespaced_config_map,
        namespace,
        resource_version=listed.metadata.resource_version,
        timeout_seconds=60,
    )
    told = [(next(events)) for _ in range(3)]
    assert [(e["type"], e["object"].data["colour"]) for e in told] == [
        ("ADDED", "blue"),
        ("MODIFIED", "green"),
        ("DELETED", "green"),
    ]
    versions = [int(e["object"].metadata.resource_version) for e in told]
    assert versions == sorted(set(versions))


@shows("watch: 410 for a version too old")
async def test_a_watch_from_a_forgotten_version_is_gone(server, monkeypatch):
    monkeypatch.setattr("knarr.registry.resource.HELD", 2)

    def ask():
        with config.new_client_from_config(str(server.kubeconfig)) as api:
            core = client.CoreV1Api(api)
            for number in range(6):
                core.create_namespaced_config_map("default", a_config_map(f"settings-{number}"))
            return next(
                watch.Watch().stream(
                    core.list_namespaced_config_map, "default", resource_version="1", timeout_seconds=60
                )
            )

    with pytest.raises(ApiException) as error:
        await asyncio.to_thread(ask)
    assert error.value.status == 410
    assert error.value.reason.startswith("Expired: too old resource version: 1 (")


@shows("watch: bookmarks and initial events")
def test_initial_events_end_with_a_bookmark(core, namespace):
    events = watch.Watch().stream(
        core.list_namespaced_config_map,
        namespace,
        send_initial_events=True,
        allow_watch_bookmarks=True,
        resource_version_match="NotOlderThan",
        timeout_seconds=60,
    )
    first, second = next(events), next(events)
    assert (first["type"], first["object"].metadata.name) == ("ADDED", "kube-root-ca.crt")
    assert second["type"] == "BOOKMARK"
    assert second["raw_object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


@shows("scale and status subresources")
def test_scale_and_status_are_written_by_themselves(api, namespace):
    apps = client.AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, a_deployment(replicas=0))
    scale = apps.read_namespaced_deployment_scale("web", namespace)
    scale.spec.replicas = 2
    scale.metadata.resource_version = None  # the controller may write its status in between
    assert apps.replace_namespaced_deployment_scale("web", namespace, scale).spec.replicas == 2
    assert apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 1}}).spec.replicas == 1
    condition = {"type": "Mine", "status": "True"}
    changed = apps.patch_namespaced_deployment_status(
        "web", namespace, {"status": {"conditions": [condition]}, "spec": {"replicas": 7}}
    )
    assert "Mine" in [c.type for c in changed.status.conditions]
    assert changed.spec.replicas == 1


@shows("token request and review")
def test_a_requested_token_is_the_service_account(api, core, namespace):
    spec = client.V1TokenRequestSpec(audiences=["elsewhere"], expiration_seconds=3600)
    token = core.create_namespaced_service_account_token(
        "default", namespace, client.AuthenticationV1TokenRequest(spec=spec)
    )
    review = client.AuthenticationV1Api(api).create_token_review(
        client.V1TokenReview(spec=client.V1TokenReviewSpec(token=token.status.token, audiences=["elsewhere"]))
    )
    assert review.status.authenticated
    assert review.status.user.username == f"system:serviceaccount:{namespace}:default"


@shows("access reviews")
def test_one_may_ask_what_one_may(place):
    with config.new_client_from_config(str(place.kubeconfig), context="bob") as bob:
        reviews = client.AuthorizationV1Api(bob)
        attributes = client.V1ResourceAttributes(namespace=place.namespace, verb="get", resource="pods")
        asked = client.V1SelfSubjectAccessReview(
            spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
        )
        assert not reviews.create_self_subject_access_review(asked).status.allowed
        myself = client.AuthenticationV1Api(bob).create_self_subject_review(client.V1SelfSubjectReview())
        assert myself.status.user_info.username == "bob"


@shows("events of both versions")
def test_an_event_is_seen_in_both_of_its_versions(api, core, namespace):
    about = client.V1ObjectReference(api_version="v1", kind="ConfigMap", name="settings", namespace=namespace)
    event = client.EventsV1Event(
        metadata=client.V1ObjectMeta(generate_name="settings-"),
        regarding=about,
        reason="Changed",
        note="colour is blue",
        action="Paint",
        type="Normal",
        event_time=datetime(2030, 1, 1, 12, 0, 0, 5, tzinfo=UTC),
        reporting_controller="example.com/painter",
        reporting_instance="painter-1",
    )
    made = client.EventsV1Api(api).create_namespaced_event(namespace, event)
    assert made.event_time.microsecond == 5
    (seen,) = core.list_namespaced_event(namespace, field_selector="involvedObject.name=settings").items
    assert (seen.message, seen.reason, seen.reporting_component) == ("colour is blue", "Changed", "example.com/painter")


@shows("discovery and version")
def test_discovery_names_groups_and_resources(api):
    assert client.VersionApi(api).get_code().git_version.startswith("v1.37.")
    groups = {group.name: group.preferred_version.version for group in client.ApisApi(api).get_api_versions().groups}
    assert (groups["apps"], groups["batch"]) == ("v1", "v1")
    resources = {r.name: r for r in client.AppsV1Api(api).get_api_resources().resources}
    assert resources["deployments"].short_names == ["deploy"]
    assert "deployments/scale" in resources
    assert "v1" in client.CoreApi(api).get_api_versions().versions


@shows("create from YAML")
def test_a_file_of_many_objects_is_created(api, core, namespace):
    made = utils.create_from_dict(
        api,
        {"apiVersion": "v1", "kind": "List", "items": [a_config_map("a"), a_deployment(replicas=0)]},
        namespace=namespace,
    )
    assert [m.metadata.name if not isinstance(m, list) else m[0].metadata.name for m in made] == ["a", "web"]


@shows("informer")
def test_an_informer_keeps_up(core, namespace):
    core.create_namespaced_config_map(namespace, a_config_map("early", labels={"seen": "yes"}))
    told, news = [], threading.Semaphore(0)

    def handler(kind):
        def handle(seen):
            told.append((kind, seen.metadata.name))
            news.release()

        return handle

    shared = informer.SharedInformer(core.list_namespaced_config_map, namespace, label_selector="seen=yes")
    for kind in ("ADDED", "MODIFIED", "DELETED"):
        shared.add_event_handler(kind, handler(kind))
    shared.start()
    try:
        assert news.acquire(timeout=60)
        core.create_namespaced_config_map(namespace, a_config_map("late", labels={"seen": "yes"}))
        core.patch_namespaced_config_map("late", namespace, {"metadata": {"labels": {"seen": "no"}}})
        assert news.acquire(timeout=60)
        assert news.acquire(timeout=60)
        assert [m.metadata.name for m in shared.cache.list()] == ["early"]
    finally:
        shared.stop()
    assert told == [("ADDED", "early"), ("ADDED", "late"), ("DELETED", "late")]
