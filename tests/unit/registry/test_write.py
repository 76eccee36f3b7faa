"""Create, update and patch: what the registry sets, keeps, refuses and leaves alone."""

import asyncio
import re

import pytest

from knarr.meta.errors import AlreadyExists, BadRequest, Conflict, Invalid, NotFound
from knarr.registry.registry import Options
from tests.unit.registry.conftest import K, a_config, a_pod

MODIFIED = (
    'Operation cannot be fulfilled on configmaps "x": the object has been modified; '
    "please apply your changes to the latest version and try again"
)


async def test_a_new_object_gets_its_identity(registry):
    entry = await registry.create(K.Pod, "ns", a_pod(uid="mine", creationTimestamp="2000-01-01T00:00:00Z"))
    metadata = entry.tree()["metadata"]
    assert re.fullmatch(r"[0-9a-f-]{36}", metadata["uid"])
    assert metadata["creationTimestamp"] > "2020"
    assert (metadata["namespace"], metadata["generation"]) == ("ns", 1)
    assert metadata["resourceVersion"] == str(entry.revision) == str(registry.store.revision)
    assert entry.raw.startswith(b'{"apiVersion":"v1","kind":"Pod","metadata":{"resourceVersion":"')


async def test_the_store_holds_no_resource_version(registry):
    await registry.create(K.ConfigMap, "ns", a_config())
    record = await registry.store.get("/registry/core/configmaps/ns/x")
    assert b"resourceVersion" not in record.value


async def test_a_generated_name_has_the_prefix_and_five_more_letters(registry):
    entry = await registry.create(K.ConfigMap, "ns", {"metadata": {"generateName": "a" * 100}})
    assert re.fullmatch("a{58}[bcdfghjklmnpqrstvwxz2456789]{5}", entry.name)


async def test_a_generated_name_that_is_taken_is_drawn_again(registry, monkeypatch):
    drawn = iter(["aaaaa", "aaaaa", "bbbbb"])
    monkeypatch.setattr("knarr.meta.clock.suffix", lambda length: next(drawn))
    names = [(await registry.create(K.ConfigMap, "ns", {"metadata": {"generateName": "g-"}})).name for _ in range(2)]
    assert names == ["g-aaaaa", "g-bbbbb"]


