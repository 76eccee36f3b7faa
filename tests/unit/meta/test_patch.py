"""Merge, JSON and strategic merge patches."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.kinds.patch_schema import patch_schema
from knarr.meta.errors import BadRequest, Invalid, RequestEntityTooLarge
from knarr.meta.patch import json_patch, merge_patch, strategic_merge

POD = patch_schema("core_v1.PodSpec")
META = patch_schema("meta_v1.ObjectMeta")
DEPLOYMENT = patch_schema("apps_v1.DeploymentSpec")

A, B, C = ({"name": n, "image": n} for n in "abc")

STRATEGIC = {
    "an entry is found by its key and merged": (
        POD,
        {"containers": [A, B]},
        {"containers": [{"name": "b", "image": "new"}]},
        {"containers": [A, {"name": "b", "image": "new"}]},
    ),
    "an unknown entry comes first": (POD, {"containers": [A]}, {"containers": [B]}, {"containers": [B, A]}),
    "an unknown entry stands where the patch has it among known ones": (
        POD,
        {"containers": [A, B]},
        {"containers": [B, C]},
        {"containers": [A, B, C]},
    ),
    "an unknown primitive comes first": (
        META,
        {"finalizers": ["a"]},
        {"finalizers": ["b"]},
        {"finalizers": ["b", "a"]},
    ),
    "an entry that is deleted leaves no place behind": (
        POD,
        {"containers": [A, B]},
        {"containers": [C, {"$patch": "delete", "name": "a"}]},
        {"containers": [C, B]},
    ),
    "an entry is deleted": (
        POD,
        {"containers": [A, B]},
        {"containers": [{"$patch": "delete", "name": "a"}]},
        {"containers": [B]},
    ),
    "a whole list is replaced": (
        POD,
        {"containers": [A, B]},
        {"containers": [{"$patch": "replace"}, C]},
        {"containers": [C]},
    ),
    "an object is replaced": (
        DEPLOYMENT,
        {"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}},
        {"strategy": {"$patch": "replace", "type": "Recreate"}},
        {"strategy": {"type": "Recreate"}},
    ),
    "keys that are not retained go": (
        DEPLOYMENT,
        {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
        {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
        {"strategy": {"type": "Recreate"}},
    ),
    "an atomic list is replaced": (
        POD,
        {"tolerations": [{"key": "a"}]},
        {"tolerations": [{"key": "b"}]},
        {"tolerations": [{"key": "b"}]},
    ),
    "primitives are added once": (
        META,
        {"finalizers": ["a", "b"]},
        {"finalizers": ["b", "c"]},
        {"finalizers": ["a", "b", "c"]},
    ),
    "primitives are deleted by value": (
        META,
        {"finalizers": ["a", "b"]},
        {"$deleteFromPrimitiveList/finalizers": ["a"]},
        {"finalizers": ["b"]},
    ),
    "the order of a list is set": (
        POD,
        {"containers": [A, B]},
        {"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}], "containers": [C]},
        {"containers": [C, B, A]},
    ),
    "null removes a field": (POD, {"nodeName": "n", "hostname": "h"}, {"nodeName": None}, {"hostname": "h"}),
}


@pytest.mark.parametrize("schema, target, patch, expected", STRATEGIC.values(), ids=STRATEGIC)
def test_strategic_merge(schema, target, patch, expected):
    before = copy.deepcopy(target)
    assert strategic_merge(target, patch, schema) == expected
    assert target == before


def test_an_entry_without_its_key_is_refused_in_upstreams_words():
    with pytest.raises(BadRequest) as caught:
        strategic_merge({"containers": [A]}, {"containers": [{"image": "x"}]}, POD)
    assert caught.value.message == "map: map[image:x] does not contain declared merge key: name"


def test_a_directive_nobody_knows_is_refused():
    with pytest.raises(BadRequest):
        strategic_merge({}, {"$patch": "explode"}, POD)


def test_retained_keys_must_cover_the_patch():
    with pytest.raises(BadRequest):
        strategic_merge({}, {"$retainKeys": ["a"], "b": 1}, POD)


REFUSED = {
    "a path that is not there": [{"op": "remove", "path": "/spec/nope"}],
    "a test that fails": [{"op": "test", "path": "/spec/replicas", "value": 7}],
    "a parent that is not there": [{"op": "copy", "from": "/metadata/name", "path": "/metadata/annotations/x"}],
    "an operation nobody knows": [{"op": "explode", "path": "/spec"}],
    "an operation that is no object": ["remove"],
    "an operation without a path": [{"op": "remove"}],
}


@pytest.mark.parametrize("operations", REFUSED.values(), ids=REFUSED)
def test_a_json_patch_that_does_not_apply_is_invalid(operations):
    target = {"metadata": {"name": "x"}, "spec": {"replicas": 1}}
    with pytest.raises(Invalid) as caught:
        json_patch(target, operations)
    assert caught.value.message == "the server rejected our request due to an error in our request"


def test_a_json_patch_leaves_its_target_alone():
    target = {"spec": {"replicas": 1}}
    assert json_patch(target, [{"op": "replace", "path": "/spec/replicas", "value": 2}]) == {"spec": {"replicas": 2}}
    assert target == {"spec": {"replicas": 1}}


def test_a_json_patch_has_ten_thousand_operations_at_most():
    add = {"op": "add", "path": "/a", "value": 1}
    with pytest.raises(RequestEntityTooLarge) as caught:
        json_patch({}, [add] * 10001)
    told = "The allowed maximum operations in a JSON patch is 10000, got 10001"
    assert caught.value.message == f"Request entity too large: {told}"


def test_copies_do_not_double_an_object_for_ever():
    doubling = [{"op": "copy", "from": "", "path": f"/copy{n}"} for n in range(40)]
    with pytest.raises(Invalid):
        json_patch({"data": "x" * 1000}, doubling)


def test_a_json_patch_is_a_list():
    with pytest.raises(BadRequest, match=r"cannot unmarshal object into Go value of type jsonpatch\.Patch"):
        json_patch({}, {"spec": 1})


LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.sampled_from("abcd"), VALUE, max_size=4)


def without_nulls(value):
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return value


@given(OBJECT, OBJECT)
def test_merging_twice_is_merging_once(target, patch):
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(OBJECT)
def test_an_empty_target_takes_the_patch_without_its_nulls(patch):
    assert merge_patch({}, patch) == without_nulls(patch)


@given(OBJECT, OBJECT)
def test_without_a_schema_a_strategic_merge_is_a_merge(target, patch):
    before = copy.deepcopy((target, patch))
    assert strategic_merge(target, patch, None).keys() == merge_patch(target, patch).keys()
    assert (target, patch) == before


ENTRIES = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abc"), "image": st.text(max_size=2)}),
    max_size=3,
    unique_by=lambda entry: entry["name"],
)


@given(ENTRIES, ENTRIES)
def test_entries_are_merged_by_name_once(old, new):
    merged = strategic_merge({"containers": old}, {"containers": new}, POD)["containers"]
    assert {e["name"]: e["image"] for e in merged} == {e["name"]: e["image"] for e in [*old, *new]}
    assert len({e["name"] for e in merged}) == len(merged)
