"""ValidatingAdmissionPolicy and MutatingAdmissionPolicy: what the cluster's users let the server itself judge, in CEL.

A policy does nothing without a binding. Its expressions are compiled once for each version of it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from knarr.kinds.conversion import Unconverted
from knarr.kinds.types.admissionregistration_v1 import (
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
)
from knarr.kinds.types.core_v1 import Namespace
from knarr.meta.errors import ApiError, Cause, Forbidden, NotFound
from knarr.meta.field import at
from knarr.server.admission import Admission, State
from knarr.server.admission.concern import Concern, Versions
from knarr.server.admission.policy_invocations import Invocation, Misconfigured, Policy, invocations, policies_for
from knarr.server.admission.questions import about_request, answered
from knarr.server.admission.webhooks import about, body_of, form, take_over
from knarr.server.authorization import Authorizer

if TYPE_CHECKING:
    from knarr.kinds.cel.authorization import Answers
    from knarr.kinds.policy_expressions import Compiled
    from knarr.server.admission.policy_evaluation import Inputs, Refusal

CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}


class Programs:
    """Compiled policies, as long as they are what they were."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[str, int], Compiled]] = {}

    def of(self, policy: Policy, all_: Sequence[Policy]) -> "Compiled":
        from knarr.kinds.policy_expressions import compile_policy

        name, mark = policy.metadata.name, (policy.metadata.uid, policy.metadata.generation or 0)
        known = self._kept.get(name)
        if known is None or known[0] != mark:
            there = {other.metadata.name for other in all_}
            self._kept = {other: kept for other, kept in self._kept.items() if other in there}
            known = self._kept[name] = mark, compile_policy(policy)
        return known[1]


class ValidatingPolicies:
    def __init__(self, versions: Versions, authorizer: Authorizer) -> None:
        self._versions, self._authorizer = versions, authorizer
        self._concern = Concern(policies_for, versions)
        self._programs = Programs()

    async def admit(self, admission: Admission, state: State) -> None:
        policies = await state.list(ValidatingAdmissionPolicy)
        bindings = await state.list(ValidatingAdmissionPolicyBinding) if policies else ()
        if not bindings:
            return
        denials: list[tuple[str, str]] = []  # message and reason
        candidates = self._concern.of(admission, policies, bindings)
        async for found in invocations(candidates, admission, state, self._versions):
            if isinstance(found, Misconfigured):
                if found.policy.spec.failurePolicy != "Ignore":
                    denials.append((f"{_told(found)} denied request: {found.why}", "Invalid"))
                continue
            for refusal in await self._refusals(found, policies, admission, state):
                self._take(found, refusal, admission, denials)
        if denials:
            message, reason = denials[0]
            error = admission.refuse(message, [Cause("", message)])
            error.reason, error.code = reason, CODES[reason]
            raise error

    def _take(
        self, found: Invocation, refusal: "Refusal", admission: Admission, denials: list[tuple[str, str]]
    ) -> None:
        """Do with a refusal what the binding says."""
        assert isinstance(found.binding, ValidatingAdmissionPolicyBinding)
        actions = found.binding.spec.validationActions
        if "Deny" in actions:
            denials.append((f"{_told(found)} denied request: {refusal.message}", refusal.reason or "Invalid"))
        if "Warn" in actions:
            admission.warnings.append(f"Validation failed for {_told(found)}: {refusal.message}")

    async def _refusals(
        self, found: Invocation, policies: Sequence[ValidatingAdmissionPolicy], admission: Admission, state: State
    ) -> "Sequence[Refusal]":
        from knarr.server.admission.policy_evaluation import refusals

        policy = found.policy
        assert isinstance(policy, ValidatingAdmissionPolicy)
        compiled, inputs = self._programs.of(policy, policies), await _inputs(found, admission, state)
        return await answered(lambda answers: refusals(policy, compiled, inputs, answers), admission, self._authorizer)


