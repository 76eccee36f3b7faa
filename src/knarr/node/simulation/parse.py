"""Reads a file of stages (YAML), checks all of it, and says where something is wrong: `FILE:LINE: FIELD: the rule`.

Refused are unknown and repeated fields, values of the wrong kind, delays that cannot be, names that are not there or
there twice, stages that follow one another in a circle, and effects that cannot happen when they are to.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

import yaml

from knarr.node.simulation import values
from knarr.node.simulation.stages import (
    Condition,
    Exit,
    Failure,
    Match,
    NodeEffect,
    NodeStage,
    PodEffect,
    PodStage,
    Point,
    Stage,
    Stages,
    When,
)
from knarr.node.simulation.values import Bad, Fields, Value

COMMON = {"name", "match", "delay", "jitter", "probability", "weight", "follows", "effect"}
MATCH_POD = {"name", "namespace", "labels", "annotations", "owner", "container", "image"}
MATCH_NODE = {"name", "labels"}
#: the effects that can happen at each moment of a container
POSSIBLE: Mapping[str, frozenset[str]] = {
    "pulling": frozenset({"failure"}),
    "starting": frozenset({"failure"}),
    "running": frozenset({"exit", "probes", "usage"}),
    "stopping": frozenset({"exit"}),
}


def parse_file(file: Path) -> Stages:
    """The stages in a file. Bad, with the line, when they cannot be; OSError when the file cannot be read."""
    return parse(file.read_text(), str(file))


def parse(text: str, file: str = "stages") -> Stages:
    """The stages in a text. Bad, with the line, when they cannot be."""
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Bad(f"{file}:{line}: no YAML: {error.problem}") from error
    if root is None:
        return Stages()
    top = Value(root, "", file).fields({"pods", "nodes"})
    pods = [pod_stage(each) for each in top.items("pods")]
    nodes = [node_stage(each) for each in top.items("nodes")]
    for where, stages in ((top.get("pods"), pods), (top.get("nodes"), nodes)):
        if where is not None:
            check_order(where, stages)
    return Stages(tuple(pods), tuple(nodes))


# -------------------------------------------------------------------- stages


def pod_stage(value: Value) -> PodStage:
    given = value.fields(COMMON | {"when"})
    when = cast(When, given.one_of("when", get_args(When), "running"))
    common = stage(given, MATCH_POD)
    if common.follows and when != "running":
        raise given.bad("follows", f"a stage of {when} follows none")
    match = given.get("match")
    if when == "pulling" and match is not None and (match.names() - {"image"}):
        raise match.bad("a stage of pulling matches images only: an image is pulled for a node, not for a pod")
    return PodStage(**as_fields(common), when=when, effect=pod_effect(given, when))


def node_stage(value: Value) -> NodeStage:
    given = value.fields(COMMON)
    effect = given.fields("effect", {"conditions", "agent", "network"})
    conditions = tuple(condition(each) for each in effect.items("conditions"))
    agent = cast(Literal["", "stop", "start"], effect.one_of("agent", ("stop", "start"), ""))
    network = cast(Literal["", "partition", "heal"], effect.one_of("network", ("partition", "heal"), ""))
    return NodeStage(**as_fields(stage(given, MATCH_NODE)), effect=NodeEffect(conditions, agent, network))


def stage(given: Fields, match: Collection[str]) -> Stage:
    """What both kinds have."""
    return Stage(
        name=given.required("name").text(),
        match=matching(given.fields("match", match)),
        delay=given.read("delay", Value.seconds, 0.0),
        jitter=given.read("jitter", Value.seconds, 0.0),
        probability=given.read("probability", lambda value: value.number(0.0, 1.0), 1.0),
        weight=given.read("weight", lambda value: value.number(0.0, values.MOST), 1.0),
        follows=given.read("follows", Value.text, ""),
    )


def as_fields(common: Stage) -> dict[str, Any]:
    return {name: getattr(common, name) for name in Stage.__dataclass_fields__}


def matching(given: Fields) -> Match:
    texts = {name: given.read(name, Value.text, "") for name in MATCH_POD - {"labels", "annotations"}}
    nothing: dict[str, str] = {}
    labels, annotations = (given.read(name, Value.texts, nothing) for name in ("labels", "annotations"))
    return Match(**texts, labels=labels, annotations=annotations)


def pod_effect(given: Fields, when: str) -> PodEffect:
    effect = given.fields("effect", {"failure", "exit", "probes", "usage"})
    for name in effect.names() - POSSIBLE[when]:
        raise effect.bad(name, f"cannot happen when {when}; what can: {', '.join(sorted(POSSIBLE[when]))}")
    points = tuple(point(each) for each in effect.items("usage"))
    times = [each.at for each in points]
    if times != sorted(set(times)):
        raise effect.bad("usage", "its points must be in the order of their times, each later than the one before")
    failure, ends = effect.get("failure"), effect.get("exit")
    return PodEffect(
        failure=fails(failure) if failure is not None else None,
        exit=exits(ends) if ends is not None else None,
        probes=cast(Literal["", "pass", "fail"], effect.one_of("probes", ("pass", "fail"), "")),
        usage=points,
    )


def fails(value: Value) -> Failure:
    given = value.fields({"reason", "message"})
    return Failure(given.required("reason").text(), given.read("message", Value.text, "simulated"))


def exits(value: Value) -> Exit:
    given = value.fields({"code", "signal", "reason", "message"})
    return Exit(
        code=given.read("code", lambda each: each.whole(0, 255), 0),
        signal=given.read("signal", lambda each: each.whole(0, 64), 0),
        reason=given.read("reason", Value.text, ""),
        message=given.read("message", Value.text, ""),
    )


def point(value: Value) -> Point:
    given = value.fields({"at", "cpu", "memory"})
    read = Value.quantity
    return Point(given.read("at", Value.seconds, 0.0), given.read("cpu", read, 0.0), given.read("memory", read, 0.0))


def condition(value: Value) -> Condition:
    given = value.fields({"type", "status", "reason", "message"})
    type_, status = given.required("type").text(), given.one_of("status", ("True", "False", "Unknown"), "")
    if not status:
        raise value.bad("status is missing")
    return Condition(
        type_, status, given.read("reason", Value.text, "Simulated"), given.read("message", Value.text, "")
    )


# --------------------------------------------------------------------- order


def check_order(where: Value, stages: Sequence[Stage]) -> None:
    """Refuse names that are there twice or not at all, and circles."""
    lines = where.items()
    known: dict[str, Stage] = {}
    for value, each in zip(lines, stages, strict=True):
        if each.name in known:
            raise value.bad(f"name {each.name!r} is there twice")
        known[each.name] = each
    for value, each in zip(lines, stages, strict=True):
        passed = [each.name]
        while follows := known[passed[-1]].follows:
            if follows not in known:
                raise value.bad(f"follows {follows!r}, and no stage has that name")
            if getattr(known[follows], "when", "running") != "running":
                raise value.bad(f"follows {follows!r}, which is no stage of running")
            if follows in passed:
                raise value.bad(f"follows itself: {' after '.join([*passed, follows])}")
            passed.append(follows)
