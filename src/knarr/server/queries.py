"""What a request's query says, checked and worded as upstream does. Pure; the result is handed to the registry."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from knarr.meta.errors import BadRequest
from knarr.meta.field import FieldError, forbidden, invalid, required, too_long, unsupported, wrong
from knarr.server import negotiation
from knarr.server.paths import truth

Query = Sequence[tuple[str, str]]
MANAGER_BYTES = 128
VALIDATIONS = ("", "Ignore", "Strict", "Warn")
META = "meta.k8s.io"
MATCH = "resourceVersionMatch"
_INTEGER = re.compile("[+-]?[0-9]+").fullmatch


@dataclass(frozen=True, slots=True)
class ListOptions:
    labels: str = ""
    fields: str = ""
    watch: bool = False
    bookmarks: bool = False
    resource_version: str = ""
    match: str = ""
    timeout: int = 0  #: seconds; 0 is the server's choice
    limit: int = 0
    token: str = ""  #: of the page to continue with
    initial_events: bool | None = None


@dataclass(frozen=True, slots=True)
class WriteOptions:
    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = ""
    force: bool = False


def one(query: Query, name: str) -> str | None:
    """The first value of a parameter; None when it is absent."""
    for key, value in query:  # no generator: asked several times of every request, mostly of an empty query
        if key == name:
            return value
    return None


def flag(query: Query, name: str) -> bool:
    value = one(query, name)
    return value is not None and truth(value)


def number(query: Query, name: str) -> int | None:
    """An integer parameter; raise BadRequest in the words of Go's parser."""
    text = one(query, name)
    if text is None or text == "":
        return None
    if not _INTEGER(text):
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(text) > 20 or not -(1 << 63) <= int(text) < 1 << 63:
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def pretty(query: Query, headers: Mapping[str, str]) -> bool:
    """Whether the answer is to be indented: when the client says so, or else when a person reads it."""
    wanted = one(query, "pretty")
    return truth(wanted) if wanted else negotiation.for_people(headers)


def list_options(query: Query, name: str = "") -> ListOptions:
    """The options of a list, watch or deletecollection; a `name` in the path selects one object of a watch."""
    watching = flag(query, "watch")
    send = one(query, "sendInitialEvents")
    options = ListOptions(
        labels=one(query, "labelSelector") or "",
        fields=one(query, "fieldSelector") or "",
        watch=watching,
        bookmarks=flag(query, "allowWatchBookmarks"),
        resource_version=one(query, "resourceVersion") or "",
        match=one(query, "resourceVersionMatch") or "",
        timeout=number(query, "timeoutSeconds") or 0,
        limit=number(query, "limit") or 0,
        token=one(query, "continue") or "",
        initial_events=None if send is None else truth(send),
    )
    errors = list(_list_errors(options))
    if errors:
        raise invalid("ListOptions", META, "", errors)
    return options


def _list_errors(options: ListOptions) -> list[FieldError]:
    match, version = options.match, options.resource_version
    if options.watch:
        if options.initial_events is None:
            alone = f"{MATCH} is forbidden for watch unless sendInitialEvents is provided"
            return [forbidden(MATCH, alone)] if match else []
        wanted = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        return [] if match == "NotOlderThan" else [forbidden(MATCH, wanted)]
    errors: list[FieldError] = []
    if match:
        if not version:
            errors.append(forbidden(MATCH, f"{MATCH} is forbidden unless resourceVersion is provided"))
        if options.token:
            errors.append(forbidden(MATCH, f"{MATCH} is forbidden when continue is provided"))
        if match not in ("Exact", "NotOlderThan"):
            errors.append(unsupported(MATCH, match, ["Exact", "NotOlderThan", ""]))
        if match == "Exact" and version == "0":
            errors.append(forbidden(MATCH, f'{MATCH} "exact" is forbidden for resourceVersion "0"'))
    if options.initial_events is not None:
        errors.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return errors


def manager(query: Query, headers: Mapping[str, str]) -> str:
    """The field manager that the client names, or else the first word of its user agent."""
    agent = headers.get("user-agent", "").partition("/")[0]
    if not agent.isprintable():
        agent = "".join(c for c in agent if c.isprintable())
    return one(query, "fieldManager") or agent[:MANAGER_BYTES] or "unknown"


def write_options(query: Query, kind: str, *, apply: bool = False) -> WriteOptions:
    """The options of a create, update or patch; `kind` is CreateOptions, UpdateOptions or PatchOptions."""
    return _write_options(tuple(query), kind, apply)


@lru_cache(256)  # a client says the same with every write, mostly nothing
def _write_options(query: Query, kind: str, apply: bool) -> WriteOptions:
    dry_run = [value for key, value in query if key == "dryRun"]
    manager = one(query, "fieldManager") or ""
    validation = one(query, "fieldValidation") or ""
    force = one(query, "force")
    errors: list[FieldError] = []
    if kind == "PatchOptions":
        if apply and not manager:
            errors.append(required("fieldManager", "is required for apply patch"))
        if not apply and force is not None:
            errors.append(forbidden("force", "may not be specified for non-apply patch"))
    errors += manager_errors(manager)
    errors += dry_run_errors(dry_run)
    if validation not in VALIDATIONS:
        errors.append(unsupported("fieldValidation", validation, VALIDATIONS))
    if errors:
        raise invalid(kind, META, "", errors)
    return WriteOptions(bool(dry_run), manager, validation, force is not None and truth(force))


def manager_errors(manager: str) -> list[FieldError]:
    if len(manager.encode()) > MANAGER_BYTES:
        return [too_long("fieldManager", MANAGER_BYTES)]
    if not manager.isprintable():
        at = next(i for i, c in enumerate(manager) if not c.isprintable())
        return [wrong("fieldManager", manager, f"invalid character {manager[at]!r} (at position {at})")]
    return []


def dry_run_errors(values: Sequence[str], path: str = "dryRun") -> list[FieldError]:
    if values in ([], ["All"]) or set(values) == {"All"}:
        return []
    return [unsupported(path, list(values), ["All"])]
