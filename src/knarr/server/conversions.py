"""Conversion webhooks asked: the objects of custom resources in versions that only their webhook can give."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from knarr.kinds.conversion import Answers, Unconverted, answering, by_webhook, failure, key
from knarr.kinds.kind import Kind, Tree
from knarr.kinds.types.admissionregistration_v1 import WebhookClientConfig
from knarr.meta import clock
from knarr.meta.errors import Unclassified
from knarr.registry import views
from knarr.registry.entry import Entry
from knarr.server.admission import State, webhook_client
from knarr.server.admission.webhook_client import CallFailed

T = TypeVar("T")
VERSIONS = ("v1", "v1beta1")
SECONDS = 30.0
TOGETHER = 500  #: objects in one review
MOST = 16  #: conversions that one request may find out to need, each after the other


class Conversions:
    """Asks the webhooks of `spec.conversion`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def again(self, missing: Unconverted, work: Callable[[], Awaitable[T]]) -> T:
        """Do again, with the answer, what could not be done without; nothing was written yet."""
        answers: Answers = {}
        for _ in range(MOST):
            answers |= await self.ask(missing.conversion, [missing.tree], missing.version)
            with answering(answers):
                try:
                    return await work()
                except Unconverted as more:
                    missing = more
        raise missing

    async def seen(self, kind: Kind, entries: Sequence[Entry]) -> list[Entry]:
        """Stored entries in the form of a kind."""
        if not by_webhook(kind):
            return [views.seen(kind, entry) for entry in entries]
        with answering(await self.answers(kind, [entry.tree() for entry in entries])):
            return [views.seen(kind, entry) for entry in entries]

    async def answers(self, kind: Kind, trees: Sequence[Tree]) -> Answers:
        """What the webhook of a kind makes of stored objects."""
        wanted = [tree for tree in trees if len(tree) > 3 and tree.get("apiVersion") != kind.api_version]
        return await self.ask(kind.custom.conversion, wanted, kind.api_version) if wanted and kind.custom else {}

    async def ask(self, conversion: Mapping[str, Any], trees: Sequence[Tree], version: str) -> Answers:
        """Objects in another version, by their keys; raises Unclassified."""
        webhook = conversion["webhook"]
        accepted = webhook.get("conversionReviewVersions") or ()
        review = next((one for one in accepted if one in VERSIONS), VERSIONS[0])
        config = msgspec.convert(webhook["clientConfig"], WebhookClientConfig)
        found: Answers = {}
        for start in range(0, len(trees), TOGETHER):
            some = trees[start : start + TOGETHER]
            request = {"uid": clock.uid(), "desiredAPIVersion": version, "objects": list(some)}
            sent = {
                "kind": "ConversionReview",
                "apiVersion": f"apiextensions.k8s.io/{review}",
                "request": request,
            }
            try:
                place = await webhook_client.place_of(config, self._state, SECONDS)
                body = await webhook_client.post(place, config.caBundle, sent, SECONDS)
                given = read(sent, body)
            except CallFailed as error:
                raise Unclassified(f"{failure(some[0])}: {error}") from None
            found |= {key(tree, version): new for tree, new in zip(some, given, strict=True)}
        return found


class _Result(msgspec.Struct):
    status: str = ""
    message: str = ""


class _Response(msgspec.Struct):
    uid: str = ""
    convertedObjects: list[Tree] | None = None
    result: _Result | None = None


class _Review(msgspec.Struct):
    apiVersion: str = ""
    kind: str = ""
    response: _Response | None = None


def read(sent: Tree, body: bytes) -> list[Tree]:
    """The objects that a webhook gave; raises CallFailed for an answer that cannot be one."""
    try:
        found = msgspec.json.decode(body, type=_Review)
    except msgspec.MsgspecError as error:
        raise CallFailed(f"the answer is no ConversionReview: {error}") from None
    response, request = found.response, sent["request"]
    if response is None:
        raise CallFailed("no response provided")
    if (found.apiVersion, found.kind) != (sent["apiVersion"], sent["kind"]):
        got = f"{found.apiVersion}, Kind={found.kind}"
        raise CallFailed(f"expected webhook response of {sent['apiVersion']}, Kind={sent['kind']}, got {got}")
    if response.uid != request["uid"]:
        raise CallFailed(f'expected response.uid="{request["uid"]}", got "{response.uid}"')
    result = response.result or _Result()
    if result.status != "Success":
        raise CallFailed(result.message or f"response.result.status was '{result.status}', not 'Success'")
    given = response.convertedObjects or []
    if len(given) != len(request["objects"]):
        raise CallFailed(f"returned {len(given)} objects, expected {len(request['objects'])}")
    for index, (new, old) in enumerate(zip(given, request["objects"], strict=True)):
        _check(new, old, request["desiredAPIVersion"], f"returned invalid converted object at index {index}")
    return given


def _check(new: Tree, old: Tree, version: str, where: str) -> None:
    """An answer is the same object: another version, but no other kind, name or uid."""
    if new.get("apiVersion") != version:
        raise CallFailed(f"{where}: invalid groupVersion (expected {version}, received {new.get('apiVersion', '')})")
    if new.get("kind") != old.get("kind"):
        raise CallFailed(f"{where}: invalid kind (expected {old.get('kind')}, received {new.get('kind', '')})")
    metadata, before = new.get("metadata"), old.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise CallFailed(f"{where}: invalid metadata of type {type(metadata).__name__}")
    for each in ("name", "namespace", "uid"):
        if metadata.get(each, "") != before.get(each, ""):
            raise CallFailed(f"{where}: {each} must be {before.get(each, '')}, not {metadata.get(each, '')}")
    for each in ("labels", "annotations"):
        values = metadata.get(each) or {}
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise CallFailed(f"{where}: invalid metadata.{each}")
