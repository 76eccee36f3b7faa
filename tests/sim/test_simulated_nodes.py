"""Many simulated nodes driven from one place: they register, run pods, die, are cut off, scaled, go through stages."""

import asyncio
import contextlib
from pathlib import Path

from knarr.client.informer import Informers
from knarr.client.transport import InProcess, User
from knarr.controllers import node_lifecycle, pod_gc, replicaset
from knarr.kinds.pod import is_ready
from knarr.kinds.types.coordination_v1 import Lease
from knarr.kinds.types.core_v1 import Node, Pod
from knarr.meta import clock
from knarr.net.plan import NetworkPlan
from knarr.node.config import NodeConfig
from knarr.node.registration import LEASES
from knarr.node.simulation.nodes import SimulatedNodes
from knarr.node.simulation.parse import parse
from knarr.node.simulation.stages import NO_STAGES
from knarr.scheduler import scheduler
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

CONTROLLERS = (replicaset.controller, node_lifecycle.controller, pod_gc.controller)
PLAN = NetworkPlan("n")
REPLICAS = """
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web}
spec:
  replicas: 20
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "web:1"}]}
"""
LONE = """
apiVersion: v1
kind: Pod
metadata: {name: lone, labels: {app: lone}}
spec: {nodeName: n-0, restartPolicy: %s, containers: [{name: c, image: "%s"}]}
"""


def config(number):
    place = PLAN.simulated(number, alone=True)
    return NodeConfig(
        name=place.name, node_ip=place.address, folder=Path("/none"), pod_cidr=place.pods, runtime="simulated"
    )


class World:
    """A cluster, and its nodes."""

    def __init__(self, cluster, nodes):
        self.cluster, self.nodes = cluster, nodes

    async def until(self, condition, seconds=600):
        """Wait on virtual time until a condition, asked twice a second, holds."""
        for _ in range(2 * seconds):
            if await condition():
                return
            await asyncio.sleep(0.5)
        raise TimeoutError(f"not within {seconds} s")

    async def ready_nodes(self):
        nodes = (await self.cluster.api.list(Node)).items
        return sorted(
            n.metadata.name for n in nodes if any(c.type == "Ready" and c.status == "True" for c in n.status.conditions)
        )

    async def pods(self):
        return (await self.cluster.api.list(Pod, "default")).items

    async def lone(self):
        return await self.cluster.api.get(Pod, "lone", "default")


@contextlib.asynccontextmanager
async def world(count, stages=NO_STAGES):
    async with Cluster([make() for make in CONTROLLERS], services=[scheduler.run]) as cluster:

        def connect(name):
            user = User(name=f"system:node:{name}", groups=("system:nodes", "system:authenticated"))
            return InProcess(cluster.handler.handle, user)

        async with Informers(cluster.client("system:apiserver")) as informers:
            nodes = SimulatedNodes(map(config, range(count)), connect, informers, stages)
            running = asyncio.create_task(nodes.run())
            here = World(cluster, nodes)
            names = sorted(config(n).name for n in range(count))

            async def all_ready():
                return await here.ready_nodes() == names

            await here.until(all_ready)
            yield here
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


def story(main, count=3, text=""):
    async def tell():
        async with world(count, parse(text)) as here:
            await main(here)

    virtual_time.run(tell(), seed=5)


def test_they_register_with_lease_addresses_and_pod_range():
    async def main(here):
        nodes = {node.metadata.name: node for node in (await here.cluster.api.list(Node)).items}
        assert len({node.spec.podCIDR for node in nodes.values()}) == 300
        assert len({node.status.addresses[0].address for node in nodes.values()}) == 300
        assert nodes["n-299"].spec.podCIDR.startswith("240.")
        leases = (await here.cluster.api.list(Lease, LEASES)).items
        assert {lease.metadata.name for lease in leases} == set(nodes)

    story(main, count=300)


