"""Controllers that are told to end do so, whatever they were doing."""

import asyncio

import pytest

from knarr.client.transport import TransportError
from knarr.controllers import daemonset, statefulset
from knarr.loop.runner import run
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster
from tests.sim.stories import manifest

KINDS = {"DaemonSet": daemonset.controller, "StatefulSet": statefulset.controller}


@pytest.mark.parametrize("kind", KINDS)
def test_a_controller_ends_in_a_pass_whose_status_cannot_be_written(kind):
    async def main():
        async with Cluster([], 1) as cluster:
            working = asyncio.create_task(run(KINDS[kind](), cluster.context))

            def ending(request):
                if request.method == "POST" and request.path.endswith("/pods"):
                    working.cancel()
                return False

            cluster.faults.fail(TransportError("none"), when=ending)
            cluster.faults.fail(
                TransportError("cut off"), when=lambda request: request.path.endswith("/status"), times=99
            )
            await cluster.apply(manifest(kind, "web", {}))
            done, _ = await asyncio.wait([working], timeout=60)
            assert done
            assert working.cancelled()

    virtual_time.run(main())
