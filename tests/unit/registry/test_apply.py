"""Server-side apply and managedFields: who has which field, and what becomes of it."""

import copy
import re

import msgspec
import pytest

from knarr.meta import clock
from knarr.meta.errors import BadRequest, Conflict
from knarr.registry import fieldsets
from knarr.registry.registry import Options
from tests.unit.registry.conftest import K, a_pod

TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


def by(manager):
    return Options(field_manager=manager)


def config(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}


def managers(entry):
    found = entry.tree()["metadata"].get("managedFields", [])
    return [(m["manager"], m["operation"], m.get("subresource", ""), m["fieldsV1"]) for m in found]


async def applied(registry, manager, body, **more):
    return (await registry.apply(K.ConfigMap, "ns", "x", body, by(manager), **more))[0]


async def test_an_apply_creates_what_is_missing(registry):
    entry, made = await registry.apply(K.ConfigMap, "ns", "x", config(a="1"), by("m1"))
    assert (made, entry.object().data) == (True, {"a": "1"})
    assert managers(entry) == [("m1", "Apply", "", {"f:data": {"f:a": {}}})]
    again, made = await registry.apply(K.ConfigMap, "ns", "x", config(a="1"), by("m1"))
    assert (made, again.raw) == (False, entry.raw)


async def test_what_is_no_longer_named_goes(registry):
    await applied(registry, "m1", config(a="1", b="2"))
    entry = await applied(registry, "m1", config(a="1"))
    assert entry.object().data == {"a": "1"}
    assert managers(entry) == [("m1", "Apply", "", {"f:data": {"f:a": {}}})]


async def test_what_nobody_named_stays_beside_what_goes(registry):
    labelled = {**config(a="1"), "metadata": {"name": "x", "labels": {"app": "web"}}}
    await applied(registry, "m1", labelled)
    await applied(registry, "m2", config(a="1"))
    entry = await applied(registry, "m1", config(a="1"))
    assert (entry.object().metadata.name, entry.object().metadata.labels) == ("x", {})
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2}}
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec}
    made = {**copy.deepcopy(body), "spec": {**copy.deepcopy(spec), "strategy": strategy}}
    await registry.create(K.Deployment, "ns", made, by("creator"))
    for wanted in ({"minReadySeconds": 3}, {}):
        await registry.apply(K.Deployment, "ns", "x", {**copy.deepcopy(body), "spec": wanted}, by("m1"))
    now = (await registry.get(K.Deployment, "ns", "x")).object().spec
    assert (now.minReadySeconds, now.strategy.rollingUpdate.maxSurge) == (None, 2)


async def test_what_another_names_too_stays(registry):
    await applied(registry, "m1", config(a="1", b="1"))
    await applied(registry, "m2", config(a="1"))
    entry = await applied(registry, "m1", config())
    assert entry.object().data == {"a": "1"}
    assert managers(entry) == [
        ("m2", "Apply", "", {"f:data": {"f:a": {}}}),
        ("m1", "Apply", "", {"f:data": {}}),
    ]


async def test_a_field_of_another_is_a_conflict_unless_forced(registry):
    await registry.create(K.ConfigMap, "ns", config(a="1", b="1"), by("creator"))
    message = 'Apply failed with 1 conflict: conflict with "creator" using v1: .data.a'
    with pytest.raises(Conflict, match=re.escape(message)) as refused:
        await applied(registry, "m1", config(a="2"))
    assert refused.value.causes[0].field == ".data.a"
    with pytest.raises(Conflict, match=r"2 conflicts: conflicts with \"creator\" using v1:\n- \.data\.a\n- \.data\.b$"):
        await applied(registry, "m1", config(a="2", b="2"))
    entry = await applied(registry, "m1", config(a="2"), force=True)
    assert managers(entry) == [
        ("m1", "Apply", "", {"f:data": {"f:a": {}}}),
        ("creator", "Update", "", {"f:data": {".": {}, "f:b": {}}}),
    ]


async def test_an_update_takes_over_what_it_changes(registry):
    await applied(registry, "m1", config(a="1", b="1"))
    entry = await registry.patch(K.ConfigMap, "ns", "x", "merge", {"data": {"a": "2", "b": None}}, by("editor"))
    assert managers(entry) == [("editor", "Update", "", {"f:data": {"f:a": {}}})]


