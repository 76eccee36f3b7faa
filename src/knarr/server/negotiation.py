"""What the client accepts and sends: media types, and the bytes of an answer in the form that was chosen. Pure.

The larger answers are worked on in a thread: see `call.Unwritten`.
"""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from knarr.meta.errors import NotAcceptable, UnsupportedMediaType
from knarr.registry.shared import Joined
from knarr.server.protobuf import answers

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
ENCODINGS = {JSON: "json", YAML: "yaml", PROTOBUF: "protobuf"}
MEDIA_TYPES = {encoding: media_type for media_type, encoding in ENCODINGS.items()}
ANY = {"*", "*/*", "application/*"}
PLAIN = ("", JSON, "*/*")  #: what asks for JSON and nothing else
STREAM = ";stream=watch"  #: the parameter of a watch's media type
META_VERSIONS = ("v1", "v1beta1")
FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
COMPRESS_FROM = 128 * 1024  #: bytes of an answer from which gzip pays, as upstream decides
LIGHT = 16 * 1024  #: bytes of JSON that are turned into another form on the event loop, in a few milliseconds
KNOWN = f"{JSON}, {YAML}, {PROTOBUF}"
WATCHED = f"{JSON}{STREAM}, {PROTOBUF}{STREAM}"


PEOPLES = ("curl", "Wget", "Mozilla/5.0")  #: how the user agents begin whose answers people read


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is to look: `encoding` is json, yaml or protobuf; `shape` is "" or one of FORMS."""

    encoding: str = "json"
    shape: str = ""
    version: str = "v1"  #: of meta.k8s.io, for a shape
    pretty: bool = False

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.encoding]


AS_IT_IS, INDENTED = Form(), Form(pretty=True)  #: the forms of who takes JSON


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
    return sorted(found, key=lambda clause: (-clause.quality, clause.type in ANY))


def _pair(parameter: str) -> tuple[str, str]:
    key, _, value = parameter.partition("=")
    return key.strip().lower(), value.strip().strip('"')


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def plain(headers: Mapping[str, str]) -> bool:
    """Whether a client takes JSON and nothing else."""
    return headers.get("accept", "") in PLAIN


def form(
    headers: Mapping[str, str],
    *,
    pretty: bool = False,
    shapes: bool = True,
    protobuf: Callable[[], bool] = lambda: True,
    watch: bool = False,
) -> Form:
    """Choose how to answer; raise NotAcceptable when the client takes nothing that is served.

    `protobuf`: says whether what is asked for has that form; `watch`: whether a stream is asked for,
    which YAML has no form of.
    """
    header, pretty = headers.get("accept", ""), pretty and not watch  # an event is a line
    if header in PLAIN:
        return INDENTED if pretty else AS_IT_IS
    return _chosen(header, pretty, shapes, protobuf(), watch)


@lru_cache(256)
def _chosen(header: str, pretty: bool, shapes: bool, protobuf: bool, watch: bool) -> Form:
    for clause in clauses(header):
        encoding = ENCODINGS.get(clause.type) or ("json" if clause.type in ANY else "")
        if not encoding or (encoding == "protobuf" and not protobuf) or not _streams(clause, encoding):
            continue
        if watch and encoding == "yaml":
            break  # upstream doesn't look further
        wanted = pretty or clause.parameters.get("pretty") == "1"
        shape = clause.parameters.get("as", "")
        if not shape:
            return Form(encoding, pretty=wanted)
        version = clause.parameters.get("v", "")
        meta = clause.parameters.get("g", "") == "meta.k8s.io" and version in META_VERSIONS
        if shapes and meta and shape in FORMS and (shape, encoding) != ("Table", "protobuf"):
            return Form(encoding, shape, version, wanted)
    known = WATCHED if watch else KNOWN
    if not protobuf:
        known = known.replace(f", {PROTOBUF}{STREAM if watch else ''}", "")
    raise NotAcceptable(f"only the following media types are accepted: {known}")


def _streams(clause: Clause, encoding: str) -> bool:
    """Whether a clause names no stream, or the one that there is."""
    stream = clause.parameters.get("stream", "")
    return not stream or (stream == "watch" and encoding != "yaml")


def for_people(headers: Mapping[str, str]) -> bool:
    """Whether a person reads the answer: a browser, curl and wget get JSON indented, as from upstream."""
    return headers.get("user-agent", "").startswith(PEOPLES)


def body_type(headers: Mapping[str, str]) -> str:
    """The encoding of a request's body: json, yaml or protobuf; raise UnsupportedMediaType for others."""
    kind = media_type(headers)
    if encoding := ENCODINGS.get(kind or JSON):
        return encoding
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: {KNOWN}"
    )


def media_type(headers: Mapping[str, str]) -> str:
    """The bare media type of a request's body."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def heavy(raw: bytes, wanted: Form, request_headers: Mapping[str, str]) -> bool:
    """Whether an answer takes so long to write that the event loop had better not wait for it."""
    if wanted.encoding != "json" or wanted.pretty:
        return len(raw) > LIGHT
    return len(raw) >= COMPRESS_FROM and takes_gzip(request_headers) and not (isinstance(raw, Joined) and raw.packed)


def encode(tree: Any, wanted: Form) -> bytes:
    """An object in the form asked for; JSON that is given as bytes passes through."""
    raw = tree if isinstance(tree, bytes) else msgspec.json.encode(tree)
    if wanted.encoding == "protobuf":
        return answers.encode(raw)
    if wanted.encoding == "yaml":
        from knarr.kinds import yaml_text  # PyYAML takes 15 ms to import, and most clients take JSON

        return yaml_text.dump(msgspec.json.decode(raw))
    if wanted.pretty:
        return msgspec.json.format(raw, indent=2)
    return line(raw)


def line(raw: bytes) -> bytes:
    """An answer's JSON with its line's end."""
    return raw if raw.endswith(b"\n") else raw + b"\n"


def compressed(body: bytes, request_headers: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
    """The body, gzipped when it is large and the client takes that; and the headers that say so."""
    if len(body) < COMPRESS_FROM or not takes_gzip(request_headers):
        return body, {}
    packed = body.packed if isinstance(body, Joined) else b""
    if not packed:
        packed = gzip.compress(body, compresslevel=1, mtime=0)
        if isinstance(body, Joined):
            body.packed = packed
    return packed, {"content-encoding": "gzip", "vary": "accept-encoding"}


def takes_gzip(request_headers: Mapping[str, str]) -> bool:
    """Whether the client names gzip among the encodings it takes, without refusing it by a quality of nought."""
    for part in request_headers.get("accept-encoding", "").split(","):
        name, _, quality = part.partition(";")
        if name.strip().lower() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
