"""Request bodies: their bytes as trees, refused in upstream's words when they are none."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from knarr.client.transport import Request
from knarr.kinds import decode, schema
from knarr.kinds.decode import decode_apply
from knarr.kinds.kind import Kind
from knarr.kinds.table import KindTable
from knarr.meta.errors import BadRequest
from knarr.meta.field import FieldError, invalid, unsupported, wrong
from knarr.registry.delete import DeleteOptions
from knarr.server import negotiation
from knarr.server.paths import truth
from knarr.server.protobuf import read as protobuf
from knarr.server.queries import META, dry_run_errors, number, one

Tree = dict[str, Any]
Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
SCHEME = "pkg/api/legacyscheme/scheme.go:30"
META_KINDS = ("Status", "DeleteOptions", "WatchEvent")  #: known in every version
JSON_PATCH = "application/json-patch+json"
LIGHT = 16 * 1024  #: bytes of a body that are read on the event loop whatever the encoding
POLICIES = ("Foreground", "Background", "Orphan")


def read(request: Request, kind: str) -> tuple[Tree, list[str]]:
    """The tree of a body and the fields that it names twice. `kind` is what it ought to be, for the message."""
    encoding = negotiation.body_type(request.headers)
    if encoding == "protobuf":
        return protobuf.read(request.body, kind), []
    if encoding == "yaml":
        return decode.decode_yaml(request.body, kind)
    return decode.decode_json(request.body, kind)


async def load(request: Request, kind: str) -> tuple[Tree, list[str]]:
    """As `read`, with what takes long read in a thread."""
    if len(request.body) > LIGHT and negotiation.body_type(request.headers) != "json":
        return await asyncio.to_thread(read, request, kind)
    return read(request, kind)


async def applied(request: Request, validation: str) -> tuple[Tree, list[str]]:
    """The tree of an apply patch, and the complaints of keys it has twice, which Strict `validation` refuses."""
    light = len(request.body) <= LIGHT
    tree, twice = decode_apply(request.body) if light else await asyncio.to_thread(decode_apply, request.body)
    if twice and validation == "Strict":
        raise BadRequest(f"error strict decoding YAML: error converting YAML to JSON: {twice[0]}")
    return tree, twice


def typed(request: Request, kind: str, type_: str) -> Tree:
    """The tree of a body that is answered and not stored, its types checked; `type_` is "core_v1.Binding"."""
    tree, _ = read(request, kind)
    schema.normalise(tree, type_)
    return tree


def check_kind(tree: Tree, expected: Kind, table: KindTable) -> None:
    """Refuse a body that says it is of another kind or version; one that does not say is of the expected kind."""
    version, kind = tree.get("apiVersion") or expected.api_version, tree.get("kind") or expected.kind
    if (version, kind) == (expected.api_version, expected.kind):
        return
    if not isinstance(version, str) or not isinstance(kind, str):
        return  # the schema's check names the wrong type
    group, _, short = version.rpartition("/")
    head = f'{kind} in version "{short}" cannot be handled as a {expected.kind}: '
    if kind not in META_KINDS and table.by_kind(group, short, kind) is None:
        raise BadRequest(f'{head}no kind "{kind}" is registered for version "{version}" in scheme "{SCHEME}"')
    if kind == expected.kind:
        raise BadRequest(
            f"the API version in the data ({version}) does not match the expected API version ({expected.api_version})"
        )
    package = expected.group.partition(".")[0] or "core"
    raise BadRequest(f"{head}converting ({short}.{kind}) to ({package}.{expected.kind}): unknown conversion")


def patch(request: Request) -> tuple[Any, list[str]]:
    """The document of a JSON, merge or strategic merge patch, and complaints of the keys that a merge has twice."""
    try:
        found = msgspec.json.decode(request.body)
        if decode.too_deep(request.body, found):
            raise RecursionError
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"error decoding patch: {error}") from None
    except RecursionError:
        raise BadRequest("error decoding patch: exceeded max depth") from None
    if negotiation.media_type(request.headers) == JSON_PATCH:
        return found, []
    if not isinstance(found, dict):
        wanted = "Go value of type map[string]interface {}"
        raise BadRequest(f"error decoding patch: json: cannot unmarshal {decode.go_name(found)} into {wanted}")
    return found, decode.duplicates(request.body, found)


class _Preconditions(msgspec.Struct):
    uid: str = ""
    resourceVersion: str = ""


class _DeleteOptions(msgspec.Struct):
    """The API's DeleteOptions, as far as they are heeded."""

    gracePeriodSeconds: Int64 | None = None
    propagationPolicy: str | None = None
    orphanDependents: bool | None = None
    dryRun: list[str] | None = None
    preconditions: _Preconditions | None = None
    kind: str = ""
    apiVersion: str = ""


