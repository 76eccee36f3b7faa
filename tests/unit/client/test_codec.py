import msgspec
import pytest

from knarr.client import codec
from knarr.kinds.types.core_v1 import ConfigMap, Container, Pod, PodSpec
from knarr.kinds.types.meta_v1 import ObjectMeta

DECODED = {
    "a null timestamp reads as absent": (
        b'{"metadata":{"name":"p","creationTimestamp":null}}',
        Pod(metadata=ObjectMeta(name="p")),
    ),
    "a null list reads as empty": (
        b'{"metadata":{"name":"p","finalizers":null,"labels":null}}',
        Pod(metadata=ObjectMeta(name="p")),
    ),
    "a null in the middle of an object reads as absent": (
        b'{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":null}]}}',
        Pod(metadata=ObjectMeta(name="p"), spec=PodSpec(containers=[Container(name="c")])),
    ),
    "a field nobody knows is passed over": (b'{"metadata":{"name":"p"},"novel":1}', Pod(metadata=ObjectMeta(name="p"))),
}


@pytest.mark.parametrize("data, expected", DECODED.values(), ids=DECODED)
def test_decode(data, expected):
    assert codec.decode(Pod, data) == expected


@pytest.mark.parametrize("data", [b"", b"{", b'"text"', b'{"metadata":7}'], ids=["nothing", "half", "text", "a number"])
def test_what_is_no_object_is_refused(data):
    with pytest.raises(msgspec.DecodeError):
        codec.decode(Pod, data)


def test_a_list_of_null_items_is_empty():
    about, items = codec.decode_page(ConfigMap, b'{"metadata":{"resourceVersion":"7"},"items":null}')
    assert (items, about.resourceVersion) == ([], "7")


def test_nulls_in_a_list_and_in_its_items_are_absent_fields():
    body = b'{"metadata":{"resourceVersion":"7","continue":null},"items":[{"metadata":{"creationTimestamp":null}}]}'
    about, items = codec.decode_page(ConfigMap, body)
    assert (items, about.continue_) == ([ConfigMap()], "")


def test_what_is_encoded_decodes_to_the_same():
    made = ConfigMap(metadata=ObjectMeta(name="c", labels={"a": ""}), data={"k": "v"})
    assert codec.decode(ConfigMap, codec.encode(made)) == made
