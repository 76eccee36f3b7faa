"""MutatingAdmissionWebhook and ValidatingAdmissionWebhook: others change requests and refuse them, over HTTPS.

Those that change are asked one after the other, in the order of their configurations' names; those that judge all at
once. One that can't be asked refuses by its failurePolicy. What a webhook changes is normalised and defaulted as the
client's own body was.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from knarr.kinds.kind import Kind
from knarr.kinds.types.admissionregistration_v1 import MutatingWebhookConfiguration, ValidatingWebhookConfiguration
from knarr.kinds.types.core_v1 import Namespace
from knarr.meta.errors import ApiError, BadRequest, InternalError
from knarr.meta.patch import json_patch
from knarr.registry import pipeline, views
from knarr.registry.core import Options
from knarr.registry.scale import SCALE, scale_of, set_at, value_at
from knarr.server.admission import Admission, State, Tree, webhook_client, webhook_rules
from knarr.server.admission.concern import Concern, Versions
from knarr.server.admission.webhook_client import CallFailed
from knarr.server.admission.webhook_conditions import hold
from knarr.server.admission.webhook_review import Answer, WrongAnswer, read, review, version_of
from knarr.server.admission.webhook_rules import Webhook
from knarr.server.authorization import Authorizer

Concerned = tuple[str, Webhook, Kind]
SECONDS = 10
HARMLESS = ("None", "NoneOnDryRun")
#: what stands for the object where a subresource takes one of another kind: group, version and kind
BODIES = {
    ("pods", "attach"): ("", "v1", "PodAttachOptions"),
    ("pods", "binding"): ("", "v1", "Binding"),
    ("pods", "eviction"): ("policy", "v1", "Eviction"),
    ("pods", "exec"): ("", "v1", "PodExecOptions"),
    ("pods", "portforward"): ("", "v1", "PodPortForwardOptions"),
    ("pods", "proxy"): ("", "v1", "PodProxyOptions"),
    ("services", "proxy"): ("", "v1", "ServiceProxyOptions"),
    ("nodes", "proxy"): ("", "v1", "NodeProxyOptions"),
    ("serviceaccounts", "token"): ("authentication.k8s.io", "v1", "TokenRequest"),
}

log = logging.getLogger("knarr.server")


class MutatingWebhooks:
    def __init__(self, versions: Versions, authorizer: Authorizer) -> None:
        self._concern, self._authorizer = Concern(hooks_for, versions), authorizer

    async def admit(self, admission: Admission, state: State) -> None:
        configurations = await state.list(MutatingWebhookConfiguration)
        if not configurations or webhook_rules.exempt(admission.kind):
            return
        calls = admission.calls
        calls.begin(admission.tree)
        for key, hook, kind in self._concern.of(admission, configurations):
            if calls.wants(key) and await meant(hook, kind, admission, state, self._authorizer):
                await self._ask(hook, kind, key, admission, state)
        calls.end(admission.tree)

    async def _ask(self, hook: Webhook, kind: Kind, key: str, admission: Admission, state: State) -> None:
        answer = await ask(hook, kind, admission, state, mutating=True)
        calls = admission.calls
        if answer is not None and answer.patch and change(admission, kind, hook.name, answer.patch):
            calls.changed()
        if getattr(hook, "reinvocationPolicy", "") == "IfNeeded":
            calls.called.add(key)


class ValidatingWebhooks:
    def __init__(self, versions: Versions, authorizer: Authorizer) -> None:
        self._concern, self._authorizer = Concern(hooks_for, versions), authorizer

    async def admit(self, admission: Admission, state: State) -> None:
        configurations = await state.list(ValidatingWebhookConfiguration)
        if not configurations or webhook_rules.exempt(admission.kind):
            return
        asked = [
            (hook, kind)
            for _, hook, kind in self._concern.of(admission, configurations)
            if await meant(hook, kind, admission, state, self._authorizer)
        ]
        if not asked:
            return
        results = await asyncio.gather(
            *(ask(hook, kind, admission, state, mutating=False) for hook, kind in asked), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result


def hooks_for(admission: Admission, forms: Sequence[Kind], lists: Sequence[Sequence[Any]]) -> list[Concerned]:
    """The webhooks whose rules mean such a request: a key for each, and the version that it is to be shown."""
    (configurations,) = lists
    return [
        (f"{configuration.metadata.name}/{hook.name}", hook, kind)
        for configuration in configurations
        for hook in configuration.webhooks
        if (kind := webhook_rules.wanted_kind(hook, admission, forms)) is not None
    ]


async def meant(hook: Webhook, kind: Kind, admission: Admission, state: State, authorizer: Authorizer) -> bool:
    """Whether a webhook whose rules mean the request is to be asked; `kind` is the version that it is shown."""
    if not webhook_rules.on_objects(hook, admission):
        return False
    if hook.namespaceSelector is not None and not webhook_rules.in_namespaces(
        hook, await namespace_labels(admission, state)
    ):
        return False
    return not hook.matchConditions or await _hold(hook, kind, admission, authorizer)


async def _hold(hook: Webhook, kind: Kind, admission: Admission, authorizer: Authorizer) -> bool:
    new, old = (form(admission, kind, tree) for tree in (admission.tree, admission.old))
    request = about("v1", admission, kind, new, old)["request"]
    return await hold(hook, kind, admission, authorizer, {"object": new, "oldObject": old, "request": request})


async def namespace_labels(admission: Admission, state: State) -> dict[str, str] | None:
    """The labels of the namespace, or of the Namespace that it is about; None for other cluster-wide kinds."""
    if admission.kind.kind == "Namespace" and not admission.kind.group:
        return dict(webhook_rules.labels(admission.tree or admission.old or {}))
    if not admission.namespace or not admission.kind.namespaced:
        return None
    namespace = await state.get(Namespace, "", admission.namespace)
    return namespace.metadata.labels if namespace is not None else {}


async def ask(hook: Webhook, kind: Kind, admission: Admission, state: State, *, mutating: bool) -> Answer | None:
    """Ask one webhook; raises its refusal. None when it could not be asked and that is to be ignored."""
    if admission.dry_run and hook.sideEffects not in HARMLESS:
        raise BadRequest(f'admission webhook "{hook.name}" does not support dry run')
    try:
        answer = await _answer(hook, kind, admission, state, mutating=mutating)
    except CallFailed as error:
        if hook.failurePolicy == "Ignore":
            log.warning("webhook %s is passed over: %s", hook.name, error)
            return None
        raise InternalError(f'Internal error occurred: failed calling webhook "{hook.name}": {error}') from None
    admission.warnings += answer.warnings
    if answer.denied is not None:
        raise answer.denied
    return answer


async def _answer(hook: Webhook, kind: Kind, admission: Admission, state: State, *, mutating: bool) -> Answer:
    version = version_of(hook.admissionReviewVersions)
    if not version:
        raise CallFailed(f"webhook does not accept known AdmissionReview versions ({hook.admissionReviewVersions})")
    new, old = (form(admission, kind, tree) for tree in (admission.tree, admission.old))
    sent = about(version, admission, kind, new, old)
    seconds = float(hook.timeoutSeconds or SECONDS)
    try:
        place = await webhook_client.place_of(hook.clientConfig, state, seconds)
        body = await webhook_client.post(place, hook.clientConfig.caBundle, sent, seconds)
    except CallFailed as error:
        raise CallFailed(f"failed to call webhook: {error}") from None
    try:
        return read(hook.name, sent, body, mutating=mutating)
    except WrongAnswer as error:
        raise CallFailed(f"received invalid webhook response: {error}") from None


def about(version: str, admission: Admission, kind: Kind, new: Tree | None, old: Tree | None) -> Tree:
    """The review of a request, which names the kind that stands in its body."""
    sent = review(version, admission, kind, new, old)
    if (other := body_of(admission)) is not None:
        shown = dict(zip(("group", "version", "kind"), other, strict=True))
        sent["request"]["kind"] = sent["request"]["requestKind"] = shown
    return sent


def body_of(admission: Admission) -> tuple[str, str, str] | None:
    """Group, version and kind of what a subresource takes; None where it takes the object itself."""
    if admission.subresource == "scale":
        return SCALE.group, SCALE.version, SCALE.kind
    return BODIES.get((admission.kind.plural, admission.subresource)) if not admission.kind.group else None


def form(admission: Admission, kind: Kind, tree: Tree | None) -> Tree | None:
    """An object as a webhook sees it: a tree of its own, in the version that it named, of a scale the Scale."""
    if not tree:
        return None
    own: Tree = msgspec.json.decode(msgspec.json.encode(tree))
    if admission.subresource == "scale" and admission.kind.scale is not None:
        return scale_of(admission.kind, own)
    if body_of(admission) is not None:
        return own
    return views.shown(kind, own)


def change(admission: Admission, kind: Kind, name: str, operations: Sequence[object]) -> bool:
    """Carry out a webhook's patch; whether it changed anything."""
    before = form(admission, kind, admission.tree)
    if before is None:
        what = "attempted to modify the object, which is not supported for this operation"
        raise InternalError(f'Internal error occurred: admission webhook "{name}" {what}')
    was = msgspec.json.encode(before)
    try:
        after = json_patch(before, list(operations))
    except ApiError as error:
        raise InternalError(f"Internal error occurred: {error}") from None
    if msgspec.json.encode(after) == was:
        return False
    take_over(admission, kind, after)
    return True


def take_over(admission: Admission, kind: Kind, after: Tree) -> None:
    """Make the patched object the request's, in the stored form."""
    stored, options = admission.kind, Options(field_validation="Ignore")
    if admission.subresource == "scale" and stored.scale is not None:
        set_at(admission.tree, stored.scale.replicas, value_at(after, "spec.replicas") or 0)
        return
    if body_of(admission) is None:
        after = views.inward(kind, after, options)
        pipeline.read(stored, after, options)
        stored.defaults(after)
    admission.tree.clear()
    admission.tree.update(after)