def delete_options(request: Request) -> DeleteOptions:
    """From the body, or from the query when there is no body; raise Invalid for what cannot be."""
    if request.body:
        options = _from_body(request)
    else:
        orphan = one(request.query, "orphanDependents")
        options = _DeleteOptions(
            number(request.query, "gracePeriodSeconds"),
            one(request.query, "propagationPolicy"),
            None if orphan is None else truth(orphan),
            [value for key, value in request.query if key == "dryRun"],
        )
    errors = list(_delete_errors(options))
    if errors:
        raise invalid("DeleteOptions", META, "", errors)
    return wish(options)


class _Eviction(msgspec.Struct):
    deleteOptions: _DeleteOptions | None = None


def eviction_options(request: Request) -> DeleteOptions:
    """How an Eviction wants its pod deleted."""
    tree, _ = read(request, "Eviction")
    _check_options(tree, "Eviction", ())
    dry_run = bool(one(request.query, "dryRun"))
    try:
        options = msgspec.convert(tree, _Eviction).deleteOptions or _DeleteOptions()
    except msgspec.ValidationError as error:
        raise BadRequest(f'Eviction in version "v1" cannot be handled as a Eviction: {error}') from None
    found = wish(options)
    found.dry_run = found.dry_run or dry_run
    return found


def wish(options: _DeleteOptions) -> DeleteOptions:
    """The registry's form of the options."""
    preconditions = options.preconditions or _Preconditions()
    return DeleteOptions(
        uid=preconditions.uid,
        resource_version=preconditions.resourceVersion,
        grace=options.gracePeriodSeconds,
        propagation=options.propagationPolicy or "",
        orphan=options.orphanDependents,
        dry_run=bool(options.dryRun),
    )


def _from_body(request: Request) -> _DeleteOptions:
    tree, _ = read(request, "DeleteOptions")
    _check_options(tree, "DeleteOptions", META_KINDS)
    try:
        return msgspec.convert(tree, _DeleteOptions)
    except msgspec.ValidationError as error:
        raise BadRequest(f"unable to decode the delete options: {error}") from None


def _check_options(tree: Tree, expected: str, known: Sequence[str]) -> None:
    """Refuse what says that it is of another kind; which version of the expected one it says does not matter."""
    kind, version = tree.get("kind") or expected, tree.get("apiVersion") or "v1"
    if kind == expected or not isinstance(kind, str) or not isinstance(version, str):
        return  # what has a wrong type is told of by the decoder
    if kind in known:
        raise BadRequest(f"decoded object cannot be converted to {expected}")
    raise BadRequest(f'no kind "{kind}" is registered for version "{version}"')


def _delete_errors(options: _DeleteOptions) -> list[FieldError]:
    errors: list[FieldError] = []
    if options.propagationPolicy is not None and options.orphanDependents is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(wrong("propagationPolicy", options.propagationPolicy, text))
    if options.propagationPolicy and options.propagationPolicy not in POLICIES:
        errors.append(unsupported("propagationPolicy", options.propagationPolicy, [*POLICIES, "nil"]))
    return errors + dry_run_errors(options.dryRun or [])
