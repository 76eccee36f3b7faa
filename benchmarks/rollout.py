"""How soon workloads are what they are meant to be: Deployments, StatefulSets, Jobs and CronJobs on simulated nodes.

    python -m benchmarks rollout [--runs 3] [--quick] [--nodes 10] [--json FILE] [--plot FILE] [--write-docs]
    python -m benchmarks rollout --growth          one Deployment of 500 and one of 10,000 pods, on 200 nodes
    python -m benchmarks rollout --kubeconfig F    the same on any Kubernetes, in a namespace that is removed again

knarr's own cluster is fresh for each run and durable. Time is counted from the request until a watch shows the workload
as it is wanted, as `kubectl rollout status` sees it; what is counted (pods gone, Jobs started) is asked for each 10 ms,
after a second each hundredth of the time so far.
On another cluster the pods must be able to run: choose --image.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import workloads
from benchmarks.fresh import fresh
from benchmarks.process import cpu
from benchmarks.report import DOCS, Run, about, boxes, goal_in, medians, pyplot, say, write_docs
from knarr.client import kubeconfig
from knarr.client.api import Api
from knarr.kinds.types.apps_v1 import Deployment, StatefulSet
from knarr.kinds.types.base import Type
from knarr.kinds.types.batch_v1 import Job
from knarr.kinds.types.core_v1 import Namespace
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta.errors import NotFound

T = TypeVar("T", bound=Type)
GOALS = {  # seconds
    "Deployment of 500 Ready": 1.5,
    "Deployment of 500 rolled, 25%/25%": 4.0,
    "Deployment of 500 deleted": 1.5,
    "StatefulSet of 10 Ready in order": 1.0,
    "StatefulSet of 10 rolled": 2.0,
    "Job of 1000 indexed completions, 100 at once": 6.0,
    "1000 CronJobs due in one minute": 3.0,
}
GROWTH = 1.5  #: times what a pod of 500 costs, for a pod of 10,000
PAUSE, PATIENCE = 0.01, 600.0  #: seconds between two questions, and until what does not come is given up
CALM = 1.0  #: seconds without a new event, after which all that a step has caused is written


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks rollout", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, once")
    parser.add_argument("--growth", action="store_true", help="compare what a pod of many costs with one of few")
    parser.add_argument(
        "--nodes",
        type=int,
        help="simulated nodes of knarr's own cluster: 10, and 200 for --growth, which the surge needs",
    )
    parser.add_argument("--image", default="example.com/app", help="of the pods")
    parser.add_argument("--only", default="", help="the stages with this in their name")
    parser.add_argument("--kubeconfig", type=Path, help="measure this cluster instead of fresh ones")
    parser.add_argument("--json", type=Path, help="write every figure here")
    parser.add_argument("--plot", type=Path, help="draw the times into this PNG (needs matplotlib)")
    parser.add_argument("--write-docs", action="store_true", help=f"put the table into {DOCS.name}")
    given = parser.parse_args(arguments)
    scale = 10 if given.quick else 1
    stages = growth_stages(scale) if given.growth else all_stages(scale)
    chosen = [stage for stage in stages if given.only in stage[0]]
    runs: list[Run] = []
    for number in range(1 if given.quick else given.runs):
        say(f"run {number + 1}")
        with cluster(given.kubeconfig, given.nodes or (200 if given.growth else 10)) as (file, used):
            runs.append(asyncio.run(measure(file, chosen, given.image, used)))
    lines = [*table(runs), *(growth(runs, scale) if given.growth else ())]
    print("\n".join(lines))
    if given.json:
        given.json.write_text(json.dumps({"about": about(), "runs": runs}, indent=2) + "\n")
    if given.plot:
        plot(runs, given.plot)
    if given.write_docs:
        write_docs("rollout", lines)


# The stages


class Stage:
    """What a stage works with: the API, a namespace of its own, the pods' image, and the seconds of CPU that the server
    used so far, zero where that is not known.
    """

    def __init__(
        self, api: Api, space: str, image: str, note: Callable[[str, float], None], used: Callable[[], float]
    ) -> None:
        self.api, self.space, self.image, self.note, self.used = api, space, image, note, used

    async def create(self, tree: dict[str, Any]) -> None:
        path = workloads.path(tree, self.space)
        await self.api.raw("POST", path, body=json.dumps(tree).encode(), headers={"content-type": "application/json"})

    async def patch(self, path: str, change: Any) -> None:
        headers = {"content-type": "application/strategic-merge-patch+json"}
        await self.api.raw("PATCH", path, body=json.dumps(change).encode(), headers=headers)

    async def delete(self, path: str) -> None:
        body = json.dumps({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}).encode()
        await self.api.raw("DELETE", path, body=body, headers={"content-type": "application/json"})

    async def count(self, path: str) -> int:
        """How many objects a collection has, asked as cheaply as the API allows."""
        answer = await self.api.raw("GET", path, query=[("limit", "1")])
        page = json.loads(answer.body)
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))

    async def shown(self, name: str, type_: type[T], holds: Callable[[T], bool], since: float) -> None:
        """Note the seconds from `since` until the namespace's only object of a type is shown to be as wanted."""
        with gives_up(name):
            async with asyncio.timeout(PATIENCE):
                while not await self._shows(type_, holds):
                    pass  # the server has ended the watch
        self.note(name, time.perf_counter() - since)

    async def _shows(self, type_: type[T], holds: Callable[[T], bool]) -> bool:
        async with aclosing(self.api.watch(type_, self.space)) as changes:
            async for change in changes:
                if change.type != "BOOKMARK" and holds(change.object):
                    return True
        return False

    async def calm(self) -> None:
        """Return when nothing is left to be written about what was done: no event has come for a while."""
        path, known, since = f"/api/v1/namespaces/{self.space}/events", -1, time.perf_counter()
        with gives_up("all events"):
            async with asyncio.timeout(PATIENCE):
                while time.perf_counter() - since < CALM:
                    if (found := await self.count(path)) != known:
                        known, since = found, time.perf_counter()
                    await asyncio.sleep(PAUSE * 10)

    async def counted(self, name: str, path: str, holds: Callable[[int], bool], since: float) -> None:
        """Note the seconds from `since` until it holds of how many objects a collection has."""
        with gives_up(name):
            async with asyncio.timeout(PATIENCE):
                while not holds(await self.count(path)):  # noqa: ASYNC110 (nothing here would tell)
                    await asyncio.sleep(max(PAUSE, (time.perf_counter() - since) / 100))
        self.note(name, time.perf_counter() - since)


