"""The agent on a simulated node against a small API server: what a pod's life looks like from outside."""

import asyncio
import contextlib
import itertools
from pathlib import Path

import pytest

from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.client.resource import Resource
from knarr.client.transport import TransportError
from knarr.kinds.types.core_v1 import Pod
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.node.agent import Agent
from knarr.node.config import NodeConfig
from knarr.node.runtimes.simulated import Delays, SimulatedRuntime
from knarr.node.simulation.parse import parse
from knarr.node.volumes.folder import NoFolders
from knarr.node.volumes.volume import VolumeError
from knarr.testing import virtual_time
from tests.unit.node.builders import tree
from tests.unit.node.fake_api import FakeApi, answer

CONFIG = NodeConfig(name="n0", node_ip="172.30.0.2", folder=Path("/nowhere"), runtime="simulated", port=0)
PODS = "/api/v1/namespaces/default/pods"


class World:
    """An API server, a machine, and its agent while `agent()` is entered."""

    def __init__(self):
        self.server = FakeApi()
        self.api = Api(self.server, KINDS)
        self.runtime = SimulatedRuntime("10.244.0.0/24", delays=Delays(0, 0, 0))

    @contextlib.asynccontextmanager
    async def agent(self):
        async with Informers(self.api) as informers:
            agent = Agent(CONFIG, self.api, informers, self.runtime)
            task = asyncio.create_task(agent.run())
            try:
                yield agent
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def apply(self, name="a", **fields):
        await self.server.put(f"{PODS}/{name}", tree(name, **fields), "ADDED")

    def pod(self, name="a"):
        return self.server.objects.get(f"{PODS}/{name}")

    async def until(self, condition):
        async with asyncio.timeout(60), self.server.moved:
            await self.server.moved.wait_for(condition)

    def phase(self, name="a"):
        return (self.pod(name) or {}).get("status", {}).get("phase")

    def reasons(self):
        """What was told of pods."""
        told = [each for key, each in self.server.objects.items() if "/events/" in key]
        return [each["reason"] for each in told if each["involvedObject"]["kind"] == "Pod"]


class Kinds:
    def by_type(self, type_):
        group, version = ("coordination.k8s.io", "v1") if type_.__name__ == "Lease" else ("", "v1")
        scoped = type_.__name__ not in ("Node", "PersistentVolume")
        return Resource(type_, group, version, type_.__name__.lower() + "s", type_.__name__, scoped)


KINDS = Kinds()


async def test_a_bound_pod_runs_is_ready_and_tells_its_story():
    world = World()
    async with world.agent():
        await world.apply()
        await world.until(lambda: world.phase() == "Running" and world.reasons()[-1:] == ["Started"])
    status = world.pod()["status"]
    assert {each["type"]: each["status"] for each in status["conditions"]} == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
        "PodScheduled": "True",
    }
    assert status["podIP"].startswith("10.244.0.") and status["hostIP"] == "172.30.0.2"
    assert world.reasons()[-3:] == ["Pulled", "Created", "Started"]


async def test_a_pod_that_would_set_the_hosts_kernel_is_refused():
    world = World()
    async with world.agent():
        await world.apply(securityContext={"sysctls": [{"name": "kernel.core_pattern", "value": "|/x"}]})
        await world.until(lambda: world.phase() == "Failed" and "SysctlForbidden" in world.reasons())
        assert await world.runtime.pods() == []
    status = world.pod()["status"]
    refusal = 'Pod was rejected: forbidden sysctl: "kernel.core_pattern" not allowlisted'
    assert (status["reason"], status["message"]) == ("SysctlForbidden", refusal)