def test_leases_are_renewed_each_ten_seconds_and_statuses_each_five_minutes():
    async def main(here):
        await asyncio.sleep(600)
        now = clock.unix()
        for lease in (await here.cluster.api.list(Lease, LEASES)).items:
            assert now - clock.parse(lease.spec.renewTime).timestamp() <= 11
        beats = [n.status.conditions[0].lastHeartbeatTime for n in (await here.cluster.api.list(Node)).items]
        assert all(now - clock.parse(beat).timestamp() <= 311 for beat in beats)
        assert len(set(beats)) > 20, "statuses are to be reported at moments of their own"

    story(main, count=50)


def test_a_node_that_gets_no_answer_does_not_hold_up_the_others():
    async def main(here):
        async def silence(request):
            await asyncio.Event().wait()

        here.nodes.machines["n-1"].wire.send = silence
        await asyncio.sleep(300)
        assert await here.ready_nodes() == ["n-0", "n-2"]

    story(main)


def test_pods_run_on_them_with_addresses_of_their_own_and_go():
    async def main(here):
        async def twenty_ready():
            return sum(map(is_ready, await here.pods())) == 20

        async def none():
            return not await here.pods()

        await here.cluster.apply(REPLICAS)
        await here.until(twenty_ready)
        assert len({pod.status.podIP for pod in await here.pods()}) == 20
        await here.cluster.api.delete_collection(Pod, "default")
        await here.cluster.apply(REPLICAS.replace("replicas: 20", "replicas: 0"))
        await here.until(none)

    story(main)


def test_a_pod_outlives_its_agent_and_what_happened_meanwhile_is_caught_up_with():
    async def main(here):
        async def runs():
            return is_ready(await here.lone())

        async def gone():
            return not await here.pods()

        await here.cluster.apply(LONE % ("Always", "web:1"))
        await here.until(runs)
        before = (await here.lone()).status.containerStatuses[0].containerID
        assert await here.nodes.stop("n-0")
        assert not await here.nodes.stop("n-0")
        await asyncio.sleep(5)
        assert await here.nodes.start("n-0")
        await asyncio.sleep(5)
        assert (await here.lone()).status.containerStatuses[0].containerID == before
        await here.nodes.stop("n-0")
        await here.cluster.api.delete(Pod, "lone", "default", grace=1)
        await asyncio.sleep(5)
        assert len(await here.pods()) == 1
        await here.nodes.start("n-0")
        await here.until(gone)
        assert not here.nodes.machines["n-0"].runtime.sandboxes

    story(main)


def test_a_node_that_is_cut_off_falls_silent_and_its_pods_go_on():
    async def main(here):
        async def runs():
            return is_ready(await here.lone())

        async def silent():
            return await here.ready_nodes() == ["n-1", "n-2"]

        async def back():
            return await here.ready_nodes() == ["n-0", "n-1", "n-2"]

        await here.cluster.apply(LONE % ("Always", "web:1"))
        await here.until(runs)
        assert await here.nodes.partition("n-0")
        await here.until(silent, 80)
        (sandbox,) = here.nodes.machines["n-0"].runtime.sandboxes.values()
        assert [each.state for each in sandbox.containers] == ["running"]
        await here.cluster.api.delete(Pod, "lone", "default", grace=0)
        await asyncio.sleep(30)
        assert len(here.nodes.machines["n-0"].runtime.sandboxes) == 1
        assert await here.nodes.heal("n-0")
        await here.until(back, 30)
        await asyncio.sleep(30)
        assert not here.nodes.machines["n-0"].runtime.sandboxes

    story(main)


def test_they_are_scaled_up_and_down():
    async def main(here):
        await here.nodes.set_nodes(map(config, range(5)))
        assert await here.ready_nodes() == ["n-0", "n-1", "n-2", "n-3", "n-4"]
        await here.nodes.set_nodes(map(config, range(2)))
        assert await here.ready_nodes() == ["n-0", "n-1"]
        leases = (await here.cluster.api.list(Lease, LEASES)).items
        assert {lease.metadata.name for lease in leases} == {"n-0", "n-1"}

    story(main)


