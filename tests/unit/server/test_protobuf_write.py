"""Objects in protobuf: every kind with every numbered field, there and back, and as another codec reads them."""

import base64
import json
import random
import struct
from pathlib import Path

import msgspec
import pytest
from google.protobuf import unknown_fields
from hypothesis import given, settings
from hypothesis import strategies as st

from knarr.kinds import schema
from knarr.kinds.wire_shape import drops_zero
from knarr.server.protobuf import answers, read, shapes
from tests.unit.server import independent_codec

UNKNOWN = "k8s.io.apimachinery.pkg.runtime.Unknown"
META = "k8s.io.apimachinery.pkg.apis.meta.v1."
KINDS = {type_: (version, kind, type_) for (version, kind), type_ in shapes.kinds().items()}
SAMPLES = {
    "str": ["a", "", "ü€𐍈", "x" * 200],
    "int": [1, 0, -1, 127, 128, 2**31 - 1, -(2**31)],
    "bool": [True, False],
    "Time": ["2026-01-02T03:04:05Z", "1969-12-31T23:59:59Z"],
    "MicroTime": ["2026-01-02T03:04:05.000006Z"],
    "Quantity": ["500m", "1Gi", "0"],
    "IntOrString": [80, "http", 0],
    "Object": [{"f:spec": {"f:x": {}}}, {}],
}


def tree_of(type_, rng, share):
    """A tree that holds this share of a type's numbered fields; 1 takes them all, and the first sample of each."""
    struct_name = type_.rpartition(".")[2]
    out = {}
    for field in shapes.fields(type_):
        if share < 1 and rng.random() > share:
            continue
        value = value_of(field.type, field.format, rng, share)
        optional = not schema.types()[type_]["fields"][field.name].get("required")
        if value in ("", 0, [], {}, False) and optional and drops_zero(struct_name, field.name, field.type):
            continue
        out[field.name] = value
    return out


def value_of(type_, form, rng, share):
    if type_.startswith("[]"):
        return [value_of(type_[2:], form, rng, share) for _ in range(1 if share == 1 else rng.randint(1, 3))]
    if type_.startswith("{}"):
        return {f"k{n}": value_of(type_[2:], form, rng, share) for n in range(1 if share == 1 else rng.randint(1, 3))}
    if type_ not in SAMPLES:
        return tree_of(type_, rng, share)
    value = SAMPLES[type_][0] if share == 1 else rng.choice(SAMPLES[type_])
    return base64.b64encode(value.encode()).decode() if form == "byte" else value


def check(version, kind, type_, tree):
    tree = {"apiVersion": version, "kind": kind, **tree}
    schema.normalise(tree, type_)
    body = answers.encode(msgspec.json.encode(tree))
    again = read.read(body, kind)
    schema.normalise(again, type_)
    assert again == tree
    envelope = independent_codec.message(UNKNOWN, body[4:])
    assert (body[:4], envelope.typeMeta.apiVersion, envelope.typeMeta.kind) == (b"k8s\0", version, kind)
    name = independent_codec.name_of(type_)
    parsed = independent_codec.message(name, envelope.raw)
    assert not list(unknown(parsed, name))
    third = read.message(parsed.SerializeToString(), type_) | {"apiVersion": version, "kind": kind}
    schema.normalise(third, type_)
    assert third == tree


def unknown(message, where):
    """What the other codec doesn't know."""
    for field in unknown_fields.UnknownFieldSet(message):
        yield where, field.field_number
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if descriptor.message_type.GetOptions().map_entry:
            values = [v for v in value.values() if hasattr(v, "ListFields")]
        else:
            values = value if descriptor.is_repeated else [value]
        for each in values:
            yield from unknown(each, f"{where}.{descriptor.name}")


@pytest.mark.parametrize(("version", "kind", "type_"), KINDS.values(), ids=KINDS)
def test_every_numbered_field_comes_back(version, kind, type_):
    check(version, kind, type_, tree_of(type_, random.Random(1), 1))


@pytest.mark.parametrize(("version", "kind", "type_"), KINDS.values(), ids=KINDS)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.1, 0.3, 0.6]))
def test_any_object_comes_back(version, kind, type_, seed, share):
    check(version, kind, type_, tree_of(type_, random.Random(seed), share))


CONFIG = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x"}, "data": {"a": "b"}}


def test_a_list_has_its_metadata_and_its_items():
    items = b",".join(msgspec.json.encode({"metadata": {"name": name}}) for name in ("a", "b"))
    metadata = b'{"resourceVersion":"7","continue":"c","remainingItemCount":3}'
    body = answers.encode(b'{"kind":"ConfigMapList","apiVersion":"v1","metadata":%b,"items":[%b]}' % (metadata, items))
    envelope = independent_codec.message(UNKNOWN, body[4:])
    found = independent_codec.message("k8s.io.api.core.v1.ConfigMapList", envelope.raw)
    assert envelope.typeMeta.kind == "ConfigMapList"
    assert [item.metadata.name for item in found.items] == ["a", "b"]
    listed = found.metadata
    assert (listed.resourceVersion, getattr(listed, "continue"), listed.remainingItemCount) == ("7", "c", 3)


def test_an_item_is_written_once_for_all_lists(monkeypatch):
    written = []

    def count(tree):
        written.append(tree)
        return b""

    monkeypatch.setattr(answers, "_writer", lambda version, kind: None if kind.endswith("List") else count)
    for _ in range(2):
        answers.encode(b'{"kind":"ConfigMapList","apiVersion":"v1","items":[{"metadata":{"name":"once"}}]}')
    assert written == [{"metadata": {"name": "once"}}]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_list_of_metadata_has_the_numbers_of_its_version(version):
    item = {"metadata": {"name": "a"}}
    tree = {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": {},
        "items": [item],
    }
    envelope = independent_codec.message(UNKNOWN, answers.encode(msgspec.json.encode(tree))[4:])
    name = META.replace("v1.", f"{version}.") + "PartialObjectMetadataList"
    found = independent_codec.message(name, envelope.raw)
    assert [item.metadata.name for item in found.items] == ["a"]


def test_a_watch_event_is_framed_by_its_length_and_holds_a_whole_object():
    frame = answers.event("ADDED", msgspec.json.encode(CONFIG))
    assert struct.unpack(">I", frame[:4])[0] == len(frame) - 4
    event = independent_codec.message(META + "WatchEvent", frame[4:])
    assert event.type == "ADDED"
    assert read.read(event.object.raw, "ConfigMap") == CONFIG


def test_verbs_of_discovery_are_a_message_of_their_own():
    resource = {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get", "list"]}
    tree = {"kind": "APIResourceList", "groupVersion": "v1", "resources": [resource]}
    envelope = independent_codec.message(UNKNOWN, answers.encode(msgspec.json.encode(tree))[4:])
    found = independent_codec.message(META + "APIResourceList", envelope.raw)
    assert envelope.typeMeta.apiVersion == "v1"
    assert list(found.resources[0].verbs.items) == ["get", "list"]


def test_the_numbers_are_those_of_the_table():
    """What the generator left out is in no message of the table either."""
    table = json.loads((Path(__file__).resolve().parents[3] / "tools/protobuf-fields.json").read_text())["messages"]
    for type_, entry in schema.types().items():
        if not entry.get("message") or (message := independent_codec.name_of(type_)) not in table:
            continue
        names = {field[1].lower() for field in table[message]}
        left_out = {name.lower() for name, field in entry["fields"].items() if "number" not in field}
        assert not (names & left_out), type_