async def test_a_deleted_pod_goes_from_the_api_only_after_the_runtime_let_go():
    world = World()
    async with world.agent():
        await world.apply()
        await world.until(lambda: world.phase() == "Running")
        deleted = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}}
        await world.api.patch(Pod, "a", "default", deleted)
        await world.until(lambda: world.pod() is None)
        assert await world.runtime.pods() == []
    assert world.server.statuses[-1]["phase"] == "Succeeded"
    assert world.server.statuses[-1]["containerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"


async def test_a_restarted_agent_finds_its_pods_and_neither_restarts_nor_doubles_them():
    world = World()
    async with world.agent():
        await world.apply()
        await world.until(lambda: world.phase() == "Running")
    before = await world.runtime.pods()
    async with world.agent() as agent:
        await agent.registered.wait()
        await world.apply("b")
        await world.until(lambda: world.phase("b") == "Running")
        assert [pod for pod in await world.runtime.pods() if pod.name == "a"] == before
    assert world.pod()["status"]["containerStatuses"][0].get("restartCount", 0) == 0


async def test_a_pod_deleted_while_the_agent_was_away_is_stopped_at_once():
    world = World()
    async with world.agent():
        await world.apply()
        await world.until(lambda: world.phase() == "Running")
    await world.server.put(f"{PODS}/a", world.pod(), "DELETED")
    graces, plain = [], world.runtime.stop_container

    async def stop(uid, container, grace):
        graces.append(grace)
        await plain(uid, container, grace)

    world.runtime.stop_container = stop
    async with world.agent():
        async with asyncio.timeout(60):
            while await world.runtime.pods():
                await world.runtime.wait_change()
    assert graces == [2]


@pytest.mark.parametrize("moments", range(3))
async def test_a_pod_that_is_bound_while_the_agent_ends_is_left_to_the_next(moments):
    world = World()
    async with world.agent() as agent:
        await agent.caught_up.wait()
        binding = asyncio.create_task(world.apply())
        for _ in range(moments):
            await asyncio.sleep(0)
    await binding
    async with world.agent():
        await world.until(lambda: world.phase() == "Running")
    assert len(await world.runtime.pods()) == 1


def what_waits(status):
    """A status's phase, and for what its containers wait."""
    states = [each["state"].get("waiting", {}).get("reason") for each in status.get("containerStatuses", [])]
    return status["phase"], states


async def test_a_missing_image_is_told_as_a_failed_pull():
    world = World()
    async with world.agent():
        await world.apply(image="app:missing", policy="IfNotPresent")
        await world.until(lambda: ("Pending", ["ErrImagePull"]) in map(what_waits, world.server.statuses))


@pytest.mark.parametrize("code, phase", [("0", "Succeeded"), ("3", "Failed")], ids=["success", "failure"])
async def test_a_pod_that_is_never_restarted_ends_as_its_container_did(code, phase):
    world = World()
    notes = {"knarr.dev/simulated-exit-after": "0", "knarr.dev/simulated-exit-code": code}
    async with world.agent():
        await world.apply(restart="Never", annotations=notes)
        await world.until(lambda: world.phase() == phase)
        async with asyncio.timeout(60):
            while [pod.state for pod in await world.runtime.pods()] != ["gone"]:
                await world.runtime.wait_change()


async def test_the_node_is_ready_with_its_lease_and_its_addresses():
    world = World()
    async with world.agent() as agent:
        await agent.registered.wait()
    node = world.server.objects["/api/v1/nodes/n0"]
    assert [each["reason"] for each in node["status"]["conditions"]] == [
        "KubeletHasSufficientMemory",
        "KubeletHasNoDiskPressure",
        "KubeletHasSufficientPID",
        "KubeletReady",
    ]
    lease = world.server.objects["/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n0"]
    assert lease["spec"]["holderIdentity"] == "n0" and lease["spec"]["leaseDurationSeconds"] == 40


def test_an_api_server_that_is_away_is_asked_every_other_second_and_no_pod_is_lost_meanwhile():
    async def main():
        world = World()
        plain, tries = world.server.send, []

        async def send(request):
            if request.method == "DELETE":
                tries.append(request.path)
                if len(tries) < 5:
                    raise TransportError("away")
            return await plain(request)

        async with world.agent():
            await world.apply()
            await world.until(lambda: world.phase() == "Running")
            world.server.send = send
            begun = asyncio.get_running_loop().time()
            deleted = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}}
            await world.api.patch(Pod, "a", "default", deleted)
            async with world.server.moved:
                await world.server.moved.wait_for(lambda: world.pod() is None)
            return len(tries), asyncio.get_running_loop().time() - begun

    tries, seconds = virtual_time.run(main())
    assert tries == 5 and 6 <= seconds < 9


