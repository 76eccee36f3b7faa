"""What a webhook is sent and what it answers: AdmissionReview v1 and v1beta1. Pure but for the review's uid."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from knarr.kinds.kind import Kind
from knarr.meta import clock
from knarr.meta.errors import ApiError, Cause
from knarr.server.admission import Admission, Tree

VERSIONS = ("v1", "v1beta1")
OPTIONS = {"create": "CreateOptions", "update": "UpdateOptions", "delete": "DeleteOptions", "connect": ""}
BAD_REQUEST = 400


class WrongAnswer(Exception):
    """A webhook's answer that cannot be understood."""


class Denied(ApiError):
    """A webhook's refusal: with the code and the reason that the webhook chose."""

    def __init__(self, message: str, code: int, reason: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.code, self.reason = code, reason


class _Cause(msgspec.Struct):
    reason: str = ""
    message: str = ""
    field: str = ""


class _Details(msgspec.Struct):
    name: str = ""
    group: str = ""
    kind: str = ""
    uid: str = ""
    causes: list[_Cause] = []
    retryAfterSeconds: int = 0


class _Result(msgspec.Struct):
    message: str = ""
    reason: str = ""
    code: int = 0
    details: _Details | None = None


class _Response(msgspec.Struct):
    uid: str = ""
    allowed: bool = False
    status: _Result | None = None
    patch: str | None = None
    patchType: str | None = None
    warnings: list[str] | None = None


class _Review(msgspec.Struct):
    apiVersion: str = ""
    kind: str = ""
    response: _Response | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook said. `patch` are JSON patch operations."""

    denied: Denied | None
    patch: Sequence[Any] = ()
    warnings: Sequence[str] = ()


def version_of(accepted: Sequence[str]) -> str:
    """The version of the review to send; the first that both know, "" when there is none."""
    return next((version for version in accepted if version in VERSIONS), "")


def review(version: str, admission: Admission, kind: Kind, new: Tree | None, old: Tree | None) -> Tree:
    """The review of a request, with the object in the form of `kind`."""
    requested = admission.requested or admission.kind
    request: Tree = {
        "uid": clock.uid(),
        "kind": _kind(kind),
        "resource": _resource(kind),
        "requestKind": _kind(requested),
        "requestResource": _resource(requested),
        "operation": admission.verb.upper(),
        "userInfo": user_info(admission),
        "object": new or None,
        "oldObject": old or None,
        "dryRun": admission.dry_run,
        "options": {"kind": OPTIONS[admission.verb], "apiVersion": "meta.k8s.io/v1"}
        if admission.verb in OPTIONS
        else None,
    }
    if admission.subresource:
        request["subResource"] = request["requestSubResource"] = admission.subresource
    if admission.name:
        request["name"] = admission.name
    if admission.namespace:
        request["namespace"] = admission.namespace
    return {"kind": "AdmissionReview", "apiVersion": f"admission.k8s.io/{version}", "request": request}


def user_info(admission: Admission) -> Tree:
    user = admission.user
    found: Tree = {"username": user.name, "uid": user.uid, "groups": list(user.groups)}
    found["extra"] = {key: list(values) for key, values in user.extra.items()}
    return {key: value for key, value in found.items() if value}


def _kind(kind: Kind) -> Tree:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _resource(kind: Kind) -> Tree:
    return {"group": kind.group, "version": kind.version, "resource": kind.plural}


def read(name: str, sent: Tree, body: bytes, *, mutating: bool) -> Answer:
    """What a webhook of that name answered to a review; raises WrongAnswer."""
    try:
        found = msgspec.json.decode(body, type=_Review)
    except msgspec.MsgspecError as error:
        raise WrongAnswer(f"the answer is no AdmissionReview: {error}") from None
    response = found.response
    if response is None:
        raise WrongAnswer("webhook response was absent")
    if sent["apiVersion"].endswith("/v1"):
        if (found.apiVersion, found.kind) != (sent["apiVersion"], sent["kind"]):
            wanted, got = (f"{version}, Kind={kind}" for version, kind in _types(sent, found))
            raise WrongAnswer(f"expected webhook response of {wanted}, got {got}")
        if response.uid != sent["request"]["uid"]:
            raise WrongAnswer(f'expected response.uid="{sent["request"]["uid"]}", got "{response.uid}"')
        _check_patch_type(response, mutating=mutating)
    denied = None if response.allowed else denial(name, response.status)
    return Answer(denied, _patch(response) if mutating and not denied else (), response.warnings or ())


def _types(sent: Tree, found: _Review) -> Sequence[tuple[str, str]]:
    return (sent["apiVersion"], sent["kind"]), (found.apiVersion, found.kind)


def _check_patch_type(response: _Response, *, mutating: bool) -> None:
    if not mutating:
        if response.patch:
            raise WrongAnswer("validating webhook may not return response.patch")
        if response.patchType is not None:
            raise WrongAnswer("validating webhook may not return response.patchType")
    elif response.patch and response.patchType is None:
        raise WrongAnswer("webhook returned response.patch but not response.patchType")
    elif not response.patch and response.patchType:
        raise WrongAnswer("webhook returned response.patchType but not response.patch")
    elif response.patchType and response.patchType != "JSONPatch":
        raise WrongAnswer(f'invalid response.patchType of "{response.patchType}"')


def _patch(response: _Response) -> Sequence[Any]:
    if not response.patch:
        return ()
    try:
        found = msgspec.json.decode(base64.b64decode(response.patch, validate=True))
    except (binascii.Error, msgspec.DecodeError) as error:
        raise WrongAnswer(f"received undecodable patch in webhook response: {error}") from None
    if not isinstance(found, list):
        raise WrongAnswer("received undecodable patch in webhook response: no list of operations")
    return found


def denial(name: str, result: _Result | None) -> Denied:
    """A refusal in upstream's words; a code that does not stand for a failure becomes 400."""
    result = result or _Result()
    head = f'admission webhook "{name}" denied the request'
    why = result.message or result.reason
    details: dict[str, Any] = {}
    if (given := result.details) is not None:
        details = {key: getattr(given, key) for key in ("name", "group", "kind", "uid")}
        details["causes"] = [Cause(cause.reason, cause.message, cause.field) for cause in given.causes]
        details["retry_after"] = given.retryAfterSeconds
    code = result.code if result.code >= BAD_REQUEST else BAD_REQUEST
    return Denied(f"{head}: {why}" if why else f"{head} without explanation", code, result.reason, **details)
