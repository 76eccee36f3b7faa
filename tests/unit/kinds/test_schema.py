"""Trees are checked and brought into upstream's form: types, unknown fields, nulls, zero values, quantities, times."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knarr.kinds import schema
from knarr.kinds.table import BUILTIN
from knarr.meta.errors import ApiError

POD = "core_v1.Pod"


def pod(**spec):
    return {"spec": spec}


def container(**fields):
    return pod(containers=[fields])


MISMATCHES = {
    "text for a port": (
        container(ports=[{"containerPort": "80"}]),
        "json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type "
        "int32",
    ),
    "text for a list": (
        container(ports="x"),
        "json: cannot unmarshal string into Go struct field Container.spec.containers.ports of type []v1.ContainerPort",
    ),
    "a list for an object": (
        {"spec": []},
        "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec",
    ),
    "a fraction for a number": (
        pod(priority=1.5),
        "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32",
    ),
    "a number that is too big": (
        pod(priority=2**31),
        "json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32",
    ),
    "text for a truth": (
        pod(hostNetwork="yes"),
        "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool",
    ),
    "a number for a label": (
        {"metadata": {"labels": {"a": 1}}},
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
    ),
    "a quantity that is none": (
        container(resources={"limits": {"cpu": "x"}}),
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ),
    "a time that is none": (
        {"metadata": {"creationTimestamp": "soon"}},
        'parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"',
    ),
}

NORMAL = {
    "nulls go": (pod(nodeName=None, containers=[]), {}),
    "zero values of plain fields go": (pod(hostNetwork=False, hostname=""), {}),
    "zero values of pointers stay": (
        pod(priority=0, enableServiceLinks=False),
        {"priority": 0, "enableServiceLinks": False},
    ),
    "required fields are filled in": (container(), {"containers": [{"name": "", "resources": {}}]}),
    "quantities become canonical": (
        container(name="c", resources={"limits": {"cpu": 0.5, "memory": "1024Mi"}}),
        {"containers": [{"name": "c", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}]},
    ),
    "a port of a probe is a number or a name": (
        container(name="c", livenessProbe={"tcpSocket": {"port": "http"}}),
        {"containers": [{"name": "c", "resources": {}, "livenessProbe": {"tcpSocket": {"port": "http"}}}]},
    ),
    "empty objects behind pointers stay": (pod(securityContext={}), {"securityContext": {}}),
}


@pytest.mark.parametrize("tree, detail", MISMATCHES.values(), ids=MISMATCHES)
def test_wrong_types_are_reported_as_gos_decoder_reports_them(tree, detail):
    with pytest.raises(schema.Undecodable) as caught:
        schema.normalise(tree, POD)
    assert caught.value.detail == detail
    assert caught.value.message == f'Pod in version "v1" cannot be handled as a Pod: {detail}'


@pytest.mark.parametrize("tree, spec", NORMAL.values(), ids=NORMAL)
def test_normal_form(tree, spec):
    assert schema.normalise(tree, POD).unknown == []
    assert tree["spec"] == spec


def test_unknown_fields_are_named_in_order_and_taken_out():
    tree = {"spec": {"containers": [{"name": "c", "imagee": "x"}], "foo": 1}, "bar": {}}
    assert schema.normalise(tree, POD).unknown == ["spec.containers[0].imagee", "spec.foo", "bar"]
    assert "bar" not in tree
    assert tree["spec"] == {"containers": [{"name": "c", "resources": {}}]}


def test_strict_validation_names_duplicates_and_unknown_fields():
    refusal = schema.strict({"kind": "Pod", "apiVersion": "v1"}, POD, ["spec.foo"], ['duplicate field "metadata.name"'])
    assert refusal.message == (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: duplicate field "metadata.name", '
        'unknown field "spec.foo"'
    )


def test_times_are_in_utc_and_whole_seconds():
    tree = {"metadata": {"creationTimestamp": "2026-01-01T12:00:00.5+02:00"}}
    schema.normalise(tree, POD)
    assert tree["metadata"]["creationTimestamp"] == "2026-01-01T10:00:00Z"


def test_secrets_are_base64():
    with pytest.raises(schema.Undecodable) as caught:
        schema.normalise({"data": {"a": "***"}}, "core_v1.Secret")
    assert caught.value.detail == "illegal base64 data at input byte 0"


def test_every_kind_has_a_schema_and_an_empty_object_is_no_surprise():
    for kind in BUILTIN.all():
        assert schema.normalise({}, schema.type_name(kind.type)).unknown == []


NAMES = st.sampled_from(
    (
        *("metadata", "spec", "status", "name", "labels", "containers", "image", "ports", "containerPort", "resources"),
        *(
            "limits",
            "cpu",
            "template",
            "selector",
            "matchLabels",
            "replicas",
            "volumes",
            "emptyDir",
            "data",
            "nonsense",
        ),
    )
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=4)
TREES = st.dictionaries(
    NAMES,
    st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES, v, max_size=4), max_leaves=20),
    max_size=4,
)


@settings(max_examples=300)
@given(st.sampled_from([schema.type_name(kind.type) for kind in BUILTIN.all()]), TREES)
def test_any_tree_is_normal_afterwards_or_refused(name, tree):
    try:
        schema.normalise(tree, name)
    except ApiError as error:
        assert error.code == 400
        return
    before = json.dumps(tree, sort_keys=True)
    assert schema.normalise(tree, name).unknown == []
    assert json.dumps(tree, sort_keys=True) == before
