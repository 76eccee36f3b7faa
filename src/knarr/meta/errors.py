"""The error tree. Each error carries the API's reason and HTTP code; only `server` renders a Status.

ApiError
├── BadRequest 400
├── Unauthorized 401
├── Forbidden 403
├── NotFound 404
├── MethodNotAllowed 405
├── NotAcceptable 406
├── Conflict 409
│   └── AlreadyExists
├── Expired 410 (reason Expired: a resourceVersion that is compacted)
├── RequestEntityTooLarge 413
├── UnsupportedMediaType 415
├── Invalid 422 (with a FieldError for each cause)
├── TooManyRequests 429
├── InternalError 500
├── Unclassified 500 (no reason: what upstream's server fails with before it thinks of one)
├── ServiceUnavailable 503
└── Timeout 504
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of a Status' `details.causes`."""

    reason: str
    message: str
    field: str = ""


class ApiError(Exception):
    """A failure the API reports. `kind`, `group` and `name` say of what, for the Status' details."""

    code: int = 500
    reason: str = "InternalError"

    def __init__(
        self,
        message: str,
        *,
        kind: str = "",
        group: str = "",
        name: str = "",
        uid: str = "",
        causes: Sequence[Cause] = (),
        retry_after: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind, self.group, self.name, self.uid = kind, group, name, uid
        self.causes = tuple(causes)
        self.retry_after = retry_after  #: seconds

    def details(self) -> dict[str, Any] | None:
        """The Status' details, or None when there is nothing to say."""
        out: dict[str, Any] = {
            "name": self.name,
            "group": self.group,
            "kind": self.kind,
            "uid": self.uid,
            "causes": [
                {k: v for k, v in (("reason", c.reason), ("message", c.message), ("field", c.field)) if v}
                for c in self.causes
            ],
            "retryAfterSeconds": self.retry_after,
        }
        return {k: v for k, v in out.items() if v} or None


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    code, reason = 401, "Unauthorized"


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    code, reason = 404, "NotFound"


class MethodNotAllowed(ApiError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    code, reason = 406, "NotAcceptable"


class Conflict(ApiError):
    code, reason = 409, "Conflict"


class AlreadyExists(Conflict):
    reason = "AlreadyExists"


class Expired(ApiError):
    code, reason = 410, "Expired"
    token = ""  #: with which a list can be continued all the same, from a later revision


class RequestEntityTooLarge(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class TooManyRequests(ApiError):
    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    code, reason = 500, "InternalError"


class Unclassified(ApiError):
    code, reason = 500, ""


class ServiceUnavailable(ApiError):
    code, reason = 503, "ServiceUnavailable"


class Timeout(ApiError):
    code, reason = 504, "Timeout"


class Invalid(ApiError):
    """An object that breaks its kind's rules; build it with `knarr.meta.field.invalid`."""

    code, reason = 422, "Invalid"


def tree(base: type[ApiError] = ApiError) -> list[type[ApiError]]:
    """The error classes at and under `base`, most specific last."""
    return [base, *(cls for child in base.__subclasses__() for cls in tree(child))]
