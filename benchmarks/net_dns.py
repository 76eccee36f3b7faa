"""The DNS stages of `python -m benchmarks net`: questions a second, how long they wait, changes, and memory.

The server is `knarr.net.dns` in a process and on a core of its own; questions come from another core, over loopback.
"""

import asyncio
import gc
import json
import os
import select
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from dnslib import DNSRecord
from msgspec.structs import replace

from benchmarks.net import Collections, Told
from benchmarks.process import cpu
from knarr.app.parts import PATIENT
from knarr.client.informer import Informers
from knarr.kinds.types.core_v1 import Namespace, Service, ServicePort, ServiceSpec
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net.dns import ClusterDns
from knarr.testing.cluster import Cluster

RATE, WAIT = "DNS questions a second, one core", "DNS p99 at 20,000 a second, ms"
CHANGE, MEMORY = "a changed endpoint in DNS, ms", "10,000 DNS records, MB"
CPU = "DNS server's CPU a question, microseconds"
FLOOR = "the same of a server that only sends back what it gets, ms"
AHEAD = "DNS p99 at 20,000 a second, ahead of all other processes, ms"
FLOOR_AHEAD = "the same of a server that only sends back, ahead too, ms"
GOALS = {RATE: 20_000.0, WAIT: 2.0, CHANGE: 50.0, MEMORY: 50.0}
MOST = (WAIT, CHANGE, MEMORY)  #: goals that must not be exceeded; of the others, more is better
SECONDS = 2.0
RCVBUFFORCE = 33  #: a socket option of Linux: a buffer beyond what others may have
PACE = 20_000  #: questions a second
IN_FLIGHT = 64
CHANGES = 20
SERVICES = 1000  #: of two endpoints: more than 10,000 records
Note = Callable[[str, float], None]


class Synced(Told):
    """Has the whole collection from the beginning."""

    synced = True


def a_service(number: int) -> Service:
    ports = [ServicePort(name="http", port=80, protocol="TCP")]
    spec = (
        ServiceSpec(clusterIP="None", ports=ports)
        if number % 2
        else ServiceSpec(clusterIP=address(number), ports=ports)
    )
    return Service(metadata=ObjectMeta(name=f"web-{number}", namespace="default"), spec=spec)


def address(number: int) -> str:
    return f"10.96.{1 + number // 250}.{1 + number % 250}"


def a_slice(number: int, turn: int = 0) -> EndpointSlice:
    ready = EndpointConditions(ready=True, serving=True, terminating=False)
    places = [f"10.244.{number // 100}.{2 * (number % 100) + 2 + end}" for end in range(2)]
    if turn:
        places[0] = f"10.245.{number // 250}.{turn}"
    return EndpointSlice(
        metadata=ObjectMeta(
            name=f"web-{number}-x", namespace="default", labels={"kubernetes.io/service-name": f"web-{number}"}
        ),
        addressType="IPv4",
        endpoints=[
            Endpoint(addresses=[ip], conditions=ready, hostname=f"web-{number}-{end}") for end, ip in enumerate(places)
        ],
        ports=[EndpointPort(name="http", port=8080, protocol="TCP")],
    )


# The server's process


def serve() -> None:
    """Serve the records, say where and what they weigh, until the input ends."""
    import uvloop

    gc.set_threshold(*PATIENT)  # as the server does

    async def run() -> None:
        known = Collections({kind: Synced() for kind in (Namespace, Service, EndpointSlice)})
        before = resident()
        dns = ClusterDns(known)  # type: ignore[arg-type]
        known.of(Namespace).put(Namespace(metadata=ObjectMeta(name="default")))
        for number in range(SERVICES):
            known.of(Service).put(a_service(number))
            known.of(EndpointSlice).put(a_slice(number))
        await dns.start([("127.0.0.1", 0)])
        dns.known(bytes(DNSRecord.question("web-1.default.svc.cluster.local").pack()), tcp=False)
        say = {"port": dns.addresses[0][1], "records": len(dns.table), "megabytes": (resident() - before) / 1e6}
        print(json.dumps(say), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await dns.stop()

    uvloop.run(run())


def resident() -> int:
    """Bytes of memory that this process has."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def echo() -> None:
    """Send everything back, until the input ends: what the machine and Python cost any server."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 1 << 22)
    sock.bind(("127.0.0.1", 0))
    print(json.dumps({"port": sock.getsockname()[1]}), flush=True)
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.register(sys.stdin, select.POLLIN)
    while [number for number, _ in poll.poll()] == [sock.fileno()]:
        data, source = sock.recvfrom(4096)
        sock.sendto(data, source)


@contextmanager
def server(what: str = "serve", *, ahead: bool = False) -> Iterator[tuple[dict[str, Any], Callable[[], float]]]:
    """What the server says of itself, and its CPU seconds so far. It has the first core, this process the last.
    `ahead`: neither waits for a core that another process has."""
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, "-c", f"from benchmarks.net_dns import {what}; {what}()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    os.sched_setaffinity(process.pid, cores[:1])
    os.sched_setaffinity(0, cores[-1:])
    if ahead:
        for pid in (process.pid, 0):
            os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))

    try:
        yield json.loads(process.stdout.readline()), partial(cpu, process.pid)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, cores)
        process.communicate(timeout=10)


# The stages