async def test_containers_merge_by_name_and_go_with_their_last_manager(registry):
    def body(name):
        template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": name, "image": "i"}]}}
        spec = {"selector": {"app": "x"}, "template": template}
        return {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "x"}, "spec": spec}

    async def containers(manager, wanted):
        entry, _ = await registry.apply(K.ReplicationController, "ns", "x", wanted, by(manager))
        return [c.name for c in entry.object().spec.template.spec.containers]

    assert await containers("m1", body("c")) == ["c"]
    assert await containers("m2", body("side")) == ["c", "side"]
    assert await containers("m2", {"metadata": {"name": "x"}}) == ["c"]


async def test_a_status_has_managers_of_its_own(registry):
    pod = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await registry.create(K.Pod, "ns", pod, by("creator"))
    body = {"status": {"phase": "Running"}, "spec": {"nodeName": "n"}}
    entry = await registry.patch(K.Pod, "ns", "x", "merge", body, by("kubelet"), subresource="status")
    assert managers(entry)[-1] == ("kubelet", "Update", "status", {"f:status": {"f:phase": {}}})
    spec = managers(entry)[0][3]["f:spec"]
    assert spec["f:containers"] == {
        'k:{"name":"c"}': {
            ".": {},
            "f:image": {},
            "f:imagePullPolicy": {},
            "f:name": {},
            "f:resources": {},
            "f:terminationMessagePath": {},
            "f:terminationMessagePolicy": {},
        }
    }


async def test_the_clusters_own_parts_are_recorded_where_others_are(registry):
    assert managers(await registry.create(K.ConfigMap, "ns", config(a="1"), by("knarr"))) == []
    await applied(registry, "m1", config(b="1"))
    entry = await registry.patch(K.ConfigMap, "ns", "x", "merge", {"data": {"b": "2"}}, by("knarr"))
    assert managers(entry) == [
        ("before-first-apply", "Update", "", {"f:data": {".": {}, "f:a": {}}}),
        ("knarr", "Update", "", {"f:data": {"f:b": {}}}),
    ]


async def test_fields_of_an_object_without_managers_are_those_of_whoever_was_first(registry):
    await registry.create(K.ConfigMap, "ns", config(a="1"), by("knarr"))
    with pytest.raises(Conflict, match=r'conflict with "before-first-apply" using v1: \.data\.a'):
        await applied(registry, "m1", config(a="2"))


BROUGHT = {
    "entries of one's own stand": (lambda entry: [entry | {"manager": "other"}], ["other"]),
    "a single empty entry takes all away": (lambda entry: [{}], []),
    "none leaves the object's": (lambda entry: [], ["someone"]),
    "entries of no operation are ignored": (lambda entry: [entry | {"operation": "Odd"}], ["someone"]),
    "entries of another form are ignored": (lambda entry: [entry | {"fieldsType": "FieldsV0"}], ["someone"]),
    "entries of no version are ignored": (lambda entry: [entry | {"apiVersion": ""}], ["someone"]),
    "fields that are none are ignored": (lambda entry: [entry | {"fieldsV1": {"odd": {}}}], ["someone"]),
    "keys that are none are ignored": (lambda entry: [entry | {"fieldsV1": {"f:a": {"k:x": {}}}}], ["someone"]),
    "fields that are no tree are ignored": (lambda entry: [entry | {"fieldsV1": {"f:a": "x"}}], ["someone"]),
}


@pytest.mark.parametrize("bring, names", BROUGHT.values(), ids=BROUGHT)
async def test_an_update_may_bring_entries_along(registry, bring, names):
    tree = (await registry.create(K.ConfigMap, "ns", config(a="1"), by("someone"))).tree()
    tree["metadata"]["managedFields"] = bring(tree["metadata"]["managedFields"][0])
    entry = await registry.update(K.ConfigMap, "ns", "x", tree, by("someone"))
    assert [name for name, *_ in managers(entry)] == names


async def test_entries_that_come_with_a_status_are_ignored(registry):
    tree = (await registry.create(K.Pod, "ns", a_pod(), by("someone"))).tree()
    tree["metadata"]["managedFields"] = [{}]
    entry = await registry.update(K.Pod, "ns", "x", tree, by("someone"), subresource="status")
    assert [name for name, *_ in managers(entry)] == ["someone"]


LAST = "kubectl.kubernetes.io/last-applied-configuration"
CLIENT_SIDE = {
    "what still is as it was applied": ("1", "kubectl", None),
    "what another changed since": ("5", "kubectl", 'conflict with "other" using v1'),
    "for another manager": ("1", "me", 'conflict with "kubectl-client-side-apply" using v1'),
}


