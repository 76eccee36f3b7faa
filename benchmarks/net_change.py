"""From the API to the packet: how soon after an EndpointSlice is changed a service's address leads to the new endpoint.

A stage of `benchmarks net`: a real cluster of two sandbox nodes with many services, and two servers on the host's
address on the bridge that take turns as the only endpoint of one of them. Asked every millisecond, from the host.
"""

import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from knarr.client import kubeconfig
from knarr.client.api import Api

SERVICES, CHANGES, AT_ONCE = 1000, 20, 50
HOST, PORTS = "172.30.0.1", (9001, 9002)
WHAT = "a changed EndpointSlice until the service's address leads there, ms"
SLOWEST = f"the slowest of {CHANGES} changes through the API, ms"
GOALS = {WHAT: 50.0}
JSON = {"content-type": "application/json"}
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
Note = Callable[[str, float], None]


def change(note: Note) -> None:
    with cluster() as file, servers():
        taken = asyncio.run(_change(file))
    note(WHAT, 1000 * statistics.median(taken))
    note(SLOWEST, 1000 * max(taken))


async def _change(file: Path) -> list[float]:
    api = Api(kubeconfig.load(file).transport(), user_agent="benchmark")
    try:
        gate = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(_create(api, gate, number) for number in range(SERVICES)))
        service = json.loads((await api.raw("GET", "/api/v1/namespaces/default/services/web-0")).body)
        address = service["spec"]["clusterIP"]
        await until(address, PORTS[0])
        taken = []
        for turn in range(CHANGES):
            port = PORTS[(turn + 1) % 2]
            body = json.dumps({"ports": [{"name": "http", "port": port, "protocol": "TCP"}]}).encode()
            headers = {"content-type": "application/merge-patch+json"}
            await api.raw("PATCH", f"{SLICES}/web-0", body=body, headers=headers)
            began = time.perf_counter()
            await until(address, port)
            taken.append(time.perf_counter() - began)
            await asyncio.sleep(0.1)
        return taken
    finally:
        await api.close()


async def _create(api: Api, gate: asyncio.Semaphore, number: int) -> None:
    async with gate:
        for path, tree in (("/api/v1/namespaces/default/services", a_service(number)), (SLICES, a_slice(number))):
            await api.raw("POST", path, body=json.dumps(tree).encode(), headers=JSON)


def a_service(number: int) -> dict[str, Any]:
    spec = {"ports": [{"name": "http", "port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"web-{number}"}, "spec": spec}


def a_slice(number: int) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": f"web-{number}"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"web-{number}", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [HOST]}],
        "ports": [{"name": "http", "port": PORTS[0], "protocol": "TCP"}],
    }


async def until(address: str, port: int) -> None:
    """Return when the server of that port answers at the service's address."""
    deadline = time.perf_counter() + 30
    while await asyncio.to_thread(who, address) != str(port):
        if time.perf_counter() > deadline:
            raise SystemExit(f"{address} does not lead to port {port}")
        await asyncio.sleep(0.001)


def who(address: str) -> str:
    try:
        with socket.create_connection((address, 80), timeout=1) as link:
            return link.recv(16).decode()
    except OSError:
        return ""


@contextmanager
def servers() -> Iterator[None]:
    """Two servers that say their port."""
    listening = [socket.create_server((HOST, port)) for port in PORTS]

    def serve(here: socket.socket) -> None:
        while True:
            try:
                link, _ = here.accept()
            except OSError:
                return
            with link:
                link.sendall(str(here.getsockname()[1]).encode())

    for here in listening:
        threading.Thread(target=serve, args=(here,), daemon=True).start()
    try:
        yield
    finally:
        for here in listening:
            here.shutdown(socket.SHUT_RDWR)
            here.close()


@contextmanager
def cluster() -> Iterator[Path]:
    """The kubeconfig of a fresh cluster of two sandbox nodes, removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="knarr-benchmark-"))
    own, knarr = folder / "kubeconfig", [sys.executable, "-m", "knarr"]
    places = ["--data-dir", str(folder / "data"), "--kubeconfig", str(own), "--port", "0"]
    kind = ["--name", "change", "--runtime", "sandbox", "--nodes", "2", "--upstream-dns", "127.0.0.1"]
    home = {**os.environ, "KNARR_HOME": str(folder / "home")}  # the first of its home, so that its addresses are known
    try:
        subprocess.run([*knarr, "up", *kind, *places], check=True, stdout=subprocess.DEVNULL, env=home)
        yield own
    finally:
        subprocess.run([*knarr, "down", "--name", "change", "--delete-data"], stdout=subprocess.DEVNULL, env=home)
        shutil.rmtree(folder, ignore_errors=True)


STAGES = {"change": change}