class MutatingPolicies:
    def __init__(self, versions: Versions, authorizer: Authorizer) -> None:
        self._versions, self._authorizer = versions, authorizer
        self._concern = Concern(policies_for, versions)
        self._programs = Programs()

    async def admit(self, admission: Admission, state: State) -> None:
        policies = await state.list(MutatingAdmissionPolicy)
        bindings = await state.list(MutatingAdmissionPolicyBinding) if policies else ()
        if not bindings:
            return
        calls, troubles = admission.policies, list[tuple[str, str]]()
        calls.begin(admission.tree)
        candidates = self._concern.of(admission, policies, bindings)
        found = [one async for one in invocations(candidates, admission, state, self._versions)]
        for one in found:
            if isinstance(one, Misconfigured):
                if one.policy.spec.failurePolicy != "Ignore":
                    troubles.append((f"{_named(one)} denied request: {one.why}", ""))
            elif calls.wants(one.key):
                why = await self._change(one, self._programs.of(one.policy, policies), admission, state)
                if why and one.policy.spec.failurePolicy != "Ignore":
                    troubles.append((f"{_named(one)} denied request: {why}", "Invalid"))
        calls.end(admission.tree)
        if troubles:
            raise _denied(admission, troubles)

    async def _change(self, found: Invocation, compiled: "Compiled", admission: Admission, state: State) -> str:
        """Carry out a policy's mutations; what went wrong, "" when nothing did."""
        from knarr.server.admission.policy_evaluation import Evaluation, Trouble, meant
        from knarr.server.admission.policy_patches import changed

        policy, calls, trouble = found.policy, admission.policies, ""
        assert isinstance(policy, MutatingAdmissionPolicy)
        kind = found.kind if body_of(admission) is None else None
        inputs = await _inputs(found, admission, state)
        try:
            if not await answered(lambda a: meant(policy, compiled, inputs, a), admission, self._authorizer):
                return ""
        except Trouble as why:
            return str(why)
        whole = form(admission, found.kind, admission.tree)
        for index, mutation in enumerate(policy.spec.mutations):
            before = form(admission, found.kind, admission.tree)
            if before is None:
                break  # nothing to change
            path, inputs = at("spec", "mutations", index), await _inputs(found, admission, state)

            def work(answers: "Answers", mutation=mutation, path=path, before=before, inputs=inputs):  # type: ignore[no-untyped-def]
                return changed(mutation, path, before, kind, Evaluation(compiled, inputs, answers))

            try:
                take_over(admission, found.kind, await answered(work, admission, self._authorizer))
            except Unconverted:
                raise
            except (Trouble, ApiError) as why:
                trouble = trouble or str(why)
        if form(admission, found.kind, admission.tree) != whole:
            calls.changed()
        if policy.spec.reinvocationPolicy == "IfNeeded":
            calls.called.add(found.key)
        return trouble


async def _inputs(found: Invocation, admission: Admission, state: State) -> "Inputs":
    """What a policy's expressions see of a request."""
    from knarr.kinds.policy_expressions import NAMESPACE, REQUEST, shown
    from knarr.server.admission.policy_evaluation import Inputs

    kind = found.kind
    new, old = (form(admission, kind, tree) for tree in (admission.tree, admission.old))
    request = about("v1", admission, kind, None, None)["request"]
    namespace = None
    if admission.kind.namespaced and admission.namespace:
        core = state.kind("", "v1", Namespace.__name__)
        namespace = state.tree(core, "", admission.namespace) if core is not None else None
        if namespace is None:
            raise NotFound(f'namespaces "{admission.namespace}" not found', kind="namespaces", name=admission.namespace)
    names = {
        "object": new,
        "oldObject": old,
        "request": shown(request, REQUEST),
        "namespaceObject": shown(namespace, NAMESPACE),
        "params": found.params,
    }
    return Inputs(names, about_request(admission, kind))


def _told(found: Invocation | Misconfigured) -> str:
    name = f"ValidatingAdmissionPolicy '{found.policy.metadata.name}'"
    return name if found.binding is None else f"{name} with binding '{found.binding.metadata.name}'"


def _named(found: Invocation | Misconfigured) -> str:
    name = found.policy.metadata.name
    return (
        f'policy "{name}"' if found.binding is None else f"policy '{name}' with binding '{found.binding.metadata.name}'"
    )


def _denied(admission: Admission, troubles: Sequence[tuple[str, str]]) -> Forbidden:
    """The 403 of mutating policies: what the first says, with the others as causes."""
    error = admission.refuse("", [Cause("", message) for message, _ in troubles])
    error.message, reason = troubles[0]
    error.reason = reason or error.reason
    error.args = (error.message,)
    return error
