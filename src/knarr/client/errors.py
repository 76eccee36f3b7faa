"""An answer's Status as the error it stands for. Called by the API client and the watch decoder."""

from typing import Any

import msgspec

from knarr.client.transport import Response
from knarr.kinds.types.meta_v1 import Status
from knarr.meta import errors

_ALL = [cls for cls in errors.tree() if cls.__module__ == errors.__name__]  # not what other rooms make of them
_BY_REASON = {cls.reason: cls for cls in _ALL if cls.reason} | {
    "Gone": errors.Expired,
    "ServerTimeout": errors.ServiceUnavailable,
}
_BY_CODE = {cls.code: cls for cls in reversed(_ALL) if cls.reason and cls is not errors.AlreadyExists}
_status = msgspec.json.Decoder(Status)


def from_status(status: Status) -> errors.ApiError:
    """The error of the tree that a Status describes."""
    cls = _BY_REASON.get(status.reason) or _BY_CODE.get(status.code or 500, errors.InternalError)
    known: dict[str, Any] = {}
    if (details := status.details) is not None:
        known = {
            "kind": details.kind,
            "group": details.group,
            "name": details.name,
            "uid": details.uid,
            "causes": [errors.Cause(cause.reason, cause.message, cause.field) for cause in details.causes],
            "retry_after": details.retryAfterSeconds or 0,
        }
    return cls(status.message or f"the server answered {status.code}", **known)


def from_response(response: Response) -> errors.ApiError:
    """The error of an answer whose code is 400 or more, whether or not its body is a Status."""
    try:
        status = _status.decode(response.body)
    except msgspec.DecodeError:
        status = None
    if status is None or status.kind != "Status" or not status.code:
        text = response.body[:200].decode(errors="replace").strip()
        return from_status(Status(code=response.status, message=text or f"the server answered {response.status}"))
    return from_status(status)
