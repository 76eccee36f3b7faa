"""Probes: how a try is worded, and what a row of results means."""

import asyncio

import msgspec
import pytest

from knarr.kinds.types.core_v1 import Container, Probe
from knarr.meta import clock
from knarr.node.grpc_health import END_HEADERS, END_STREAM, HEADERS, frame
from knarr.node.probe import Result, Target, ask
from knarr.node.probes import Row, watch
from knarr.node.runtimes.simulated_streams import HEALTHY, CannedReader, CannedSession, canned_http
from knarr.testing import virtual_time

CONTAINER = msgspec.convert({"name": "main", "ports": [{"name": "http", "containerPort": 8080}]}, Container)
TARGET = Target("u", "c", "10.0.0.9", CONTAINER)


class Scripted:
    """A runtime whose answers are given: an exit code, an HTTP status, or an error."""

    def __init__(self, answer):
        self.answer = answer
        self.dialled = []

    async def exec(self, uid, container, command, **_):
        if isinstance(self.answer, BaseException):
            raise self.answer
        code, text = self.answer
        return CannedSession(code, stdin=False, stdout=CannedReader(text), stderr=CannedReader(b""))

    async def dial(self, uid, port, host):
        self.dialled.append((host, port))
        if isinstance(self.answer, BaseException):
            raise self.answer
        if self.answer is None:
            await asyncio.Event().wait()
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return await asyncio.open_connection(*server.sockets[0].getsockname()[:2])

    async def serve(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        await writer.drain()
        writer.close()


EXEC = {"exec": {"command": ["check", "it"]}}
HTTP = {"httpGet": {"path": "health", "port": "http"}}
GRPC = {"grpc": {"port": 9000, "service": "db"}}
TCP = {"tcpSocket": {"port": 8080}}
URL = "http://10.0.0.9:8080/health"
CASES = {
    "a command that succeeds": (EXEC, (0, b"fine"), Result("success", "fine")),
    "a command that fails says what it printed": (EXEC, (1, b"no disk"), Result("failure", "no disk")),
    "an open port": (TCP, b"", Result("success")),
    "a closed port": (
        TCP,
        ConnectionRefusedError(),
        Result("failure", "dial tcp 10.0.0.9:8080: connect: connection refused"),
    ),
    "a port that does not answer": (TCP, None, Result("failure", "dial tcp 10.0.0.9:8080: i/o timeout")),
    "a good answer": (HTTP, b"HTTP/1.1 204 No Content\r\n\r\n", Result("success")),
    "a redirect is good": (HTTP, b"HTTP/1.1 302 Found\r\n\r\n", Result("success")),
    "a bad answer": (
        HTTP,
        b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
        Result("failure", "HTTP probe failed with statuscode: 503"),
    ),
    "a server that refuses": (
        HTTP,
        ConnectionRefusedError(),
        Result("failure", f'Get "{URL}": dial tcp 10.0.0.9:8080: connect: connection refused'),
    ),
    "a server that hangs up": (HTTP, b"", Result("failure", f'Get "{URL}": EOF')),
    "a server that does not answer": (
        HTTP,
        None,
        Result(
            "failure",
            f'Get "{URL}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        ),
    ),
    "a healthy service": (GRPC, HEALTHY, Result("success", "service healthy")),
    "an unhealthy service": (
        GRPC,
        HEALTHY[:-1] + b"\x02",
        Result("failure", 'service unhealthy (responded with "NOT_SERVING")'),
    ),
    "a service without health checks": (
        GRPC,
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x88"),
        Result(
            "failure",
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
            "the call ended without an answer",
        ),
    ),
    "a service that refuses": (
        GRPC,
        ConnectionRefusedError(),
        Result(
            "failure",
            'timeout: failed to connect service "10.0.0.9:9000" within 20s: context deadline exceeded',
        ),
    ),
    "a port name nobody declares": (
        {"tcpSocket": {"port": "grpc"}},
        b"",
        Result("unknown", 'strconv.Atoi: parsing "grpc": invalid syntax'),
    ),
}


@pytest.mark.parametrize("probe, answer, result", CASES.values(), ids=CASES)
async def test_a_try(probe, answer, result):
    patience = 0.2 if answer is None else 20  # only who does not answer is waited out
    found = await ask(Scripted(answer), TARGET, msgspec.convert(probe, Probe), patience)
    assert (found.outcome, found.output) == (result.outcome, result.output)


async def test_a_simulated_service_is_healthy():
    class Simulated(Scripted):
        async def dial(self, uid, port, host):
            return canned_http(b"hello")

    found = [await ask(Simulated(b""), TARGET, msgspec.convert(probe, Probe), 20) for probe in (GRPC, HTTP, TCP)]
    assert [each.outcome for each in found] == ["success"] * 3


ROWS = {
    "one success is enough": (1, 3, None, "1", [True]),
    "failures must come in a row": (1, 3, True, "0010001", [False, True]),
    "so must successes": (2, 1, None, "1011", [False, True]),
    "a verdict is told once": (1, 1, None, "1111", [True]),
}


@pytest.mark.parametrize("good, bad, verdict, results, told", ROWS.values(), ids=ROWS)
def test_a_row_of_results(good, bad, verdict, results, told):
    row = Row(good, bad, verdict)
    assert [row.verdict for each in results if row.add(each == "1")] == told


def moments(kind, probe, answer=(1, b"no"), count=4):
    """When a container that started at 0 is probed, and when its verdict came."""

    async def main():
        tries, verdicts = [], []
        loop = asyncio.get_running_loop()
        begin = loop.time()

        class Timed(Scripted):
            async def exec(self, *args, **_):
                tries.append(round(loop.time() - begin, 2))
                if len(tries) == count:
                    done.set()
                return await super().exec(*args)

        async def tell(kind, result):
            assert result.outcome == "failure"

        def decide(good):
            verdicts.append((good, round(loop.time() - begin, 2)))
            return True

        done = asyncio.Event()
        spec = msgspec.convert(EXEC | probe, Probe)
        row = Row(spec.successThreshold or 1, spec.failureThreshold or 3)
        task = asyncio.ensure_future(watch(Timed(answer), TARGET, kind, spec, clock.unix(), row, tell, decide))
        await done.wait()
        await asyncio.sleep(0.01)
        task.cancel()
        return tries, verdicts

    return virtual_time.run(main())


def test_readiness_is_asked_at_once_again_after_a_second_and_then_by_its_period():
    assert moments("Readiness", {"periodSeconds": 10})[0] == [0, 1, 11, 21]


def test_liveness_begins_after_a_period_and_condemns_after_its_threshold():
    tries, verdicts = moments("Liveness", {"periodSeconds": 5, "failureThreshold": 2})
    assert tries == [5, 10, 15, 20] and verdicts == [(False, 10)]


def test_a_start_has_its_whole_budget():
    tries, verdicts = moments("Startup", {"periodSeconds": 2, "failureThreshold": 2}, count=5)
    assert tries == [0, 1, 3, 5, 7] and verdicts == [(False, 5)]


def test_an_initial_delay_is_waited_for():
    assert moments("Readiness", {"periodSeconds": 1, "initialDelaySeconds": 7}, count=2)[0] == [7, 8]
