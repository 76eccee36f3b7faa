"""Ask a server what was asked of upstream, and compare the two answers."""

import copy
import gzip
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("upstream-1.36.2.jsonl.gz")
JSON = "application/json"

#: who made the recording: entries of other managers are their servers' own
MANAGERS = {"golden", "m1", "m2", "hpa", "creator"}
#: what differs between any two servers
LEFT_OUT = {"deployment.kubernetes.io/revision", "selfLink", "apiServerAddresses", "serverAddressByClientCIDRs"}
#: the cases that are about managedFields; elsewhere the order of their entries is nobody's concern
ABOUT_MANAGERS = ("apply", "scale")
#: the ConfigMap that the recorded build mounts into every pod beside upstream's own
VENDORS = "openshift-service-ca.crt"
COUNTERS = ("resourceVersion", "continue", "storageVersionHash", "hash")
MARKS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "{time}"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "{uid}"),
    (re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL), "{cert}"),
    (re.compile(r"(\{cert\})+"), "{cert}"),  # a chain of any length
    (re.compile(r"kube-api-access-[a-z0-9]{5}"), "kube-api-access-{rand}"),
    (re.compile(r"(resourceVersion|resource version|version)[:=]? ?\"?\d{2,}"), r"\1 {rv}"),
    (re.compile(r"@@ -\d+,(\d+) \+\d+,(\d+) @@"), r"@@ -,\1 +,\2 @@"),  # the vendor's mount moves a pod's lines
    (re.compile(r"\b10\.\d+\.\d+\.\d+\b"), "{ip}"),
)


@dataclass(frozen=True)
class Answer:
    code: int
    body: Any
    warnings: list[str] = field(default_factory=list)


#: (method, path with query, body, headers) -> answer
Ask = Callable[[str, str, bytes, dict[str, str]], Awaitable[Answer]]


@dataclass(frozen=True)
class Case:
    id: str
    steps: list[dict[str, Any]]
    answers: list[dict[str, Any]]

    async def differences(self, ask: Ask, namespace: str) -> list[str]:
        """What the server answers otherwise than upstream, as "step 0 .spec.replicas: want 1, got 2"."""
        found = []
        for number, (step, wanted) in enumerate(zip(self.steps, self.answers, strict=True)):
            got = vars(await _carry_out(step, ask, namespace))
            about_managers = self.id.startswith(ABOUT_MANAGERS)
            want, have = (_comparable(answer, namespace, about_managers) for answer in (wanted, got))
            found += [f"step {number} {difference}" for difference in _compare(want, have)]
        return found


def cases() -> Iterator[Case]:
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield Case(**json.loads(line))


async def _carry_out(step: dict[str, Any], ask: Ask, namespace: str) -> Answer:
    path = step["path"].replace("{ns}", namespace)
    method, body = step["method"], step.get("body")
    accept = step.get("accept", JSON)
    if method == "PUT*":
        method, (where, value) = "PUT", step["body"]
        body = _changed((await ask("GET", path, b"", {"accept": JSON})).body, where, value)
    headers = {"accept": accept, "user-agent": "golden"}
    data = b""
    if body is not None:
        headers["content-type"] = step.get("type", JSON)
        data = (body if isinstance(body, str) else json.dumps(body)).replace("{ns}", namespace).encode()
    answer = await ask(method, path, data, headers)
    table = accept.startswith("application/json;as=Table") and isinstance(answer.body, dict)
    return Answer(answer.code, _cells(answer.body), answer.warnings) if table else answer


def _changed(tree: Any, path: str, value: Any) -> Any:
    """A copy with a value at a dotted path."""
    tree = copy.deepcopy(tree)
    *way, last = path.split(".")
    here = tree
    for key in way:
        here = here[int(key)] if isinstance(here, list) else here.setdefault(key, {})
    here[int(last) if isinstance(here, list) else last] = value
    return tree


def _cells(table: Any) -> Any:
    shape = ("name", "type", "format", "priority")
    columns = [{key: column.get(key) for key in shape} for column in table.get("columnDefinitions") or []]
    return {"columnDefinitions": columns, "cells": [row.get("cells") for row in table.get("rows") or []]}


def _comparable(answer: dict[str, Any], namespace: str, about_managers: bool) -> Any:
    """An answer without what differs between any two servers, or between two moments of one."""
    found = _cleaned(_marked(answer, namespace), LEFT_OUT | (set() if about_managers else {"managedFields"}))
    body = found.get("body")
    if found.get("code") != 201 and isinstance(body, dict) and body.get("kind") != "Status":
        items = body.get("items")
        for tree in [body, *(items if isinstance(items, list) else [])]:
            if isinstance(tree, dict):
                tree.pop("status", None)  # controllers may have filled it in meanwhile
    return found


def _marked(value: Any, namespace: str, key: str = "") -> Any:
    if isinstance(value, dict):
        return {_marked(name, namespace): _marked(inner, namespace, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_marked(inner, namespace, key) for inner in value]
    if key in COUNTERS and value not in ("", None):
        return "{" + key + "}"
    if isinstance(value, str):
        value = value.replace(namespace, "{ns}")
        for pattern, sign in MARKS:
            value = pattern.sub(sign, value)
    return value


def _cleaned(value: Any, left_out: set[str]) -> Any:
    if isinstance(value, dict):
        if isinstance(entries := value.get("managedFields"), list):
            value = value | {"managedFields": [entry for entry in entries if entry.get("manager") in MANAGERS]}
        kept = {key: _cleaned(inner, left_out) for key, inner in value.items() if key not in left_out}
        return {key: inner for key, inner in kept.items() if inner not in (None, {}, [])}
    if isinstance(value, list):
        return [_cleaned(inner, left_out) for inner in value if not _vendors(inner)]
    return value


def _vendors(value: Any) -> bool:
    return isinstance(value, dict) and (value.get("configMap") or {}).get("name") == VENDORS


def _compare(want: Any, have: Any, path: str = "") -> Iterator[str]:
    if isinstance(want, dict) and isinstance(have, dict):
        for key in sorted(want.keys() | have.keys()):
            if key not in have:
                yield f"{path}.{key}: missing"
            elif key not in want:
                yield f"{path}.{key}: got {json.dumps(have[key])}"
            else:
                yield from _compare(want[key], have[key], f"{path}.{key}")
    elif isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        for index, pair in enumerate(zip(want, have, strict=True)):
            yield from _compare(*pair, f"{path}[{index}]")
    elif want != have:
        yield f"{path}: want {json.dumps(want)}, got {json.dumps(have)}"
