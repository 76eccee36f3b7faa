"""That no verb of any kind is slow with a thousand objects of each kind there. Part of `api`."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from typing import Any

from benchmarks.bodies import KINDS, Sample
from benchmarks.target import Target

LIMIT = 20.0  #: milliseconds at the median
CONFLICT, GONE = 409, 404
LOOKS, PAUSE = 20, 0.05  #: at what is to go, and seconds between them
SETTLING, AT_REST = 300, 0.2  #: seconds at most, and of CPU in one of them
TIMES = 5  #: each verb is tried so often for each kind
NAMESPACE = "knarr-benchmark-kinds"
#: a thousand events alone: those in which controllers tell of all the others stand beside the others
OF_THEIR_OWN = {"events": "knarr-benchmark-events"}
Tree = dict[str, Any]


def check(target: Target, count: int, say: Callable[[str], None]) -> list[str]:
    """Fill, time, remove; lines for the report."""
    for name in (NAMESPACE, *OF_THEIR_OWN.values()):
        tree = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        target.one("POST", "/api/v1/namespaces", tree)
    try:
        for sample in KINDS:
            say(f"  {count} {sample.plural}")
            shape = {"method": "POST", "path": folder(sample), "body": json.dumps(sample.tree("filled-{n}"))}
            target.run({"count": count, "requests": [shape]})
        say("  until the controllers are done with them")
        settle(target)
        connection = target.connection()
        found = {
            (sample.plural, verb): median
            for sample in KINDS
            for verb, median in verbs(connection, sample, target.headers)
        }
        lines = list(report(found, count))
        say("\n".join(lines))
    finally:
        say("  removing them")
        for sample in reversed(KINDS):  # custom resources and other servers' before the namespaces that list them
            if not sample.namespaced:
                shape = {"method": "DELETE", "path": f"{sample.path('')}/{sample.name('filled-{n}')}"}
                target.run({"count": count, "requests": [shape]}, lenient=True)
        for name in (NAMESPACE, *OF_THEIR_OWN.values()):
            target.one("DELETE", f"/api/v1/namespaces/{name}")
    return lines


def folder(sample: Sample) -> str:
    return sample.path(OF_THEIR_OWN.get(sample.plural, NAMESPACE))


def settle(target: Target) -> None:
    """Wait until a server of which the CPU is known has little to do any more; what it does then is no request's."""
    for _ in range(SETTLING):
        before = target.cpu()
        time.sleep(1)
        if target.cpu() - before < AT_REST:
            return


def report(found: dict[tuple[str, str], float], count: int) -> Iterator[str]:
    slowest = sorted(found.items(), key=lambda item: -item[1])
    yield ""
    yield f"With {count} objects of each of {len(KINDS)} kinds, the slowest of {len(found)} operations at the median:"
    yield ", ".join(f"{verb} {plural} {median:.1f} ms" for (plural, verb), median in slowest[:5]) + "."
    over = [item for item in slowest if item[1] > LIMIT]
    yield f"{len(over)} of them take more than {LIMIT:.0f} ms."


def verbs(connection: HTTPSConnection, sample: Sample, headers: dict[str, str]) -> Iterator[tuple[str, float]]:
    """Every verb of one kind with its median in milliseconds."""

    def send(
        method: str, path: str, body: Any = None, type_: str = "application/json", refused: int = 0
    ) -> tuple[float, Tree]:
        data = json.dumps(body) if body is not None else None
        began = time.perf_counter()
        connection.request(method, path, data, headers | ({"Content-Type": type_} if data else {}))
        answer = connection.getresponse()
        raw = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status >= 300 and answer.status != refused:
            raise SystemExit(f"{method} {path}: {answer.status} {raw[:300].decode(errors='replace')}")
        found: Tree = json.loads(raw)
        return took, found

    def update(path: str) -> float:
        """Change what is there; again when a controller came in between."""
        while True:
            tree = send("GET", path)[1]
            tree["metadata"]["annotations"] = {"updated": "yes"}
            took, answer = send("PUT", path, tree, refused=CONFLICT)
            if answer.get("code") != CONFLICT:
                return took

    base, times = folder(sample), dict[str, list[float]]()
    for turn in range(TIMES):
        name = sample.name(f"timed-{turn}")
        one = f"{base}/{name}"
        head = {"apiVersion": sample.version, "kind": sample.kind}
        applied = head | {"metadata": {"name": name, "annotations": {"applied": "yes"}}}
        note = {"metadata": {"annotations": {"patched": "yes"}}}
        took = {
            "create": send("POST", base, sample.tree(f"timed-{turn}"))[0],
            "get": send("GET", one)[0],
            "update": update(one),
            "merge patch": send("PATCH", one, note, "application/merge-patch+json")[0],
            "apply": send("PATCH", f"{one}?fieldManager=b", applied, "application/apply-patch+yaml")[0],
            "list": send("GET", base)[0],
            "page": send("GET", f"{base}?limit=500")[0],
            "delete": send("DELETE", one)[0],
        }
        for _ in range(LOOKS):  # what a deletion entails is not the next request's; a namespace may never go
            if send("GET", one, refused=GONE)[1].get("code") == GONE:
                break
            time.sleep(PAUSE)
        for verb, milliseconds in took.items():
            times.setdefault(verb, []).append(milliseconds)
    for verb, each in times.items():
        yield verb, statistics.median(each)
