"""JSONPath as columns of custom resources use it."""

import pytest

from knarr.kinds import jsonpath

TREE = {
    "spec": {"n": 3, "list": [{"name": "a", "v": 1}, {"name": "b", "v": 2}], "a.b": "dotted"},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}

FOUND = {
    ".spec.n": [3],
    "{.spec.n}": [3],
    ".spec.none": [],
    ".spec.list[0].name": ["a"],
    ".spec.list[-1].name": ["b"],
    ".spec.list[*].v": [1, 2],
    ".spec.list[0:1].v": [1],
    '.status.conditions[?(@.type=="Ready")].status': ["True"],
    ".spec.list[?(@.v > 1)].name": ["b"],
    ".spec['a.b']": ["dotted"],
    r".spec.a\.b": ["dotted"],
    "..type": ["Ready"],
}


@pytest.mark.parametrize("path", FOUND)
def test_found(path):
    assert jsonpath.find(TREE, path) == FOUND[path]


@pytest.mark.parametrize("path", ["spec", ".spec[", ".spec[x]", ".spec.{"])
def test_malformed(path):
    with pytest.raises(jsonpath.Malformed):
        jsonpath.parse(path)