@contextmanager
def gives_up(name: str) -> Iterator[None]:
    """End the benchmark with what was waited for in vain."""
    try:
        yield
    except TimeoutError:
        raise SystemExit(f"{name}: not within {PATIENCE:.0f} s") from None


async def deployment(stage: Stage, count: int) -> None:
    """Created, rolled and deleted."""
    for name, step in DEPLOYMENT.items():
        await step(stage, name.format(count), count)


async def deployment_apart(stage: Stage, count: int) -> None:
    """The same, each step when nothing is left to do of the one before; and the CPU until then, where it is known."""
    for name, step in DEPLOYMENT.items():
        before = stage.used()
        await step(stage, name.format(count), count)
        await stage.calm()
        if used := stage.used():
            stage.note(f"{name.format(count)}, CPU", used - before)


async def create(stage: Stage, name: str, count: int) -> None:
    began = time.perf_counter()
    await stage.create(workloads.deployment(count, stage.image))
    await stage.shown(name, Deployment, partial(workloads.is_complete, count=count), began)


async def roll(stage: Stage, name: str, count: int) -> None:
    began = time.perf_counter()
    await stage.patch(WEB.format(stage.space), workloads.NEW_TEMPLATE)
    await stage.shown(name, Deployment, partial(workloads.is_complete, count=count), began)


async def delete(stage: Stage, name: str, count: int) -> None:
    began = time.perf_counter()
    await stage.delete(WEB.format(stage.space))
    await stage.counted(name, f"/api/v1/namespaces/{stage.space}/pods", lambda left: left == 0, began)


WEB = "/apis/apps/v1/namespaces/{}/deployments/web"
DEPLOYMENT = {
    "Deployment of {} Ready": create,
    "Deployment of {} rolled, 25%/25%": roll,
    "Deployment of {} deleted": delete,
}


async def statefulset(stage: Stage, count: int) -> None:
    """Created in order and rolled."""
    path = f"/apis/apps/v1/namespaces/{stage.space}/statefulsets/db"
    rolled = partial(workloads.is_rolled, count=count)
    began = time.perf_counter()
    await stage.create(workloads.statefulset(count, stage.image))
    await stage.shown(f"StatefulSet of {count} Ready in order", StatefulSet, rolled, began)
    began = time.perf_counter()
    await stage.patch(path, workloads.NEW_TEMPLATE)
    await stage.shown(f"StatefulSet of {count} rolled", StatefulSet, rolled, began)


