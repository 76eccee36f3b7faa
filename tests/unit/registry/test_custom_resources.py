"""The table of kinds follows the definitions of custom resources."""

import asyncio

import pytest

from knarr.kinds.table import BUILTIN
from knarr.meta.errors import BadRequest, Invalid, MethodNotAllowed, NotFound, UnsupportedMediaType
from knarr.registry.core import Options
from knarr.registry.registry import Registry

SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["n"],
            "properties": {
                "n": {"type": "integer", "minimum": 1, "default": 3},
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
                    },
                },
            },
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}


def a_definition(plural="foos", kind="Foo", group="example.com", versions=None, **names):
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}
    version["subresources"] = {"status": {}}
    return {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **names},
            "versions": versions or [version],
        },
    }


def a_foo(name="x", **spec):
    return {"metadata": {"name": name}, "spec": spec}


async def until(condition):
    async with asyncio.timeout(60):
        while not (found := condition()):  # noqa: ASYNC110
            await asyncio.sleep(0)
    return found


@pytest.fixture
def definitions(kinds):
    return kinds.CustomResourceDefinition


@pytest.fixture
async def foos(registry, definitions):
    await registry.create(definitions, "", a_definition())
    return await until(lambda: registry.kinds.by_resource("example.com", "v1", "foos"))


def conditions(registry, definitions, name):
    entry = registry.resource(definitions).get("", name)
    status = entry.tree()["status"] if entry else {}
    return {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions") or ()}


async def test_a_definition_is_established_when_its_kind_is_served(registry, definitions, foos):
    found = await until(lambda: conditions(registry, definitions, "foos.example.com"))
    assert found == {"NamesAccepted": ("True", "NoConflicts"), "Established": ("True", "InitialNamesAccepted")}


async def test_the_table_of_another_registry_stays_as_it_is(foos):
    assert BUILTIN.by_resource("example.com", "v1", "foos") is None


async def test_what_is_left_out_is_defaulted_and_what_is_unknown_is_pruned(registry, foos):
    entry = await registry.create(foos, "ns", a_foo(other=1))
    assert (entry.tree()["spec"], entry.tree()["metadata"]["generation"]) == ({"n": 3}, 1)


async def test_what_breaks_the_schema_is_refused(registry, foos):
    with pytest.raises(Invalid) as refused:
        await registry.create(foos, "ns", a_foo(n=0))
    assert "spec.n: Invalid value: 0: spec.n in body should be greater than or equal to 1" in refused.value.message


async def test_strict_validation_names_what_is_unknown(registry, foos):
    with pytest.raises(BadRequest) as refused:
        await registry.create(foos, "ns", a_foo(other=1), Options(field_validation="Strict"))
    assert 'strict decoding error: unknown field "spec.other"' in refused.value.message


async def test_a_strategic_merge_patch_is_refused(registry, foos):
    await registry.create(foos, "ns", a_foo())
    with pytest.raises(UnsupportedMediaType):
        await registry.patch(foos, "ns", "x", "strategic", {"spec": {"n": 4}})


async def test_the_status_is_written_alone(registry, foos):
    await registry.create(foos, "ns", a_foo(n=4) | {"status": {"ready": True}})
    body = {"spec": {"n": 9}, "status": {"ready": True}}
    entry = await registry.patch(foos, "ns", "x", "merge", body, subresource="status")
    tree = entry.tree()
    assert (tree["spec"]["n"], tree["status"], tree["metadata"]["generation"]) == (4, {"ready": True}, 1)


async def test_appliers_share_a_list_that_is_a_map(registry, foos):
    for manager, port in (("a", 1), ("b", 2)):
        body = a_foo(n=3, ports=[{"name": manager, "port": port}])
        await registry.apply(foos, "ns", "x", body, Options(field_manager=manager))
    entry, _ = await registry.apply(foos, "ns", "x", a_foo(n=3), Options(field_manager="a"))
    assert entry.tree()["spec"]["ports"] == [{"name": "b", "port": 2}]


async def test_a_restarted_registry_has_the_kinds_and_the_objects(registry, foos, store, definitions):
    await registry.create(foos, "ns", a_foo())
    await until(lambda: conditions(registry, definitions, "foos.example.com"))
    other = Registry(store, BUILTIN)
    await other.start()
    try:
        kind = other.kinds.by_resource("example.com", "v1", "foos")
        assert [entry.name for entry in (await other.list(kind, "ns")).entries] == ["x"]
    finally:
        await other.stop()


async def test_a_deleted_definition_takes_its_objects_along(registry, foos, definitions):
    await registry.create(foos, "ns", a_foo())
    await until(lambda: conditions(registry, definitions, "foos.example.com"))
    deleted = await registry.delete(definitions, "", "foos.example.com")
    assert deleted.entry.tree()["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    await until(lambda: registry.kinds.by_resource("example.com", "v1", "foos") is None)
    with pytest.raises(NotFound):
        await registry.get(definitions, "", "foos.example.com")


async def test_a_deleted_definition_waits_for_its_objects_finalizers(registry, foos, definitions):
    held = a_foo() | {"metadata": {"name": "x", "finalizers": ["a.example.com/f"]}}
    await registry.create(foos, "ns", held)
    await until(lambda: conditions(registry, definitions, "foos.example.com"))
    await registry.delete(definitions, "", "foos.example.com")
    await until(lambda: "deletionTimestamp" in registry.find(foos, "ns", "x").tree()["metadata"])
    await until(lambda: registry.kinds.by_resource("example.com", "v1", "foos").custom.terminating)
    with pytest.raises(MethodNotAllowed):
        await registry.create(registry.kinds.by_resource("example.com", "v1", "foos"), "ns", a_foo("y"))
    await registry.patch(foos, "ns", "x", "merge", {"metadata": {"finalizers": []}})
    await until(lambda: registry.kinds.by_resource("example.com", "v1", "foos") is None)


async def test_names_in_use_are_not_accepted_until_they_are_free(registry, definitions, foos):
    await registry.create(definitions, "", a_definition("bars", "Foo", shortNames=["foos"]))
    found = await until(lambda: conditions(registry, definitions, "bars.example.com"))
    assert found["Established"] == ("False", "NotAccepted")
    await registry.delete(definitions, "", "foos.example.com")
    await until(lambda: conditions(registry, definitions, "bars.example.com")["Established"][0] == "True")


async def test_another_version_is_a_view_of_the_stored_one(registry, definitions):
    v1 = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}
    await registry.create(definitions, "", a_definition(versions=[v1, v1 | {"name": "v2", "storage": False}]))
    v2 = await until(lambda: registry.kinds.by_resource("example.com", "v2", "foos"))
    assert v2.view.outward({"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {}})["apiVersion"] == (
        "example.com/v2"
    )


async def test_a_changed_schema_holds_for_what_was_stored(registry, foos, definitions):
    await registry.create(foos, "ns", a_foo())
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"m": {"default": 7, "type": "integer"}}}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    patch = {"spec": {"versions": [version]}}
    await registry.patch(definitions, "", "foos.example.com", "merge", patch)
    await until(lambda: registry.find(foos, "ns", "x").tree()["spec"] == {"m": 7})


