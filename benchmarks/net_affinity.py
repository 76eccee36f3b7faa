"""What clients that keep their endpoint cost: a stage of `benchmarks net`.

One service with session affinity and thousands of endpoints, in the rules of the host and two nodes; then one endpoint
that is another.
"""

import asyncio
import time
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from benchmarks.net import PLAN, Collections, Told, a_service, a_slice, wires
from knarr.kinds.types.core_v1 import Node, Service
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointConditions, EndpointSlice
from knarr.net.proxy import ServiceProxy

ENDPOINTS, OF_A_SLICE = 5000, 100
AT_ONCE = f"a service with affinity and {ENDPOINTS} endpoints programmed, ms"
CHANGED = "one of its endpoints is another, ms"
Note = Callable[[str, float], None]


def affinity(note: Note) -> None:
    with wires():
        asyncio.run(_affinity(note))


async def _affinity(note: Note) -> None:
    known = Collections({kind: Told() for kind in (Service, EndpointSlice, Node)})
    proxy = ServiceProxy(known, PLAN)  # type: ignore[arg-type]
    service = a_service(0)
    known.of(Service).put(replace(service, spec=replace(service.spec, sessionAffinity="ClientIP")))
    slices = list(_slices())
    for each in slices:
        known.of(EndpointSlice).put(each)
    note(AT_ONCE, await _taken(proxy))
    another = Endpoint(addresses=["10.244.250.250"], conditions=EndpointConditions(ready=True))
    known.of(EndpointSlice).put(replace(slices[0], endpoints=[another, *slices[0].endpoints[1:]]))
    note(CHANGED, await _taken(proxy))


async def _taken(proxy: ServiceProxy) -> float:
    """Milliseconds until what is known is in the kernel."""
    began = time.perf_counter()
    await proxy.load()
    return 1000 * (time.perf_counter() - began)


def _slices() -> Iterator[EndpointSlice]:
    ready = EndpointConditions(ready=True)
    for first in range(0, ENDPOINTS, OF_A_SLICE):
        addresses = [f"10.244.{number // 250}.{2 + number % 250}" for number in range(first, first + OF_A_SLICE)]
        made = a_slice(0, ())
        yield replace(
            made,
            metadata=replace(made.metadata, name=f"web-0-{first}"),
            endpoints=[Endpoint(addresses=[each], conditions=ready) for each in addresses],
        )


STAGES = {"affinity": affinity}