def test_a_node_whose_object_was_deleted_registers_again():
    async def main(here):
        async def back():
            return await here.ready_nodes() == ["n-0", "n-1", "n-2"]

        await here.cluster.api.delete(Node, "n-1")
        assert await here.ready_nodes() == ["n-0", "n-2"]
        await here.until(back, 15)

    story(main)


STAGES = """
pods:
  - name: unready
    match: {labels: {app: lone}}
    delay: 10s
    effect: {probes: fail, usage: [{cpu: 1}, {at: 10s, cpu: 2}]}
  - {name: killed, follows: unready, delay: 10s, effect: {exit: {code: 137, signal: 9, reason: OOMKilled}}}
  - {name: gone, when: pulling, match: {image: "gone:*"}, effect: {failure: {reason: ErrImagePull, message: "no"}}}
  - {name: bad, when: starting, match: {image: "bad:*"}, effect: {failure: {reason: RunContainerError, message: "no"}}}
nodes:
  - name: full
    match: {name: n-1}
    delay: 20s
    effect: {conditions: [{type: DiskPressure, status: "True", reason: Full}]}
  - {name: empty, follows: full, delay: 60s, effect: {conditions: [{type: DiskPressure, status: "False"}]}}
  - {name: dies, match: {name: n-2}, delay: 5s, effect: {agent: stop}}
"""


def test_a_container_goes_through_its_stages():
    async def main(here):
        async def ended():
            return (await here.lone()).status.phase == "Failed"

        await here.cluster.apply(LONE % ("Never", "web:1"))
        await asyncio.sleep(12)
        runtime = here.nodes.machines["n-0"].runtime
        ((container,),) = (each.containers for each in runtime.sandboxes.values())
        assert 1.1 < runtime.uses(container.id).cpu < 1.3
        await here.until(ended, 20)
        terminated = (await here.lone()).status.containerStatuses[0].state.terminated
        assert (terminated.exitCode, terminated.signal, terminated.reason) == (137, 9, "OOMKilled")

    story(main, text=STAGES)


def test_an_image_that_cannot_be_pulled_shows_as_such():
    async def main(here):
        async def backs_off():
            statuses = (await here.lone()).status.containerStatuses
            return bool(statuses) and statuses[0].state.waiting.reason == "ImagePullBackOff"

        await here.cluster.apply(LONE % ("Always", "gone:1"))
        await here.until(backs_off, 30)

    story(main, text=STAGES)


def test_a_start_that_fails_shows_why():
    async def main(here):
        async def fails():
            statuses = (await here.lone()).status.containerStatuses
            return bool(statuses) and statuses[0].state.waiting.reason == "RunContainerError"

        await here.cluster.apply(LONE % ("Always", "bad:1"))
        await here.until(fails, 30)

    story(main, text=STAGES)


def test_nodes_go_through_their_stages():
    async def main(here):
        async def pressure(status):
            node = await here.cluster.api.get(Node, "n-1")
            return next(c.status for c in node.status.conditions if c.type == "DiskPressure") == status

        await here.until(lambda: pressure("True"), 40)
        await here.until(lambda: pressure("False"), 90)
        assert here.nodes.machines["n-2"].agent is None

    story(main, text=STAGES)


def test_a_pod_has_one_status_written_until_it_is_ready():
    async def main(here):
        async def runs():
            return is_ready(await here.lone())

        await here.cluster.apply(LONE % ("Always", "web:1"))
        watch = here.cluster.api.watch(Pod, "default", resource_version=(await here.lone()).metadata.resourceVersion)
        await here.until(runs)
        assert (await anext(watch)).object.status.phase == "Running"
        await watch.aclose()

    story(main)
