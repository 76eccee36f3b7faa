"""What the client accepts and sends: media types, the Table and PartialObjectMetadata forms, gzip. Pure."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from knarr.meta.errors import NotAcceptable, UnsupportedMediaType

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
SERVED = {JSON: "json", YAML: "yaml"}
META_VERSIONS = ("v1", "v1beta1")
FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
COMPRESS_FROM = 128 * 1024  #: bytes of an answer from which gzip pays, as upstream decides
KNOWN = f"{JSON}, {YAML}, {PROTOBUF}"


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is to look: `encoding` is json or yaml; `shape` is "", Table or PartialObjectMetadata(List)."""

    encoding: str = "json"
    shape: str = ""
    version: str = "v1"  #: of meta.k8s.io, for a shape
    pretty: bool = False

    @property
    def media_type(self) -> str:
        return YAML if self.encoding == "yaml" else JSON


@dataclass(frozen=True, slots=True)
class Clause:
    """One media range of an Accept header."""

    type: str
    parameters: Mapping[str, str]
    quality: float


def clauses(header: str) -> list[Clause]:
    """The ranges of an Accept header, best first."""
    found = []
    for text in header.split(","):
        kind, *parameters = (part.strip() for part in text.split(";"))
        if not kind:
            continue
        pairs = dict(_pair(parameter) for parameter in parameters)
        found.append(Clause(kind.lower(), pairs, _quality(pairs.pop("q", "1"))))
    return sorted(found, key=lambda clause: -clause.quality)


def _pair(parameter: str) -> tuple[str, str]:
    key, _, value = parameter.partition("=")
    return key.strip().lower(), value.strip().strip('"')


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def form(headers: Mapping[str, str], *, pretty: bool = False, shapes: bool = True) -> Form:
    """Choose how to answer; raise NotAcceptable when the client takes nothing that is served.

    A client that asks for protobuf and takes JSON too gets JSON.
    """
    header = headers.get("accept", "")
    if not header:
        return Form(pretty=pretty)
    for clause in clauses(header):
        encoding = SERVED.get(clause.type) or ("json" if clause.type in ("*/*", "application/*") else "")
        if not encoding:
            continue
        shape = clause.parameters.get("as", "")
        if not shape:
            return Form(encoding, pretty=pretty)
        version = clause.parameters.get("v", "")
        meta = clause.parameters.get("g", "") == "meta.k8s.io" and version in META_VERSIONS
        if shapes and meta and shape in FORMS:
            return Form(encoding, shape, version, pretty)
    raise NotAcceptable(f"only the following media types are accepted: {KNOWN}")


def body_type(headers: Mapping[str, str]) -> str:
    """The encoding of a request's body: json, yaml or protobuf; raise UnsupportedMediaType for others."""
    kind = media_type(headers)
    if kind in ("", JSON):
        return "json"
    if kind in (YAML, PROTOBUF):
        return "yaml" if kind == YAML else "protobuf"
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: {KNOWN}"
    )


def media_type(headers: Mapping[str, str]) -> str:
    """The bare media type of a request's body."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def encode(tree: Any, wanted: Form) -> bytes:
    """An object in the form asked for; JSON that is given as bytes passes through."""
    raw = tree if isinstance(tree, bytes) else msgspec.json.encode(tree)
    if wanted.encoding == "yaml":
        import yaml

        text: str = yaml.safe_dump(msgspec.json.decode(raw), default_flow_style=False, sort_keys=True)
        return text.encode()
    if wanted.pretty:
        return msgspec.json.format(raw, indent=2)
    return raw + b"\n"


def compressed(body: bytes, request_headers: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
    """The body, gzipped when it is large and the client takes that; and the headers that say so."""
    if len(body) < COMPRESS_FROM or "gzip" not in request_headers.get("accept-encoding", ""):
        return body, {}
    return gzip.compress(body, compresslevel=1, mtime=0), {"content-encoding": "gzip", "vary": "accept-encoding"}
