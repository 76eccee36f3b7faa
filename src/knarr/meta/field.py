"""Validation's findings: a field's path, the rule it breaks and its value, worded as upstream's `field.Error`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from knarr.meta.errors import Cause, Invalid

HEADINGS = {  # reason -> how upstream begins the message
    "FieldValueNotFound": "Not found",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
    "InternalError": "Internal error",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One broken rule. `message` is the whole body after the path: heading, value, detail."""

    reason: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def show(value: Any) -> str:
    """A value as upstream prints it in a message: strings quoted, objects as JSON, nil as null."""
    return msgspec.json.encode(value).decode()


def at(path: str, *keys: str | int) -> str:
    """Extend a path: at("spec", "ports", 0) is "spec.ports[0]"."""
    for key in keys:
        path = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}" if path else key
    return path


def at_key(path: str, key: str) -> str:
    """The path of a map's entry: spec.selector[app]."""
    return f"{path}[{key}]"


def required(path: str, detail: str = "") -> FieldError:
    return _error("FieldValueRequired", path, detail=detail)


def wrong(path: str, value: Any, detail: str = "") -> FieldError:
    """field.Invalid."""
    return _error("FieldValueInvalid", path, show(value), detail)


def valueless(path: str, detail: str) -> FieldError:
    """field.Invalid of a rule that is told without the value."""
    return _error("FieldValueInvalid", path, detail=detail)


def unsupported(path: str, value: Any, supported: Sequence[str]) -> FieldError:
    choices = ", ".join(f'"{s}"' for s in supported)
    return _error("FieldValueNotSupported", path, show(value), f"supported values: {choices}" if choices else "")


def duplicate(path: str, value: Any) -> FieldError:
    return _error("FieldValueDuplicate", path, show(value))


def forbidden(path: str, detail: str) -> FieldError:
    return _error("FieldValueForbidden", path, detail=detail)


def not_found(path: str, value: Any) -> FieldError:
    return _error("FieldValueNotFound", path, show(value))


def too_long(path: str, most: int, unit: str = "bytes") -> FieldError:
    return _error("FieldValueTooLong", path, detail=f"may not be more than {most} {unit}")


def too_many(path: str, count: int, most: int) -> FieldError:
    return _error("FieldValueTooMany", path, str(count), f"must have at most {most} items")


def _error(reason: str, path: str, value: str = "", detail: str = "") -> FieldError:
    return FieldError(reason, path, ": ".join(part for part in (HEADINGS[reason], value, detail) if part))


def invalid(kind: str, group: str, name: str, errors: Iterable[FieldError]) -> Invalid:
    """The 422 that names every broken rule."""
    found = list(errors)
    qualified = f"{kind}.{group}" if group else kind
    said = list(dict.fromkeys(map(str, found)))  # what is found twice is said once, though it makes two causes
    listed = said[0] if len(said) == 1 else "[" + ", ".join(said) + "]"
    return Invalid(
        f'{qualified} "{name}" is invalid: {listed}',
        kind=kind,
        group=group,
        name=name,
        causes=[Cause(e.reason, e.message, e.path) for e in found],
    )