@pytest.mark.parametrize("value, manager, conflict", CLIENT_SIDE.values(), ids=CLIENT_SIDE)
async def test_kubectl_takes_over_what_it_applied_from_its_own_side(registry, value, manager, conflict):
    before = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1"}}'
    tree = config(a="1")
    tree["metadata"] = {"name": "x", "annotations": {LAST: before}}
    await registry.create(K.ConfigMap, "ns", tree, by("kubectl-client-side-apply"))
    await registry.patch(K.ConfigMap, "ns", "x", "merge", {"data": {"a": value}}, by("other"))
    if conflict is None:
        entry = await applied(registry, manager, config(a="9"))
        shown = entry.tree()
        assert shown["data"] == {"a": "9"}
        assert msgspec.json.decode(shown["metadata"]["annotations"][LAST])["data"] == {"a": "9"}
    else:
        with pytest.raises(Conflict, match=conflict):
            await applied(registry, manager, config(a="9"))


async def test_the_time_of_an_entry_is_that_of_its_last_change(registry, monkeypatch):
    first = await applied(registry, "m1", config(a="1"))
    monkeypatch.setattr(clock, "timestamp", lambda: "2030-01-01T00:00:00Z")
    same = await applied(registry, "m1", config(a="1"))
    changed = await applied(registry, "m1", config(a="2"))
    times = [entry.tree()["metadata"]["managedFields"][0]["time"] for entry in (first, same, changed)]
    assert times[0] == times[1]
    assert times[2] == "2030-01-01T00:00:00Z"


async def test_a_write_without_a_manager_is_nobodys(registry):
    assert managers(await registry.create(K.ConfigMap, "ns", config(a="1"))) == []


REFUSED = {
    "another name": (
        {"metadata": {"name": "y"}},
        BadRequest,
        "the name of the object (y) does not match the name on the URL (x)",
    ),
    "an unknown field": (
        {"metadata": {"name": "x"}, "nope": 1},
        BadRequest,
        "failed to create typed patch object (/x; v1, Kind=ConfigMap): .nope: field not declared in schema",
    ),
    "managedFields of its own": (
        {"metadata": {"name": "x", "managedFields": [{"manager": "m"}]}},
        BadRequest,
        "metadata.managedFields must be nil",
    ),
}


@pytest.mark.parametrize("body, error, message", REFUSED.values(), ids=REFUSED)
async def test_an_apply_is_refused_for(registry, body, error, message):
    with pytest.raises(error, match=re.escape(message)):
        await applied(registry, "m1", body)
    assert registry.store.revision == 0


SETS = {
    "a field beside fields inside it": ({("f:a",), ("f:a", "f:b")}, {"f:a": {".": {}, "f:b": {}}}),
    "a field that is only a way": ({("f:a", "f:b")}, {"f:a": {"f:b": {}}}),
    "an item of a list": ({("f:a", 'k:{"name":"c"}')}, {"f:a": {'k:{"name":"c"}': {}}}),
}


@pytest.mark.parametrize("fields, tree", SETS.values(), ids=SETS)
def test_a_set_of_fields_is_written_and_read_back(fields, tree):
    assert fieldsets.encode(frozenset(fields)) == tree
    assert set(fieldsets.decode(tree)) == fields


def test_a_path_is_shown_as_messages_show_it():
    path = ("f:spec", "f:ports", 'k:{"containerPort":80,"protocol":"TCP"}', "f:x", 'v:"y"')
    assert fieldsets.text(path) == '.spec.ports[containerPort=80,protocol="TCP"].x[="y"]'


ILL_TYPED = {"metadata is a string": {"metadata": "x"}, "metadata is a list": {"metadata": ["x"]}}


@pytest.mark.parametrize("body", ILL_TYPED.values(), ids=ILL_TYPED)
async def test_a_configuration_of_wrong_types_is_a_bad_request(registry, body):
    with pytest.raises(BadRequest, match="json: cannot unmarshal"):
        await applied(registry, "m1", body)


async def test_a_configuration_may_leave_its_name_to_the_url(registry):
    entry = await applied(registry, "m1", {"metadata": None, "data": {"a": "1"}})
    assert (entry.name, entry.object().data) == ("x", {"a": "1"})
