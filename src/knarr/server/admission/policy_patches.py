"""What a mutating policy's expressions make of an object: merged as server-side apply merges, or patched step by step.

Loaded only where there is such a policy.
"""

import copy
from collections.abc import Iterator
from typing import Any

from knarr.kinds.cel.messages import Built, misnamed, plain
from knarr.kinds.cel.values import Failed
from knarr.kinds.kind import Kind, Tree
from knarr.kinds.types.admissionregistration_v1 import Mutation
from knarr.meta.errors import ApiError
from knarr.meta.field import at
from knarr.meta.patch import json_patch
from knarr.registry.apply import merged, normalised
from knarr.registry.fieldsets import ANY_OBJECT, Shape, children, root_shape
from knarr.server.admission.policy_evaluation import Evaluation, Trouble


def changed(mutation: Mutation, path: str, before: Tree, kind: Kind | None, evaluation: Evaluation) -> Tree:
    """The object after one mutation, `before` used up; raises Trouble. Without a kind it is of no known schema."""
    if mutation.patchType == "JSONPatch" and mutation.jsonPatch is not None:
        return _patched(evaluation, at(path, "jsonPatch", "expression"), mutation.jsonPatch.expression, before)
    assert mutation.applyConfiguration is not None, "the kind's rules want one of them"
    text = mutation.applyConfiguration.expression
    return _applied(evaluation, at(path, "applyConfiguration", "expression"), text, before, kind)


def _patched(evaluation: Evaluation, path: str, text: str, before: Tree) -> Tree:
    found = evaluation.value(path, text)
    if not isinstance(found, list) or not all(isinstance(step, Built) for step in found):
        raise Trouble("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch")
    steps = [_step(step) for step in found]
    try:
        after: Tree = json_patch(before, steps)
    except ApiError as error:
        if type(error.__cause__).__name__ == "JsonPatchTestFailed":
            return before  # a step that tests says whether the others are to be taken
        raise Trouble(f"JSONPath: {error}") from None
    return after


def _step(given: Built) -> Tree:
    if isinstance(value := given.get("value"), Built):
        for why in misnamed(value, value.type.name):
            raise Trouble(f"type mismatch: {why}")
    try:
        step: Tree = {"op": "", "path": ""} | plain(given)
    except Failed as failed:
        raise Trouble(
            f"JSONPath valueExpression evaluated to a type that could not marshal to JSON: {failed}"
        ) from None
    return step


def _applied(evaluation: Evaluation, path: str, text: str, before: Tree, kind: Kind | None) -> Tree:
    found = evaluation.value(path, text)
    if not isinstance(found, Built):
        raise Trouble(f"unsupported return type from ApplyConfiguration expression: {type(found).__name__}")
    for why in misnamed(found):
        raise Trouble(f"type mismatch: {why}")
    try:
        patch = plain(found)
    except Failed as failed:
        raise Trouble(f"invalid return type: {failed}") from None
    patch |= {key: before[key] for key in ("apiVersion", "kind") if key in before}
    shape = ANY_OBJECT if kind is None else root_shape(kind)
    if kind is not None:
        _check(kind, patch)
    if atomics := list(_atomics(patch, shape, "")):
        why = f"may not mutate atomic arrays, maps or structs: {', '.join(atomics)}"
        raise Trouble(f"error applying patch: invalid ApplyConfiguration: {why}")
    after: Tree = merged(before, patch, shape)
    return after


def _check(kind: Kind, patch: Tree) -> None:
    try:
        unknown = normalised(kind, copy.deepcopy(patch)).unknown
    except ApiError as error:
        raise Trouble(f"error applying patch: failed to convert patch object to typed object: {error}") from None
    if unknown:
        lines = [f".{path}: field not declared in schema" for path in unknown]
        told = lines[0] if len(lines) == 1 else "errors:\n  " + "\n  ".join(lines)
        raise Trouble(f"error applying patch: failed to convert patch object to typed object: {told}")


def _atomics(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """The places at which a patch would replace a whole list or map."""
    shape = shape.fits(value)
    if shape.kind == "leaf":
        if isinstance(value, dict | list):
            yield path
        return
    if value is None or shape.kind == "set":
        return
    for index, (step, child, inner) in enumerate(children(value, shape)):
        yield from _atomics(child, inner, f"{path}[{index}]" if shape.kind == "list" else f"{path}.{step[2:]}")
