"""`/metrics`: how many requests there were and how long they took, in Prometheus' text form."""

from knarr.client.transport import Response

Sort = tuple[str, str, str, int]  #: of a request: verb, group, resource, and the code of its answer


class Metrics:
    """Counts requests; written by hand because a request costs one dictionary entry this way."""

    def __init__(self) -> None:
        self._counts: dict[Sort, list[float]] = {}

    def __contains__(self, sort: Sort) -> bool:
        """Whether there was such a request before."""
        return sort in self._counts

    def observe(self, sort: Sort, seconds: float) -> None:
        if (entry := self._counts.get(sort)) is None:
            entry = self._counts[sort] = [0, 0.0]
        entry[0] += 1
        entry[1] += seconds

    def answer(self) -> Response:
        lines = [
            "# HELP apiserver_request_total Requests by verb, group, resource and code.",
            "# TYPE apiserver_request_total counter",
        ]
        sums = [
            "# HELP apiserver_request_duration_seconds_sum Seconds spent on requests.",
            "# TYPE apiserver_request_duration_seconds_sum counter",
        ]
        for (verb, group, resource, code), (count, seconds) in sorted(self._counts.items()):
            labels = f'{{verb="{verb.upper()}",group="{group}",resource="{resource}",code="{code}"}}'
            lines.append(f"apiserver_request_total{labels} {int(count)}")
            sums.append(f"apiserver_request_duration_seconds_sum{labels} {seconds:.6f}")
        body = "\n".join([*lines, *sums, ""]).encode()
        return Response(200, {"content-type": "text/plain; version=0.0.4; charset=utf-8"}, body)
