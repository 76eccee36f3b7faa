"""What the cluster's DNS has done, under CoreDNS' names and in Prometheus' text form; served on port 9153."""

import socket
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass, field

from aiohttp import web

from knarr.net.forward import Forwarder
from knarr.net.wire import CODES

PORT = 9153
LONG = (
    0.00025,
    0.0005,
    0.001,
    0.002,
    0.004,
    0.008,
    0.016,
    0.032,
    0.064,
    0.128,
    0.256,
    0.512,
    1.024,
    2.048,
    4.096,
    8.192,
)
PROGRAMMED = tuple(0.001 * 2**n for n in range(20))
TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class Histogram:
    """How often something took at most so many seconds."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float, count: int = 1) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += count
        self.sum += seconds * count

    def lines(self, name: str, labels: str) -> Iterator[str]:
        total = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{{labels},le="{bound}"}} {total}'
        yield f"{name}_sum{{{labels}}} {self.sum:.6f}"
        yield f"{name}_count{{{labels}}} {total}"


class DnsMetrics:
    """Counts. `server` is where it listens, as a label."""

    def __init__(self, zone: str) -> None:
        self.server = ""
        self._zone = f"{zone}."
        self._counters: dict[tuple[bool, str, int], list[int]] = {}
        self._took = Histogram(LONG)
        self._programmed = Histogram(PROGRAMMED)
        self._asked: dict[tuple[str, str], Histogram] = {}
        self._turned_away = 0
        self._forwarder: Forwarder | None = None
        self._answers: Sized = ()

    def counter(self, tcp: bool, kind: str, code: int) -> list[int]:
        """The one cell that counts such answers: the hot path keeps it."""
        return self._counters.setdefault((tcp, kind, code), [0])

    def observe(self, seconds: float, count: int = 1) -> None:
        """So many questions took so long each, seconds."""
        self._took.observe(seconds, count)

    def turned_away(self) -> None:
        """A connection was refused: there are too many, or too many of its client."""
        self._turned_away += 1

    def programmed(self, seconds: float) -> None:
        """A change of pods was in the records so long after it happened."""
        self._programmed.observe(seconds)

    def told(self, place: str, code: int | None, seconds: float) -> None:
        """A resolver has answered, or has not."""
        text = "NONE" if code is None else CODES.get(code, str(code))
        self._asked.setdefault((place, text), Histogram(LONG)).observe(seconds)

    def watch(self, forwarder: Forwarder, answers: Sized) -> None:
        """Where the counts of what is kept are."""
        self._forwarder, self._answers = forwarder, answers

    def text(self) -> str:
        """All of it."""
        return "\n".join([*self._questions(), *self._caches(), *self._resolvers(), ""])

    def _questions(self) -> Iterator[str]:
        where = f'server="{self.server}",zone="{self._zone}",view=""'
        family = 'family="1"' if self.server.count(":") <= 2 * self.server.count("dns://") else 'family="2"'
        requests: dict[str, int] = {}
        responses: dict[str, int] = {}
        for (tcp, kind, code), (count,) in self._counters.items():
            proto = "tcp" if tcp else "udp"
            for counts, labels in (
                (requests, f'{where},proto="{proto}",{family},type="{kind}"'),
                (responses, f'{where},rcode="{CODES.get(code, str(code))}",plugin="kubernetes"'),
            ):
                counts[labels] = counts.get(labels, 0) + count
        yield from family_of("coredns_dns_requests_total", "counter", "Questions by protocol and type.")
        yield from (f"coredns_dns_requests_total{{{labels}}} {count}" for labels, count in sorted(requests.items()))
        yield from family_of("coredns_dns_responses_total", "counter", "Answers by response code.")
        yield from (f"coredns_dns_responses_total{{{labels}}} {count}" for labels, count in sorted(responses.items()))
        name = "coredns_dns_request_duration_seconds"
        yield from family_of(name, "histogram", "How long questions took; the mean of those read in one turn.")
        yield from self._took.lines(name, where)
        name = "knarr_dns_connections_refused_total"
        yield from family_of(name, "counter", "TCP connections refused, as there were too many in all or of a client.")
        yield f"{name} {self._turned_away}"
        name = "coredns_kubernetes_dns_programming_duration_seconds"
        yield from family_of(name, "histogram", "From a change of pods until it was in the records.")
        yield from self._programmed.lines(name, 'service_kind="headless_with_selector"')

    def _caches(self) -> Iterator[str]:
        if self._forwarder is None:
            return
        where = f'server="{self.server}",zones=".",view=""'
        yield from family_of("coredns_cache_entries", "gauge", "Answers of other resolvers that are kept.")
        yield f'coredns_cache_entries{{type="success",{where}}} {len(self._forwarder.kept)}'
        yield from family_of("coredns_cache_hits_total", "counter", "Forwarded questions answered from what is kept.")
        yield f'coredns_cache_hits_total{{type="success",{where}}} {self._forwarder.hits}'
        yield from family_of("coredns_cache_misses_total", "counter", "Forwarded questions that were asked.")
        yield f"coredns_cache_misses_total{{{where}}} {self._forwarder.misses}"
        name = "coredns_forward_max_concurrent_rejects_total"
        yield from family_of(name, "counter", "Questions refused because too many were under way.")
        yield f"{name} {self._forwarder.refused}"
        yield from family_of("knarr_dns_answers_kept", "gauge", "Answers of the cluster's own zone that are kept.")
        yield f"knarr_dns_answers_kept {len(self._answers)}"

    def _resolvers(self) -> Iterator[str]:
        name = "coredns_proxy_request_duration_seconds"
        yield from family_of(name, "histogram", "How long other resolvers took; rcode NONE: no answer in time.")
        for (place, code), histogram in sorted(self._asked.items()):
            yield from histogram.lines(name, f'proxy_name="forward",to="{place}",rcode="{code}"')

    async def serve(self, sock: socket.socket) -> web.AppRunner:
        """Answer /metrics on a bound socket until the runner's `cleanup`."""

        async def answer(request: web.Request) -> web.Response:
            return web.Response(text=self.text(), headers={"content-type": TYPE})

        app = web.Application()
        app.router.add_get("/metrics", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.SockSite(runner, sock).start()
        return runner


def family_of(name: str, kind: str, text: str) -> Iterable[str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