def questions() -> list[bytes]:
    """What is asked in turn, each after its ID: addresses, services, pods, and names that are not there."""
    names = [
        *((f"web-{n}.default.svc.cluster.local", "A") for n in range(40)),
        *((f"web-{n}-0.web-{n}.default.svc.cluster.local", "A") for n in range(1, 40, 2)),
        *((f"_http._tcp.web-{n}.default.svc.cluster.local", "SRV") for n in range(20)),
        *((f"web-{n}.default.svc.cluster.local.svc.cluster.local", "A") for n in range(20)),
        *((f"web-{n}.default.svc.cluster.local", "AAAA") for n in range(20)),
    ]
    return [bytes(DNSRecord.question(*each).pack())[2:] for each in names]


def load(note: Note) -> None:
    """As many as it answers; then 20,000 a second, as they come, and how long they wait."""
    asked = questions()
    with server() as (said, used), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", said["port"]))
        sock.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 1 << 22)
        note(MEMORY, said["megabytes"] * 10_000 / said["records"])
        _flood(sock, asked, 0.3)
        before = used()
        answered, took = _flood(sock, asked, SECONDS)
        note(RATE, answered / took)
        note(CPU, 1e6 * (used() - before) / answered)
        waited = sorted(_paced(sock, asked))
        note("DNS answers lost at 20,000 a second", SECONDS * PACE - len(waited))
        note("DNS median at 20,000 a second, ms", 1000 * statistics.median(waited))
        note(WAIT, 1000 * waited[int(len(waited) * 0.99)])
    note(FLOOR, waiting("echo", asked))
    note(AHEAD, waiting("serve", asked, ahead=True))
    note(FLOOR_AHEAD, waiting("echo", asked, ahead=True))


def waiting(what: str, asked: list[bytes], *, ahead: bool = False) -> float:
    """The 99th percentile of how long a server's answers take at the steady pace, in milliseconds."""
    with server(what, ahead=ahead) as (said, _), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", said["port"]))
        sock.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 1 << 22)
        _flood(sock, asked, 0.3)
        waited = sorted(_paced(sock, asked))
    return 1000 * waited[int(len(waited) * 0.99)]


def _flood(sock: socket.socket, asked: list[bytes], seconds: float) -> tuple[int, float]:
    """Keep so many under way; how many were answered, in how many seconds."""
    began = time.perf_counter()
    sent = answered = 0
    sock.settimeout(1)
    while time.perf_counter() - began < seconds:
        for _ in range(100):
            while sent - answered < IN_FLIGHT:
                sock.send(struct.pack("!H", sent & 0xFFFF) + asked[sent % len(asked)])
                sent += 1
            sock.recv(4096)
            answered += 1
    took = time.perf_counter() - began
    for _ in range(sent - answered):
        sock.recv(4096)
    return answered, took


def _paced(sock: socket.socket, asked: list[bytes]) -> list[float]:
    """Ask at a steady pace whether or not answers come; the seconds that each waited, without those that are lost."""
    sock.setblocking(False)
    count = int(SECONDS * PACE)
    due = [0.0] * count
    waited: list[float] = []
    began = time.perf_counter()
    sent = 0
    while len(waited) < count:
        now = time.perf_counter()
        while sent < count and began + sent / PACE <= now:
            due[sent] = time.perf_counter()
            sock.send(struct.pack("!H", sent & 0xFFFF) + asked[sent % len(asked)])
            sent += 1
        pause = began + sent / PACE - time.perf_counter() if sent < count else 1.0
        if not select.select([sock], [], [], max(0.0, pause))[0]:
            if sent == count:
                break
            continue
        try:
            while True:
                data = sock.recv(4096)
                number = int.from_bytes(data[:2], "big")
                number += (sent - 1 - number) // 65536 * 65536
                waited.append(time.perf_counter() - due[number])
        except BlockingIOError:
            continue
    return waited


def change(note: Note) -> None:
    """From the write of an EndpointSlice to the first answer that has it: API, watch, informer, table, socket."""
    asyncio.run(_change(note))


async def _change(note: Note) -> None:
    async with Cluster([]) as cluster, Informers(cluster.api) as informers:
        dns = ClusterDns(informers)
        for number in range(100):
            await cluster.api.create(a_service(number))
            await cluster.api.create(a_slice(number))
        await dns.start([("127.0.0.1", 0)])
        taken = []
        for turn in range(1, CHANGES + 1):
            number = 2 * turn + 1
            wanted = socket.inet_aton(f"10.245.{number // 250}.{turn}")
            asked = bytes(DNSRecord.question(f"web-{number}-0.web-{number}.default.svc.cluster.local").pack())
            now = await cluster.api.get(EndpointSlice, f"web-{number}-x", "default")
            began = time.perf_counter()
            await cluster.api.update(replace(a_slice(number, turn), metadata=now.metadata))
            while wanted not in (dns.known(asked, tcp=False) or b""):  # noqa: ASYNC110
                await asyncio.sleep(0)  # when the answer changes is what is measured
            taken.append(1000 * (time.perf_counter() - began))
        await dns.stop()
        note(CHANGE, statistics.median(taken))
        note(f"the slowest of {CHANGES} changes in DNS, ms", max(taken))


STAGES: dict[str, Callable[[Note], None]] = {"dns load": load, "dns change": change}


def main() -> None:
    """The DNS stages alone."""
    for stage in STAGES.values():
        stage(lambda name, value: print(f"{name}: {value:.2f}"))


if __name__ == "__main__":
    main()
