"""What services publish while pods come, become unready and go, on simulated nodes."""

import pytest
from msgspec.structs import replace

from knarr.controllers import endpoint_slice, endpoint_slice_mirroring, endpoints
from knarr.kinds.types.core_v1 import EndpointAddress, EndpointPort, Endpoints, EndpointSubset, Pod, Service
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.testing.builders import a_pod, a_service
from knarr.testing.cluster import Cluster
from knarr.testing.sim.arena import Arena
from knarr.testing.sim.component import PARTS, Part
from knarr.testing.sim.schedule import FAULTS, parse_line
from knarr.testing.virtual_time import run


def story(act, nodes=2, **wishes):
    async def main():
        controllers = [endpoints.CONTROLLER, endpoint_slice.controller(), endpoint_slice_mirroring.controller()]
        async with Cluster(controllers, nodes=nodes, **wishes) as cluster:
            await act(cluster)

    run(main())


async def listed(cluster):
    """The addresses in the Endpoints, ready and not."""
    found = await cluster.api.get(Endpoints, "db", "default")
    ready = [one.targetRef.name for subset in found.subsets for one in subset.addresses]
    unready = [one.targetRef.name for subset in found.subsets for one in subset.notReadyAddresses]
    return sorted(ready), sorted(unready)


async def sliced(cluster):
    """The pods in the slices that are ready, and all."""
    slices = (await cluster.api.list(EndpointSlice, "default")).items
    found = [one for slice_ in slices for one in slice_.endpoints]
    return sorted(one.targetRef.name for one in found if one.conditions.ready), len(found)


async def pods(cluster, count):
    for number in range(count):
        await cluster.apply(a_pod(number, node=f"node-{number % 2}"))
    await cluster.settled()


def test_pods_are_published_when_they_are_ready_and_taken_off_when_they_go():
    async def act(cluster):
        await cluster.apply(a_service())
        await pods(cluster, 3)
        assert await listed(cluster) == (["db-0", "db-1", "db-2"], [])
        assert await sliced(cluster) == (["db-0", "db-1", "db-2"], 3)
        await cluster.api.delete(Pod, "db-1", "default", grace=0)
        await cluster.settled()
        assert await listed(cluster) == (["db-0", "db-2"], [])
        assert await sliced(cluster) == (["db-0", "db-2"], 2)

    story(act)


def test_an_ending_pod_is_published_as_ending():
    async def act(cluster):
        await cluster.apply(a_service())
        await pods(cluster, 1)
        await cluster.stop_node("node-0")
        await cluster.api.delete(Pod, "db-0", "default")
        await cluster.settled()
        (slice_,) = (await cluster.api.list(EndpointSlice, "default")).items
        (endpoint,) = slice_.endpoints
        found = endpoint.conditions
        assert (found.ready, found.serving, found.terminating) == (False, True, True)
        assert await listed(cluster) == ([], [])

    story(act)


def test_pods_that_were_there_first_are_found_by_a_new_service():
    async def act(cluster):
        await pods(cluster, 2)
        await cluster.apply(a_service())
        await cluster.settled()
        assert await listed(cluster) == (["db-0", "db-1"], [])

    story(act)


def test_a_pod_whose_labels_change_comes_and_goes():
    async def act(cluster):
        await cluster.apply(a_service())
        await pods(cluster, 2)
        await cluster.api.patch(Pod, "db-0", "default", {"metadata": {"labels": {"app": "other"}}})
        await cluster.settled()
        assert await listed(cluster) == (["db-1"], [])

    story(act)


def test_what_was_published_goes_with_the_service():
    async def act(cluster):
        await cluster.apply(a_service())
        await pods(cluster, 1)
        await cluster.api.delete(Service, "db", "default")
        await cluster.settled()
        assert (await cluster.api.list(Endpoints, "default")).items == []

    story(act)


def test_endpoints_that_somebody_made_by_hand_stay():
    async def act(cluster):
        await cluster.apply("{apiVersion: v1, kind: Endpoints, metadata: {name: mine}}")
        await cluster.settled()
        assert [found.metadata.name for found in (await cluster.api.list(Endpoints, "default")).items] == ["mine"]

    story(act)


def test_a_service_has_one_slice_however_many_changes_come_at_once():
    async def act(cluster):
        await cluster.apply(a_service())
        for number in range(10):
            await cluster.apply(a_pod(number, node="node-0"))
        await cluster.settled()
        assert len((await cluster.api.list(EndpointSlice, "default")).items) == 1
        assert (await sliced(cluster))[1] == 10

    story(act)


