"""Clients that keep their endpoint, in the kernel: while others come and go, and when their own goes."""

import asyncio
import select
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from knarr.kinds.types.core_v1 import Service, ServicePort, ServiceSpec
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net import elements, namespace, nft
from knarr.net.backends import View
from knarr.net.base_rules import base
from knarr.net.families import FOUR
from knarr.net.ruleset import Ground, part
from knarr.net.table import Table

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(shutil.which("nft") is None, reason="it is about nft's maps")]
PLACE, SERVICE, KEY = "affinitytest", "10.96.0.20", ("default", "web")
CLIENTS, ENDPOINTS = [f"10.1.0.{n}" for n in range(1, 9)], [f"10.1.1.{n}" for n in range(1, 4)]


class Stage:
    """A network namespace with clients, endpoints and a service between them."""

    def __init__(self, servers: dict[str, socket.socket]) -> None:
        self.servers, self.table = servers, Table("t")
        assert not asyncio.run(nft.load(self.table.whole(base("10.96.0.0/16", [])), PLACE))

    def lead_to(self, *endpoints: str) -> None:
        port = ServicePort(name="x", port=80, protocol="UDP")
        spec = ServiceSpec(clusterIP=SERVICE, clusterIPs=[SERVICE], ports=[port], sessionAffinity="ClientIP")
        service = Service(metadata=ObjectMeta(name="web", namespace="default"), spec=spec)
        slice_ = EndpointSlice(
            addressType="IPv4",
            endpoints=[Endpoint(addresses=[each]) for each in endpoints],
            ports=[EndpointPort(name="x", port=8080, protocol="UDP")],
        )
        for change in self.table.changes({KEY: part(service, [slice_], View("n"), Ground())}, 0.0):
            said = (
                elements.load("t", FOUR, change, PLACE)
                if change.is_of_elements
                else asyncio.run(nft.load(change.text(), PLACE))
            )
            assert not said

    def reached(self, client: str) -> str:
        """The endpoint that a new flow of a client arrives at."""
        with namespace.inside(PLACE):
            link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with link:
            link.bind((client, 0))
            link.sendto(b"?", (SERVICE, 80))
        found, _, _ = select.select(list(self.servers.values()), [], [], 60)
        ((address, server),) = [(address, each) for address, each in self.servers.items() if each in found]
        server.recv(9)
        return address

    def all_reached(self) -> dict[str, str]:
        """Where each client arrives, three times the same."""
        seen = {client: {self.reached(client) for _ in range(3)} for client in CLIENTS}
        assert all(len(endpoints) == 1 for endpoints in seen.values()), seen
        return {client: endpoints.pop() for client, endpoints in seen.items()}


@pytest.fixture
def stage(host: Path) -> Iterator[Stage]:
    namespace.create(PLACE)
    commands = ["link set lo up", "route add 10.96.0.0/16 dev lo src 10.1.0.1"]
    commands[1:1] = [f"address add {each}/32 dev lo" for each in (*CLIENTS, *ENDPOINTS)]
    for each in commands:
        subprocess.run(["ip", "-n", PLACE, *each.split()], check=True)
    with ExitStack() as stack, namespace.inside(PLACE):
        servers = {each: stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for each in ENDPOINTS}
        for address, server in servers.items():
            server.bind((address, 8080))
        yield Stage(servers)
    namespace.delete(PLACE)


def test_a_client_keeps_its_endpoint_for_as_long_as_that_is_there(stage: Stage):
    first, *rest = ENDPOINTS
    stage.lead_to(*ENDPOINTS)
    before = stage.all_reached()
    stage.lead_to(*rest)
    moved = stage.all_reached()
    assert {client: endpoint for client, endpoint in before.items() if endpoint != first}.items() <= moved.items()
    assert first not in moved.values()
    stage.lead_to(*ENDPOINTS)
    assert stage.all_reached() == moved, "who was led to another stays there when the first is back"
