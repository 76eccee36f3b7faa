"""Objects in short: what is left of them when only their metadata is asked for."""

import msgspec
import pytest

from knarr.server.tables import partial

COUNTER = "deprecated.daemonset.template.generation"
SHORT = {
    "the spec goes": ({"name": "x"}, {"name": "x"}),
    "a daemon set's old counter goes": ({"name": "x", "annotations": {COUNTER: "1"}}, {"name": "x"}),
    "other annotations stay": (
        {"name": "x", "annotations": {COUNTER: "1", "a": "b"}},
        {"name": "x", "annotations": {"a": "b"}},
    ),
    "who set the counter is still told": (
        {"name": "x", "managedFields": [{"fieldsV1": {f"f:{COUNTER}": {}}}]},
        {"name": "x", "managedFields": [{"fieldsV1": {f"f:{COUNTER}": {}}}]},
    ),
}


@pytest.mark.parametrize("metadata, left", SHORT.values(), ids=SHORT)
def test_partial(metadata, left):
    raw = msgspec.json.encode({"kind": "X", "metadata": metadata, "spec": {"a": 1}})
    assert msgspec.json.decode(partial(raw)) == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": left,
    }