def test_files_that_cannot_be_removed_are_told_and_tried_again_ever_more_rarely():
    async def main():
        world = World()
        tries = []

        async def tear_down(pod):
            tries.append(asyncio.get_running_loop().time())
            if len(tries) < 9:
                raise VolumeError("/pods/a is still mounted")

        async with world.agent() as agent:
            agent.volumes.tear_down = tear_down
            await world.apply()
            await world.until(lambda: world.phase() == "Running")
            deleted = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}}
            await world.api.patch(Pod, "a", "default", deleted)
            async with world.server.moved:
                await world.server.moved.wait_for(lambda: world.pod() is None)
        told = [each["message"] for key, each in world.server.objects.items() if "/events/" in key]
        return [round(b - a) for a, b in itertools.pairwise(tries)], told

    pauses, told = virtual_time.run(main())
    assert pauses == [2, 4, 8, 16, 32, 64, 120, 120]
    assert "error killing pod: /pods/a is still mounted" in told


async def test_what_is_left_of_a_pod_without_an_object_is_removed_and_of_one_with_it_kept():
    world, removed = World(), asyncio.Event()
    await world.apply("kept")
    left = [ObjectMeta(name=name, namespace="default", uid=f"uid-of-{name}") for name in ("kept", "gone")]
    gone = []

    class Left(NoFolders):
        async def recall(self):
            return left

        async def tear_down(self, pod):
            gone.append(pod.metadata.name)
            removed.set()

    async with Informers(world.api) as informers, asyncio.timeout(60):
        agent = Agent(CONFIG, world.api, informers, world.runtime)
        agent.volumes = Left()
        task = asyncio.create_task(agent.run())
        await removed.wait()
        await world.until(lambda: world.phase("kept") == "Running")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert gone == ["gone"]


def told(world):
    """Reason and message of each event, in order."""
    found = [each for key, each in world.server.objects.items() if "/events/" in key]
    return [(each["reason"], each["message"]) for each in found]


BROKEN = """
pods:
- {name: bad, when: starting, match: {image: "bad:*"}, effect: {failure: {reason: StartError, message: "no"}}}
"""


def broken(world):
    world.runtime.stages = parse(BROKEN)
    return world