def test_a_slice_whose_creation_was_not_confirmed_is_not_made_twice_for_long():
    async def act(cluster):
        def creates_slice(request):
            return request.method == "POST" and request.path.endswith("/endpointslices")

        for _ in range(3):
            cluster.faults.lose_answer(when=creates_slice)
        await cluster.apply(a_service())
        await pods(cluster, 2)
        assert len((await cluster.api.list(EndpointSlice, "default")).items) == 1
        assert await sliced(cluster) == (["db-0", "db-1"], 2)

    story(act)


BY_HAND = """
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: outside}
subsets: [{addresses: [{ip: 10.9.0.1}], notReadyAddresses: [{ip: 10.9.0.2}], ports: [{port: 8080}]}]
"""


def test_endpoints_written_by_hand_are_mirrored_while_their_service_has_no_selector():
    async def act(cluster):
        async def mirrored():
            slices = (await cluster.api.list(EndpointSlice, "default")).items
            return [(one.addresses[0], one.conditions.ready) for slice_ in slices for one in slice_.endpoints]

        await cluster.apply(BY_HAND)
        await cluster.settled()
        assert await mirrored() == [("10.9.0.1", True), ("10.9.0.2", False)]
        empty = {"subsets": [{"addresses": [{"ip": "10.9.0.3"}], "ports": [{"port": 8080}]}]}
        await cluster.api.patch(Endpoints, "outside", "default", empty)
        await cluster.settled()
        assert await mirrored() == [("10.9.0.3", True)]
        await cluster.api.patch(Service, "outside", "default", {"spec": {"selector": {"app": "x"}}})
        await cluster.settled()
        (slice_,) = (await cluster.api.list(EndpointSlice, "default")).items
        assert slice_.metadata.labels["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
        assert await mirrored() == []

    story(act)


def endpoints_made_by_hand():
    subset = EndpointSubset(addresses=[EndpointAddress(ip="192.0.2.7")], ports=[EndpointPort(port=80, protocol="TCP")])
    return Endpoints(metadata=ObjectMeta(name="db", namespace="default"), subsets=[subset])


OWNERS = {  # the controller, and what there is: the last is deleted behind its back
    "a service": (endpoint_slice, a_service()),
    "endpoints made by hand": (endpoint_slice_mirroring, a_service(selector={}), endpoints_made_by_hand()),
}


@pytest.mark.parametrize("module, objects", [(module, objects) for module, *objects in OWNERS.values()], ids=OWNERS)
def test_what_is_gone_behind_a_stale_cache_is_not_published_again_and_again(monkeypatch, module, objects):
    async def main():
        async with Arena(1, 1, ("endpoints", "collector")) as arena:
            for obj in objects:
                await arena.api.create(replace(obj, metadata=ObjectMeta(name="db", namespace="default")))
            await arena.quiet(3, 60)
            assert (await arena.api.list(EndpointSlice, "default")).items
            resource = "services" if module is endpoint_slice else "endpoints"
            await arena.do(parse_line(f"0 stale endpoints seconds=10 for=60 of={resource}", FAULTS))
            before = arena.world.revision
            await arena.api.delete(type(objects[-1]), "db", "default")
            await arena.quiet(15, 60)
            assert not (await arena.api.list(EndpointSlice, "default")).items
            return arena.world.revision - before

    monkeypatch.setitem(PARTS, "endpoints", Part(lambda: [module.controller()]))
    assert run(main(), seed=1) < 20


DUAL = """
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{port: 80}], ipFamilyPolicy: %s}
"""


async def by_family(cluster):
    """The pods in the slices of each address family."""
    found = {}
    for slice_ in (await cluster.api.list(EndpointSlice, "default")).items:
        found.setdefault(slice_.addressType, []).extend(one.targetRef.name for one in slice_.endpoints)
    return {family: sorted(names) for family, names in found.items()}


def test_a_service_of_two_families_has_its_pods_in_slices_of_both_until_one_is_enough():
    async def act(cluster):
        await cluster.apply(DUAL % "RequireDualStack")
        await pods(cluster, 2)
        pod = await cluster.api.get(Pod, "db-1", "default")
        assert [":" in each.ip for each in pod.status.podIPs] == [False, True]
        service = await cluster.api.get(Service, "db", "default")
        assert [":" in address for address in service.spec.clusterIPs] == [False, True]
        assert await by_family(cluster) == {"IPv4": ["db-0", "db-1"], "IPv6": ["db-0", "db-1"]}
        assert await listed(cluster) == (["db-0", "db-1"], [])
        await cluster.api.patch(Service, "db", "default", {"spec": {"ipFamilyPolicy": "SingleStack"}})
        await cluster.settled()
        assert await by_family(cluster) == {"IPv4": ["db-0", "db-1"]}

    story(act, dual_stack=True)
