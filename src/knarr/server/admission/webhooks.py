"""MutatingAdmissionWebhook and ValidatingAdmissionWebhook: others change requests and refuse them, over HTTPS.

Those that change are asked one after the other, in the order of their configurations' names; those that judge all at
once. One that can't be asked refuses by its failurePolicy. What a webhook changes is normalised and defaulted as the
client's own body was.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

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
from knarr.server.admission.webhook_client import CallFailed
from knarr.server.admission.webhook_conditions import hold
from knarr.server.admission.webhook_review import Answer, WrongAnswer, read, review, version_of
from knarr.server.admission.webhook_rules import Webhook
from knarr.server.authorization import Authorizer

Versions = Callable[[Kind], Sequence[Kind]]
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
        self._versions, self._authorizer = versions, authorizer

    async def admit(self, admission: Admission, state: State) -> None:
        configurations = await state.list(MutatingWebhookConfiguration)
        if not configurations or webhook_rules.exempt(admission.kind):
            return
        calls = admission.calls
        calls.begin(admission.tree)
        for configuration in configurations:
            for hook in configuration.webhooks:
                key = f"{configuration.metadata.name}/{hook.name}"
                if calls.wants(key):
                    await self._ask(hook, key, admission, state)
        calls.end(admission.tree)

    async def _ask(self, hook: Webhook, key: str, admission: Admission, state: State) -> None:
        kind = await meant(hook, admission, state, self._versions, self._authorizer)
        if kind is None:
            return
        answer = await ask(hook, kind, admission, state, mutating=True)
        calls = admission.calls
        if answer is not None and answer.patch and change(admission, kind, hook.name, answer.patch):
            calls.changed()
        if getattr(hook, "reinvocationPolicy", "") == "IfNeeded":
            calls.called.add(key)


class ValidatingWebhooks:
    def __init__(self, versions: Versions, authorizer: Authorizer) -> None:
        self._versions, self._authorizer = versions, authorizer

    async def admit(self, admission: Admission, state: State) -> None:
        configurations = await state.list(ValidatingWebhookConfiguration)
        if not configurations or webhook_rules.exempt(admission.kind):
            return
        hooks = [hook for configuration in configurations for hook in configuration.webhooks]
        asked = []
        for hook in hooks:
            kind = await meant(hook, admission, state, self._versions, self._authorizer)
            if kind is not None:
                asked.append((hook, kind))
        if not asked:
            return
        results = await asyncio.gather(
            *(ask(hook, kind, admission, state, mutating=False) for hook, kind in asked), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result


async def meant(
    hook: Webhook, admission: Admission, state: State, versions: Versions, authorizer: Authorizer
) -> Kind | None:
    """The version of the object that a webhook is to be shown; None when it is not to be asked."""
    kind = webhook_rules.wanted_kind(hook, admission, versions(admission.kind))
    if kind is None or not webhook_rules.on_objects(hook, admission):
        return None
    if hook.namespaceSelector is not None and not webhook_rules.in_namespaces(
        hook, await namespace_labels(admission, state)
    ):
        return None
    if hook.matchConditions and not await _hold(hook, kind, admission, authorizer):
        return None
    return kind


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