def test_a_command_that_is_not_there_ends_a_pod_that_is_not_restarted():
    async def main():
        world = broken(World())
        async with world.agent():
            await world.apply(restart="Never", image="bad:1")
            await world.until(lambda: world.phase() == "Failed")
        return world

    world = virtual_time.run(main())
    terminated = world.pod()["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (terminated["exitCode"], terminated["reason"], terminated["message"]) == (128, "StartError", "no")
    assert terminated["startedAt"] == "1970-01-01T00:00:00Z"
    assert told(world)[-1] == ("Failed", "Error: no")


def test_a_command_that_is_not_there_is_tried_again_as_a_crash_is():
    async def main():
        world, seen = broken(World()), []
        async with world.agent():
            await world.apply(image="bad:1")
            for _ in range(60):
                await asyncio.sleep(0.5)
                status = (world.pod()["status"].get("containerStatuses") or [{}])[0]
                shown = (status.get("state", {}).get("waiting", {}).get("reason"), status.get("restartCount", 0))
                if shown[0] not in (None, "ContainerCreating") and seen[-1:] != [shown]:
                    seen.append(shown)
        return seen

    assert virtual_time.run(main()) == [
        ("RunContainerError", 0),
        ("RunContainerError", 1),
        ("CrashLoopBackOff", 1),
        ("RunContainerError", 2),
        ("CrashLoopBackOff", 2),
    ]


def test_what_can_be_no_images_name_is_told():
    async def main():
        world = World()
        async with world.agent():
            await world.apply(image="Upper:::1")
            await world.until(lambda: waiting(world) == "InvalidImageName")
        return told(world)

    why = 'couldn\'t parse image name "Upper:::1": invalid reference format: '
    why += "repository name (library/Upper) must be lowercase"
    assert virtual_time.run(main())[-2:] == [
        ("InspectFailed", f'Failed to apply default image tag "Upper:::1": {why}'),
        ("Failed", "Error: InvalidImageName"),
    ]


def test_what_is_missing_is_asked_for_ever_more_rarely_up_to_a_limit():
    async def main():
        world, tries, enough = World(), [], asyncio.Event()

        async def missing(pod, *, runs):
            tries.append(asyncio.get_running_loop().time())
            if len(tries) == 7:
                enough.set()
            raise VolumeError('configmap "x" not found')

        async with world.agent() as agent:
            agent.volumes.prepare = missing
            await world.apply()
            await enough.wait()
        return [round(b - a) for a, b in itertools.pairwise(tries)]

    assert virtual_time.run(main()) == [2, 4, 8, 15, 15, 15]


async def test_a_pod_put_on_a_node_that_has_no_room_for_it_fails():
    world = World()
    async with world.agent():
        await world.apply(container={"resources": {"requests": {"cpu": "100k"}}})
        await world.until(lambda: world.phase() == "Failed" and "OutOfcpu" in world.reasons())
        assert await world.runtime.pods() == []
    status = world.pod()["status"]
    assert status["reason"] == "OutOfcpu"
    assert status["message"].startswith(
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 100000000,"
    )


async def test_a_pod_that_a_scheduler_has_placed_is_taken_as_it_is():
    world = World()
    async with world.agent():
        pod = tree("a", container={"resources": {"requests": {"cpu": "100k"}}})
        pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "True"}]
        await world.server.put(f"{PODS}/a", pod, "ADDED")
        await world.until(lambda: world.phase() == "Running")


def test_a_pod_whose_time_is_up_says_so_once():
    async def main():
        world = World()
        async with world.agent():
            await world.apply(activeDeadlineSeconds=5)
            async with world.server.moved:
                await world.server.moved.wait_for(lambda: world.phase() == "Failed")
        return [each for each in told(world) if each[0] == "DeadlineExceeded"]

    message = "Pod was active on the node longer than the specified deadline"
    assert virtual_time.run(main()) == [("DeadlineExceeded", message)]


def test_another_image_is_tried_at_once_however_often_the_one_before_failed():
    async def main():
        world = World()
        async with world.agent():
            await world.apply(image="app:missing")
            await asyncio.sleep(200)
            assert waiting(world) == "ImagePullBackOff"
            begun = asyncio.get_running_loop().time()
            await world.api.patch(Pod, "a", "default", {"spec": {"containers": [{"name": "main", "image": "app:2"}]}})
            await world.until(lambda: world.phase() == "Running")
            return asyncio.get_running_loop().time() - begun

    assert virtual_time.run(main()) < 1


def test_a_running_container_is_replaced_when_its_image_changes():
    async def main():
        world = World()
        async with world.agent():
            await world.apply()
            await world.until(lambda: world.phase() == "Running" and world.pod()["status"]["containerStatuses"])
            await world.api.patch(Pod, "a", "default", {"spec": {"containers": [{"name": "main", "image": "app:2"}]}})
            await world.until(lambda: shown(world) == ("app:2", 1))
        return told(world)

    assert ("Killing", "Container main definition changed, will be restarted") in virtual_time.run(main())


def shown(world):
    """Image and restarts of the container that runs."""
    status = world.pod()["status"]["containerStatuses"][0]
    return "running" in status["state"] and (status["image"], status.get("restartCount", 0))


CRASHES = [0, 0, 10, 20, 40, 80, 160, 300, 300]


