"""Which form an answer takes, and how bodies are told apart."""

import gzip

import pytest

from knarr.meta.errors import NotAcceptable, NotFound, UnsupportedMediaType
from knarr.server import negotiation, status
from knarr.server.discovery import wants_aggregated
from knarr.server.negotiation import Form

PROTOBUF = "application/vnd.kubernetes.protobuf"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
FORMS = {
    "nothing said is JSON": ("", Form()),
    "anything is JSON": ("*/*", Form()),
    "a table where it is asked for first": (f"{TABLE},application/json", Form(shape="Table")),
    "an old table version": (
        "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
        Form(shape="Table", version="v1beta1"),
    ),
    "an unknown shape falls through": ("application/json;as=Chair;v=v1;g=meta.k8s.io,application/yaml", Form("yaml")),
    "protobuf where it comes first": ("application/vnd.kubernetes.protobuf,application/json", Form("protobuf")),
    "anything after protobuf": ("application/vnd.kubernetes.protobuf, */*", Form("protobuf")),
    "what is named goes before what is not": ("*/*,application/yaml", Form("yaml")),
    "a table is no protobuf": (f"{PROTOBUF};as=Table;v=v1;g=meta.k8s.io,application/json", Form()),
    "metadata in protobuf": (
        f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
        Form("protobuf", "PartialObjectMetadata"),
    ),
    "pretty by parameter": ("application/json;pretty=1", Form(pretty=True)),
    "a stream's type": (f"{PROTOBUF};stream=watch", Form("protobuf")),
    "an unknown stream falls through": (f"{PROTOBUF};stream=tar,application/json", Form()),
    "quality decides": ("application/json;q=0.5,application/yaml", Form("yaml")),
    "metadata only": (
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
        Form(shape="PartialObjectMetadata"),
    ),
}


@pytest.mark.parametrize(("accept", "wanted"), FORMS.values(), ids=FORMS)
def test_form(accept, wanted):
    assert negotiation.form({"accept": accept}) == wanted


REFUSED = {
    "a web page": ({"accept": "text/html"}, {}, "application/json, application/yaml, " + PROTOBUF),
    "an unknown shape": (
        {"accept": "application/json;as=Chair"},
        {},
        "application/json, application/yaml, " + PROTOBUF,
    ),
    "protobuf of what has none": (
        {"accept": PROTOBUF},
        {"protobuf": lambda: False},
        "application/json, application/yaml",
    ),
    "a watch in YAML": (
        {"accept": "application/yaml"},
        {"watch": True},
        f"application/json;stream=watch, {PROTOBUF};stream=watch",
    ),
    "a watch in protobuf of what has none": (
        {"accept": PROTOBUF},
        {"watch": True, "protobuf": lambda: False},
        "application/json;stream=watch",
    ),
}


@pytest.mark.parametrize(("headers", "asked", "served"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_served_is_refused(headers, asked, served):
    with pytest.raises(NotAcceptable) as raised:
        negotiation.form(headers, **asked)
    assert raised.value.message == f"only the following media types are accepted: {served}"


def test_an_event_of_a_watch_stays_a_line_whoever_reads_it():
    assert negotiation.form({"user-agent": "curl/8.5.0"}, pretty=True, watch=True) == Form()


def test_an_error_is_indented_for_people():
    assert status.response(NotFound("no"), {"user-agent": "curl/8.5.0"}).body.startswith(b'{\n  "kind": "Status",\n')
    assert status.response(NotFound("no"), {}).body.startswith(b'{"kind":"Status",')


BODIES = {
    "nothing said": ("", "json"),
    "JSON": ("application/json; charset=utf-8", "json"),
    "YAML": ("application/yaml", "yaml"),
}


@pytest.mark.parametrize(("header", "wanted"), BODIES.values(), ids=BODIES)
def test_body_type(header, wanted):
    assert negotiation.body_type({"content-type": header}) == wanted


def test_an_unknown_body_type_is_refused():
    with pytest.raises(UnsupportedMediaType, match="the body of the request was in an unknown format"):
        negotiation.body_type({"content-type": "text/plain"})


def test_large_answers_are_compressed_for_those_who_take_it():
    body = b"x" * (negotiation.COMPRESS_FROM + 1)
    packed, headers = negotiation.compressed(body, {"accept-encoding": "gzip"})
    assert gzip.decompress(packed) == body
    assert headers["content-encoding"] == "gzip"
    assert negotiation.compressed(body, {}) == (body, {})
    assert negotiation.compressed(body, {"accept-encoding": "br, gzip;q=0"}) == (body, {})


AGGREGATED = {
    "new clients": (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
        "v2",
    ),
    "clients of 1.27": (
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
        "v2beta1",
    ),
    "older clients": ("application/json, */*", ""),
}


@pytest.mark.parametrize(("accept", "wanted"), AGGREGATED.values(), ids=AGGREGATED)
def test_aggregated_discovery(accept, wanted):
    assert wants_aggregated(accept) == wanted