async def job(stage: Stage, count: int) -> None:
    """Indexed completions, 100 at once."""
    began = time.perf_counter()
    await stage.create(workloads.job(count, 100, stage.image))
    name = f"Job of {count} indexed completions, 100 at once"
    await stage.shown(name, Job, lambda found: found.status.succeeded == count, began)


async def cronjobs(stage: Stage, count: int) -> None:
    """Started, counted from the minute in which all are due."""
    at = time.time()  # noqa: TID251 (the schedule is the wall clock's)
    left = 60 - at % 60
    if left < 10 + count / 100:
        await asyncio.sleep(left)
        left = 60
    due = time.perf_counter() + left
    for number in range(count):
        await stage.create(workloads.cronjob(number, stage.image))
    if time.perf_counter() > due:
        raise SystemExit(f"{count} CronJobs could not be created within a minute")
    await asyncio.sleep(due - time.perf_counter())
    jobs = f"/apis/batch/v1/namespaces/{stage.space}/jobs"
    await stage.counted(f"{count} CronJobs due in one minute", jobs, lambda started: started >= count, due)


Named = tuple[str, Callable[[Stage, int], Awaitable[None]], int]


def all_stages(scale: int) -> list[Named]:
    return [
        ("deployment", deployment, 500 // scale),
        ("statefulset", statefulset, 10),
        ("job", job, 1000 // scale),
        ("cronjobs", cronjobs, 1000 // scale),
    ]


def growth_stages(scale: int) -> list[Named]:
    return [("few", deployment_apart, 500 // scale), ("many", deployment_apart, 10_000 // scale)]


# The cluster


@contextmanager
def cluster(file: Path | None, nodes: int) -> Iterator[tuple[Path, Callable[[], float]]]:
    """The kubeconfig of the cluster, the one given or that of a fresh one; and what CPU its server has used."""
    if file is not None:
        yield file, lambda: 0.0
        return
    with fresh(nodes) as found:
        yield found.kubeconfig, partial(cpu, found.server)


async def measure(file: Path, stages: Iterable[Named], image: str, used: Callable[[], float]) -> Run:
    """One run: each stage in a namespace of its own, with nothing of the one before left."""
    found: Run = {}

    def note(name: str, seconds: float) -> None:
        found[name] = seconds
        say(f"  {name}: {seconds:.2f} s")

    transport = kubeconfig.load(file).transport()
    api = Api(transport, user_agent="benchmark")
    try:
        for name, stage, count in stages:
            async with namespace(api, f"knarr-bench-{name}") as space:
                await stage(Stage(api, space, image, note, used), count)
    finally:
        await api.close()
    return found


@asynccontextmanager
async def namespace(api: Api, name: str) -> AsyncIterator[str]:
    """A namespace that is gone after the block, and everything in it."""
    await api.create(Namespace(metadata=ObjectMeta(name=name)))
    try:
        yield name
    finally:
        await api.delete(Namespace, name)
        with suppress(NotFound):
            while await api.get(Namespace, name):  # noqa: ASYNC110 (nothing here would tell)
                await asyncio.sleep(PAUSE * 10)


# The report


def table(runs: list[Run]) -> Iterable[str]:
    return medians(runs, goal_in(GOALS), ", in seconds")


def growth(runs: list[Run], scale: int) -> Iterable[str]:
    """How many times what a pod of few costs a pod of many does: until it is seen, and in CPU until nothing is left."""
    few, many = 500 // scale, 10_000 // scale
    yield ""
    for name in (f"{step}{what}" for step in DEPLOYMENT for what in ("", ", CPU")):
        if all(name.format(few) in run for run in runs):
            small = statistics.median(run[name.format(few)] for run in runs) / few
            large = statistics.median(run[name.format(many)] for run in runs) / many
            what = name.removeprefix("Deployment of {} ")
            yield f"- {what}: {small * 1000:.2f} ms for each of {few} pods, {large * 1000:.2f} ms for each of {many}:"
            yield f"  {large / small:.2f} times (goal: less than {GROWTH})."


def plot(runs: list[Run], file: Path) -> None:
    boxes(pyplot(), {name: [run[name] for run in runs] for name in runs[0]}, GOALS, "seconds", file)