def test_a_container_that_keeps_crashing_is_restarted_ever_more_rarely():
    async def main():
        world = World()
        starts, plain, enough = [], world.runtime.start_container, asyncio.Event()

        async def start(uid, spec):
            starts.append(asyncio.get_running_loop().time())
            if len(starts) == len(CRASHES):
                enough.set()
            return await plain(uid, spec)

        world.runtime.start_container = start
        async with world.agent():
            await world.apply(annotations={"knarr.dev/simulated-exit-after": "0", "knarr.dev/simulated-exit-code": "1"})
            await enough.wait()
        return [round(b - a) for a, b in zip([starts[0], *starts], starts, strict=False)]

    assert virtual_time.run(main()) == CRASHES


def test_a_node_renews_its_lease_every_ten_seconds():
    async def main():
        world = World()
        path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n0"
        async with world.agent() as agent:
            await agent.registered.wait()
            seen = set()
            for _ in range(60):
                await asyncio.sleep(1)
                seen.add(world.server.objects[path]["spec"]["renewTime"])
        return len(seen)

    assert 6 <= virtual_time.run(main()) <= 7


HOOKS = {
    "a preStop that sleeps delays the end": ({"preStop": {"sleep": {"seconds": 7}}}, 30, 7),
    "a preStop gets no more than the grace period": ({"preStop": {"sleep": {"seconds": 60}}}, 5, 5),
    "a preStop that runs a command": ({"preStop": {"exec": {"command": ["x"]}}}, 30, 0),
}


@pytest.mark.parametrize("lifecycle, grace, seconds", HOOKS.values(), ids=HOOKS)
def test_how_long_an_end_takes(lifecycle, grace, seconds):
    async def main():
        world = World()
        async with world.agent():
            await world.apply(container={"lifecycle": lifecycle})
            await world.until(lambda: world.phase() == "Running")
            begun = asyncio.get_running_loop().time()
            deleted = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": grace}}
            await world.api.patch(Pod, "a", "default", deleted)
            async with world.server.moved:
                await world.server.moved.wait_for(lambda: world.pod() is None)
            return asyncio.get_running_loop().time() - begun

    assert virtual_time.run(main()) == pytest.approx(seconds, abs=0.1)


def test_a_container_whose_post_start_fails_is_killed_and_told_so():
    async def main():
        world = World()
        async with world.agent():
            post_start = {"postStart": {"exec": {"command": ["x"]}}}
            notes = {"knarr.dev/simulated-unready": "true"}
            await world.apply(container={"lifecycle": post_start}, annotations=notes)
            await world.until(lambda: "Killing" in world.reasons())
            await world.until(lambda: waiting(world) == "PostStartHookError")
            message = world.pod()["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
            return world.reasons(), message

    reasons, message = virtual_time.run(main())
    where = 'for Container "main" in Pod "a_default(uid-of-a)" failed'
    said = "simulated: this pod has no process"
    error = f"command 'x' exited with 1: {said}\n"
    assert message == f'Exec lifecycle hook ([x]) {where} - error: {error}, message: "{said}\\n"'
    assert "Failed" not in reasons  # what a hook prints is in no event
    assert [each for each in reasons if each in ("FailedPostStartHook", "Killing")][:2] == [
        "FailedPostStartHook",
        "Killing",
    ]


def test_a_status_that_the_server_does_not_take_is_offered_ever_more_rarely():
    async def main():
        world = World()
        plain, tries = world.server.send, []

        async def send(request):
            if request.method == "PUT" and request.path == f"{PODS}/a/status":
                tries.append(asyncio.get_running_loop().time())
                return answer(world.pod())
            return await plain(request)

        world.server.send = send
        async with world.agent():
            await world.apply()
            await asyncio.sleep(300)
        return [round(later - earlier) for earlier, later in itertools.pairwise(tries)]

    assert virtual_time.run(main())[:5] == [1, 2, 4, 8, 16]


def waiting(world):
    """For what the container waits."""
    states = [each["state"] for each in world.pod()["status"].get("containerStatuses", [])]
    return states and states[0].get("waiting", {}).get("reason")
