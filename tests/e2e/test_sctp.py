"""SCTP through services, node ports and host ports. The packets are made by hand: a kernel that translates SCTP may
have no sockets for it."""

import asyncio
import shutil
import socket
import struct
from pathlib import Path

import pytest

from knarr.kinds.types.core_v1 import (
    Container,
    ContainerPort,
    Pod,
    PodIP,
    PodSpec,
    PodStatus,
    Service,
    ServicePort,
    ServiceSpec,
)
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net import host_ports, namespace
from knarr.net.backends import View
from knarr.net.base_rules import base
from knarr.net.nft import apply
from knarr.net.plan import NetworkPlan
from knarr.net.ruleset import Ground, part
from knarr.net.table import Table
from tests.e2e.test_pod_network import PLAN, POD, pod_on, wires

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(shutil.which("nft") is None, reason="services need nft")]
SCTP, INIT, INIT_ACK, TAG = 132, 1, 2, 0x0A0B0C0D
__all__ = ["wires"]


def checksum(packet: bytes) -> int:
    """CRC32c, as SCTP wants it (RFC 9260, appendix A)."""
    value = 0xFFFFFFFF
    for byte in packet:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def packet(source: int, goal: int, tag: int, chunk: int) -> bytes:
    """An INIT or an INIT ACK with nothing optional in it."""
    body = struct.pack("!BBHIIHHI", chunk, 0, 20, TAG, 65536, 1, 1, 1)
    draft = struct.pack("!HHII", source, goal, tag, 0) + body
    return draft[:8] + struct.pack("<I", checksum(draft)) + draft[12:]


def received(link: socket.socket) -> tuple[str, str, int, int, bool]:
    """From which address to which, from which port to which, and whether the checksum is right."""
    data = link.recv(1500)
    sctp = data[4 * (data[0] & 15) :]
    source, goal = struct.unpack_from("!HH", sctp)
    right = struct.unpack_from("<I", sctp, 8)[0] == checksum(sctp[:8] + bytes(4) + sctp[12:])
    return socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]), source, goal, right


def raw(place: str) -> socket.socket:
    with namespace.inside(place):
        made = socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP)
    made.settimeout(30)
    return made


def load(plan: NetworkPlan, server: str) -> None:
    """The rules of a service and of a pod with a host port, on the host and both nodes."""
    meta = ObjectMeta(name="calls", namespace="default")
    port = ServicePort(name="m3ua", port=2905, protocol="SCTP", nodePort=30005)
    service = Service(metadata=meta, spec=ServiceSpec(type="NodePort", clusterIP="10.103.0.30", ports=[port]))
    slice_ = EndpointSlice(
        addressType="IPv4",
        endpoints=[Endpoint(addresses=[server])],
        ports=[EndpointPort(name="m3ua", port=8080, protocol="SCTP")],
    )
    opened = ContainerPort(containerPort=8080, hostPort=8000, protocol="SCTP")
    pod = Pod(
        metadata=meta,
        spec=PodSpec(nodeName="node-1", containers=[Container(name="c", image="i", ports=[opened])]),
        status=PodStatus(phase="Running", podIPs=[PodIP(ip=server)]),
    )
    for number in (0, 1, None):
        view, place = View(), ""
        if number is not None:
            view, place = View(f"node-{number}", "", plan.node(number).pods), plan.node(number).namespace
        table = Table(plan.bridge)
        parts = {"calls": part(service, [slice_], view, Ground()), "pod/calls": host_ports.part(pod, view)}
        table.fill({("default", name): each for name, each in parts.items()})
        assert asyncio.run(apply(table.whole(base(plan.services, (plan.api, plan.dns), host=view.is_host)), place))


def test_sctp_is_led_to_the_pod_and_back(wires: NetworkPlan, tmp_path: Path):
    client, server = pod_on(0, POD, tmp_path / "0"), pod_on(1, f"{POD}-2", tmp_path / "1")
    load(PLAN, server)
    near, far = PLAN.node(0).address, PLAN.node(1).address
    with raw(POD) as asking, raw(f"{POD}-2") as answering:
        for number, (address, port) in enumerate({"10.103.0.30": 2905, near: 30005, far: 8000}.items()):
            own = 40000 + number
            asking.sendto(packet(own, port, 0, INIT), (address, 0))
            source, goal, came, at, right = received(answering)
            assert (goal, at, right) == (server, 8080, True), address
            assert source == (near if address == near else client), "what comes in by a node port goes back by its node"
            answering.sendto(packet(8080, came, TAG, INIT_ACK), (source, 0))
            assert received(asking) == (address, client, port, own, True)