RULED = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "x-kubernetes-validations": [
                {"rule": "self.min <= self.max", "messageExpression": "'min ' + string(self.min) + ' is above max'"},
                {"rule": "self.title == oldSelf.title", "message": "the title is fixed", "fieldPath": ".title"},
            ],
            "properties": {"min": {"type": "integer"}, "max": {"type": "integer"}, "title": {"type": "string"}},
        }
    },
}


async def test_expressions_are_asked_of_new_and_changed_objects(registry, definitions):
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": RULED}}
    await registry.create(definitions, "", a_definition(versions=[version]))
    foos = await until(lambda: registry.kinds.by_resource("example.com", "v1", "foos"))
    with pytest.raises(Invalid) as refused:
        await registry.create(foos, "ns", a_foo(min=3, max=2, title="a"))
    assert 'spec: Invalid value: "object": min 3 is above max' in refused.value.message
    await registry.create(foos, "ns", a_foo(min=1, max=2, title="a"))
    with pytest.raises(Invalid) as refused:
        await registry.patch(foos, "ns", "x", "merge", {"spec": {"title": "b"}})
    assert 'spec.title: Invalid value: "object": the title is fixed' in refused.value.message


async def test_expressions_that_cannot_be_compiled_are_refused_with_their_definition(registry, definitions):
    schema = {"type": "object", "x-kubernetes-validations": [{"rule": "self.nope > 1"}]}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    with pytest.raises(Invalid) as refused:
        await registry.create(definitions, "", a_definition(versions=[version]))
    assert "undefined field 'nope'\n | self.nope > 1\n | ....^" in refused.value.message