async def test_what_exists_is_not_created_again(registry):
    await registry.create(K.ConfigMap, "ns", a_config())
    with pytest.raises(AlreadyExists, match='configmaps "x" already exists'):
        await registry.create(K.ConfigMap, "ns", a_config())
    answers = await asyncio.gather(
        *(registry.create(K.ConfigMap, "ns", a_config("y")) for _ in range(5)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["AlreadyExists"] * 4 + ["Entry"]


REFUSED = {
    "another namespace than the request's": (
        a_config(namespace="other"),
        BadRequest,
        "the namespace of the provided object does not match the namespace sent on the request",
    ),
    "a resourceVersion": (
        a_config(resourceVersion="1"),
        BadRequest,
        "resourceVersion should not be set on objects to be created",
    ),
    "no name": ({"metadata": {}}, Invalid, 'ConfigMap "" is invalid: metadata.name: Required value: name or '),
    "a bad label": (a_config(labels={"a b": "c"}), Invalid, 'metadata.labels: Invalid value: "a b"'),
}


@pytest.mark.parametrize("body, error, message", REFUSED.values(), ids=REFUSED)
async def test_a_create_is_refused_for(registry, body, error, message):
    with pytest.raises(error, match=re.escape(message)):
        await registry.create(K.ConfigMap, "ns", body)
    assert registry.store.revision == 0


async def test_unknown_fields_are_refused_told_or_dropped(registry):
    def body():
        return {"metadata": {"name": "x", "lables": {}}, "datta": 1}

    strict = 'strict decoding error: duplicate field "data.a", unknown field "metadata.lables", unknown field "datta"'
    with pytest.raises(BadRequest, match=re.escape(strict)):
        await registry.create(
            K.ConfigMap,
            "ns",
            body(),
            Options(field_validation="Strict", duplicates=['duplicate field "data.a"'], dry_run=True),
        )
    for validation, warnings in (("Ignore", []), ("", ['unknown field "metadata.lables"', 'unknown field "datta"'])):
        options = Options(field_validation=validation, dry_run=True)
        entry = await registry.create(K.ConfigMap, "ns", body(), options)
        assert options.warnings == warnings
        assert "datta" not in entry.tree()


async def test_a_dry_run_writes_nothing(registry):
    entry = await registry.create(K.ConfigMap, "ns", a_config(), Options(dry_run=True))
    assert "resourceVersion" not in entry.tree()["metadata"]
    old = await registry.create(K.ConfigMap, "ns", a_config())
    options = Options(dry_run=True)
    new = await registry.patch(K.ConfigMap, "ns", "x", "merge", {"data": {"b": "2"}}, options)
    assert (new.revision, new.object().data) == (old.revision, {"a": "1", "b": "2"})
    await registry.delete(K.ConfigMap, "ns", "x", None, options)
    assert (await registry.get(K.ConfigMap, "ns", "x")).raw == old.raw
    assert registry.store.revision == old.revision


async def test_admission_sees_a_defaulted_object_and_may_change_it(registry):
    seen = []

    async def admit(new, old):
        seen.append((new["spec"]["restartPolicy"], old and old["metadata"]["name"]))
        new["spec"]["nodeSelector"] = {"a": "b"}

    entry = await registry.create(K.Pod, "ns", a_pod(), Options(admit=admit))
    assert entry.object().spec.nodeSelector == {"a": "b"}
    await registry.patch(K.Pod, "ns", "x", "merge", {"metadata": {"labels": {"c": "d"}}}, Options(admit=admit))
    assert seen == [("Always", None), ("Always", "x")]


async def test_an_update_keeps_what_is_not_the_clients_to_change(registry):
    old = (await registry.create(K.ConfigMap, "ns", a_config())).tree()
    body = a_config(creationTimestamp="2000-01-01T00:00:00Z", deletionTimestamp="2000-01-01T00:00:00Z", generation=7)
    body["data"] = {"b": "2"}
    new = (await registry.update(K.ConfigMap, "ns", "x", body)).tree()
    assert new["data"] == {"b": "2"}
    assert {**new["metadata"], "resourceVersion": ""} == {**old["metadata"], "resourceVersion": ""}


async def test_a_patch_leaves_what_it_does_not_touch_as_and_where_it_stands(registry):
    old = (await registry.create(K.Pod, "ns", a_pod())).tree()
    change = {"metadata": {"labels": {"c": "d"}}, "status": {"phase": "Running", "colour": "red", "reason": ""}}
    options = Options()
    new = (await registry.patch(K.Pod, "ns", "x", "strategic", change, options, subresource="status")).tree()
    assert list(new) == list(old)
    assert (new["spec"], new["status"]) == (old["spec"], old["status"] | {"phase": "Running"})
    assert options.warnings == ['unknown field "status.colour"']


async def test_an_update_that_changes_nothing_writes_nothing(registry):
    entry = await registry.create(K.ConfigMap, "ns", a_config())
    again = await registry.update(K.ConfigMap, "ns", "x", entry.tree())
    assert again.raw == entry.raw
    assert registry.store.revision == entry.revision


STALE = {
    "an older resourceVersion": ({"resourceVersion": "1"}, Conflict, MODIFIED),
    "no number as resourceVersion": (
        {"resourceVersion": "x"},
        BadRequest,
        'strconv.ParseUint: parsing "x": invalid syntax',
    ),
    "another uid": ({"uid": "u"}, Conflict, "Precondition failed: UID in precondition: u, UID in object meta: "),
    "no name": (
        {"name": ""},
        BadRequest,
        "the name of the object (x based on URL) was undeterminable: name must be provided",
    ),
    "another name": (
        {"name": "z"},
        BadRequest,
        "the name of the object (z) does not match the name on the URL (x)",
    ),
}


@pytest.mark.parametrize("metadata, error, message", STALE.values(), ids=STALE)
async def test_an_update_is_refused_for(registry, metadata, error, message):
    await registry.create(K.ConfigMap, "ns", a_config())
    await registry.update(K.ConfigMap, "ns", "x", a_config(labels={"a": "b"}))
    with pytest.raises(error, match=re.escape(message)):
        await registry.update(K.ConfigMap, "ns", "x", {"metadata": {"name": "x", **metadata}})


async def test_an_update_of_what_is_missing_creates_nothing(registry):
    with pytest.raises(NotFound, match='configmaps "x" not found'):
        await registry.update(K.ConfigMap, "ns", "x", a_config())


async def test_unpinned_changes_at_the_same_time_all_succeed(registry):
    await registry.create(K.ConfigMap, "ns", a_config())
    patches = (registry.patch(K.ConfigMap, "ns", "x", "merge", {"data": {str(n): "1"}}) for n in range(5))
    await asyncio.gather(*patches)
    assert (await registry.get(K.ConfigMap, "ns", "x")).object().data.keys() == {"a", *"01234"}


async def test_pinned_changes_at_the_same_time_have_one_winner(registry):
    entry = await registry.create(K.ConfigMap, "ns", a_config())
    bodies = [a_config(resourceVersion=str(entry.revision), labels={"n": str(n)}) for n in range(5)]
    updates = (registry.update(K.ConfigMap, "ns", "x", body) for body in bodies)
    answers = await asyncio.gather(*updates, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict"] * 4 + ["Entry"]
    assert {str(answer) for answer in answers if isinstance(answer, Conflict)} == {MODIFIED}


async def test_who_is_refused_then_finds_what_was_in_the_way(registry):
    async def until_it_works():
        for tries in range(5):
            current = (await registry.get(K.ConfigMap, "ns", "x")).tree()
            try:
                await registry.update(K.ConfigMap, "ns", "x", current | {"data": {"a": "2"}})
            except Conflict:
                continue
            return tries
        return None

    async def create_or_get():
        try:
            return await registry.create(K.ConfigMap, "ns", a_config())
        except AlreadyExists:
            return await registry.get(K.ConfigMap, "ns", "x")

    assert len({entry.uid for entry in await asyncio.gather(create_or_get(), create_or_get())}) == 1
    patches = [registry.patch(K.ConfigMap, "ns", "x", "merge", {"data": {str(n): "1"}}) for n in range(2)]
    *_, tries = await asyncio.gather(*patches, until_it_works())
    assert tries is not None


GENERATIONS = {
    "a new spec is a new generation": ({"spec": {"replicas": 3}}, "", 2),
    "a label is none": ({"metadata": {"labels": {"a": "b"}}}, "", 1),
    "a status is none": ({"status": {"observedGeneration": 1}}, "status", 1),
}


@pytest.mark.parametrize("body, subresource, generation", GENERATIONS.values(), ids=GENERATIONS)
async def test_generation(registry, body, subresource, generation):
    await registry.create(K.ReplicationController, "ns", a_controller())
    patched = await registry.patch(K.ReplicationController, "ns", "x", "merge", body, subresource=subresource)
    assert patched.tree()["metadata"]["generation"] == generation


def a_controller():
    template = {"metadata": {"labels": {"app": "x"}}, "spec": a_pod()["spec"]}
    return {"metadata": {"name": "x"}, "spec": {"selector": {"app": "x"}, "template": template}}


async def test_a_status_is_written_alone_and_an_update_leaves_it(registry):
    await registry.create(K.Pod, "ns", a_pod())
    body = {"spec": {"nodeName": "n"}, "status": {"phase": "Running"}, "metadata": {"finalizers": ["a.b/c"]}}
    changed = await registry.patch(K.Pod, "ns", "x", "merge", body, subresource="status")
    assert (changed.object().status.phase, changed.object().spec.nodeName) == ("Running", "")
    assert changed.object().metadata.finalizers == []
    body = {"status": {"phase": "Failed"}, "metadata": {"labels": {"a": "b"}}}
    changed = await registry.patch(K.Pod, "ns", "x", "merge", body)
    assert (changed.object().status.phase, changed.labels) == ("Running", {"a": "b"})


PATCHES = {
    "a JSON patch": ("json", [{"op": "replace", "path": "/spec/replicas", "value": 4}]),
    "a merge patch": ("merge", {"spec": {"replicas": 4}}),
    "a strategic merge patch": (
        "strategic",
        {"spec": {"replicas": 4, "template": {"spec": {"containers": [{"name": "c"}]}}}},
    ),
}


@pytest.mark.parametrize("form, body", PATCHES.values(), ids=PATCHES)
async def test_patch(registry, form, body):
    before = await registry.create(K.ReplicationController, "ns", a_controller())
    after = await registry.patch(K.ReplicationController, "ns", "x", form, body)
    assert after.object().spec.replicas == 4
    assert after.object().spec.template == before.object().spec.template


async def test_a_patch_tells_of_unknown_fields(registry):
    await registry.create(K.ConfigMap, "ns", a_config())
    options = Options()
    await registry.patch(K.ConfigMap, "ns", "x", "merge", {"datta": 1}, options)
    assert options.warnings == ['unknown field "datta"']


DEPRECATED = {"beta.kubernetes.io/os": "linux"}  #: a node selector that a client is warned of


async def test_who_changes_a_pod_is_not_warned(registry):
    created, patched = Options(), Options()
    await registry.create(K.Pod, "ns", a_pod() | {"spec": a_pod()["spec"] | {"nodeSelector": DEPRECATED}}, created)
    for subresource in ("", "status"):
        patch = {"metadata": {"annotations": {"a": subresource or "main"}}}
        await registry.patch(K.Pod, "ns", "x", "merge", patch, patched, subresource=subresource)
    assert (len(created.warnings), patched.warnings) == (1, [])


async def test_who_changes_a_template_is_warned_of_it_and_who_changes_the_rest_is_not(registry):
    await registry.create(K.ReplicationController, "ns", a_controller())
    template = {"spec": {"template": {"spec": {"nodeSelector": DEPRECATED}}}}
    told = []
    for patch, subresource in (
        (template, ""),
        ({"metadata": {"labels": {"a": "b"}}}, ""),
        ({"status": {"replicas": 1}}, "status"),
        ({"spec": {"replicas": 7}}, ""),
    ):
        options = Options()
        await registry.patch(K.ReplicationController, "ns", "x", "merge", patch, options, subresource=subresource)
        told.append(len(options.warnings))
    assert told == [1, 0, 0, 1]


async def test_patches_of_a_scale_at_the_same_time_all_arrive(registry):
    await registry.create(K.ReplicationController, "ns", a_controller())
    await asyncio.gather(
        *(
            registry.patch_scale(K.ReplicationController, "ns", "x", "merge", {"spec": {"replicas": number}})
            for number in range(2, 6)
        )
    )
    controller = (await registry.get(K.ReplicationController, "ns", "x")).tree()
    assert controller["metadata"]["generation"] == 5


async def test_scale_is_read_and_written_as_a_scale(registry):
    await registry.create(K.ReplicationController, "ns", a_controller())
    scale = (await registry.get_scale(K.ReplicationController, "ns", "x")).tree()
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 1})
    scale["spec"]["replicas"] = 3
    scaled = await registry.update_scale(K.ReplicationController, "ns", "x", scale)
    assert scaled.tree()["spec"] == {"replicas": 3}
    assert (await registry.get(K.ReplicationController, "ns", "x")).object().spec.replicas == 3
    with pytest.raises(Conflict):
        await registry.update_scale(K.ReplicationController, "ns", "x", scale)
    scaled = await registry.patch_scale(K.ReplicationController, "ns", "x", "merge", {"spec": {"replicas": 2}})
    assert scaled.revision == registry.store.revision
    message = 'Scale.autoscaling "x" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    with pytest.raises(Invalid, match=re.escape(message)):
        await registry.patch_scale(K.ReplicationController, "ns", "x", "merge", {"spec": {"replicas": -1}})


async def test_a_binding_gives_a_pod_its_node_once(registry):
    await registry.create(K.Pod, "ns", a_pod())
    bound = (await registry.bind(K.Pod, "ns", "x", {"target": {"kind": "Node", "name": "n1"}})).object()
    assert (bound.spec.nodeName, bound.metadata.generation) == ("n1", 1)
    assert [(c.type, c.status) for c in bound.status.conditions] == [("PodScheduled", "True")]
    message = 'Operation cannot be fulfilled on pods/binding "x": pod x is already assigned to node "n1"'
    with pytest.raises(Conflict, match=re.escape(message)):
        await registry.bind(K.Pod, "ns", "x", {"target": {"name": "n2"}})
    with pytest.raises(BadRequest, match=r"target\.name: Required value"):
        await registry.bind(K.Pod, "ns", "x", {"target": {}})


async def test_who_stops_a_registry_can_be_stopped_meanwhile(registry):
    stopping = asyncio.create_task(registry.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
