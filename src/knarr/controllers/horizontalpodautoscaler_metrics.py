"""What the metrics APIs say: metrics.k8s.io of pods' resources, custom.metrics.k8s.io and external.metrics.k8s.io.

Whoever serves them is behind the API server. Amounts come back in thousandths. Incalculable says what went wrong, in
upstream's words.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec

from knarr.client import codec
from knarr.client.api import Api
from knarr.client.scales import Scales, group_of
from knarr.client.transport import TransportError
from knarr.controllers.horizontalpodautoscaler_replicas import Incalculable, Sample
from knarr.kinds.types.autoscaling_v2 import CrossVersionObjectReference, MetricIdentifier
from knarr.kinds.types.meta_v1 import APIGroup
from knarr.meta import clock, labels, quantity
from knarr.meta.durations import seconds_of
from knarr.meta.errors import ApiError, NotFound

RESOURCE, CUSTOM, EXTERNAL = "metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"
CUSTOM_VERSIONS = ("v1beta2", "v1beta1")
WINDOW = timedelta(minutes=1)  #: of a custom metric that does not tell its own


class Named(msgspec.Struct, frozen=True):
    name: str = ""
    namespace: str = ""


class ContainerMetrics(msgspec.Struct, frozen=True):
    name: str = ""
    usage: dict[str, str] = {}


class PodMetrics(msgspec.Struct, frozen=True):
    metadata: Named = Named()
    timestamp: str = ""
    window: str = ""
    containers: list[ContainerMetrics] = []


class MetricValue(msgspec.Struct, frozen=True):
    """One value of a custom or external metric; the window is in seconds and has two names."""

    value: str = "0"
    timestamp: str = ""
    describedObject: Named = Named()
    windowSeconds: int | None = None
    window: int | None = None


class PodMetricsList(msgspec.Struct, frozen=True):
    items: list[PodMetrics] = []


class MetricValueList(msgspec.Struct, frozen=True):
    items: list[MetricValue] = []


class Metrics:
    """Reads metrics; remembers which resource a kind is."""

    def __init__(self, scales: Scales) -> None:
        self._scales = scales

    async def resource(self, api: Api, namespace: str, selector: str, name: str, container: str) -> dict[str, Sample]:
        """What pods, or their containers of a name, use of a resource, by pod."""
        path = f"/apis/{RESOURCE}/v1beta1/namespaces/{namespace}/pods"
        where = f"pods.{RESOURCE}"
        body = await ask(api, path, [("labelSelector", selector)], "resource metrics API", where)
        items = codec.decode(PodMetricsList, body).items
        if not items:
            raise Incalculable("no metrics returned from resource metrics API")
        return container_samples(items, name, container) if container else pod_samples(items, name)

    async def pods(self, api: Api, namespace: str, selector: str, metric: MetricIdentifier) -> dict[str, Sample]:
        """A custom metric of pods, by pod."""
        path = f"/namespaces/{namespace}/pods/{quote('*')}/{quote(metric.name, safe='')}"
        items = await self._custom(api, path, [("labelSelector", selector), *metric_selector(metric)])
        if not items:
            raise Incalculable("no metrics returned from custom metrics API")
        return {each.describedObject.name: sample(each) for each in items}

    async def object(
        self, api: Api, namespace: str, about: CrossVersionObjectReference, metric: MetricIdentifier
    ) -> int:
        """A custom metric of one object; of a Namespace only one's own."""
        group = group_of(about.apiVersion)
        if (group, about.kind) == ("", "Namespace"):
            path = f"/namespaces/{namespace}/metrics/{quote(metric.name, safe='')}"
        else:
            where = await self._scales.resource(api, group, about.kind)
            name = quote(about.name, safe="")
            path = f"/namespaces/{namespace}/{where.qualified}/{name}/{quote(metric.name, safe='')}"
        items = await self._custom(api, path, metric_selector(metric))
        if len(items) != 1:
            message = f"the custom metrics API server returned {len(items)} results when we asked for exactly one"
            raise Incalculable(f"unable to fetch metrics from custom metrics API: {message}")
        return milli(items[0].value)

    async def external(self, api: Api, namespace: str, metric: MetricIdentifier) -> int:
        """The sum of an external metric's values."""
        name = quote(metric.name, safe="")
        path = f"/apis/{EXTERNAL}/v1beta1/namespaces/{namespace}/{name}"
        query = [("labelSelector", labels.shown(metric.selector))] if metric.selector is not None else []
        body = await ask(api, path, query, "external metrics API", f"{metric.name}.{EXTERNAL}")
        items = codec.decode(MetricValueList, body).items
        if not items:
            raise Incalculable("no metrics returned from external metrics API")
        return sum(milli(each.value) for each in items)

    async def _custom(self, api: Api, path: str, query: Sequence[tuple[str, str]]) -> list[MetricValue]:
        try:
            answer = await api.raw("GET", f"/apis/{CUSTOM}")
        except NotFound:
            raise Incalculable(
                f"unable to fetch metrics from custom metrics API: no custom metrics API ({CUSTOM}) registered"
            ) from None
        served = {each.version for each in codec.decode(APIGroup, answer.body).versions}
        version = next((each for each in CUSTOM_VERSIONS if each in served), CUSTOM_VERSIONS[-1])
        where = f"/apis/{CUSTOM}/{version}{path}"
        return codec.decode(MetricValueList, await ask(api, where, query, "custom metrics API", CUSTOM)).items


async def ask(api: Api, path: str, query: Sequence[tuple[str, str]], what: str, where: str) -> bytes:
    """The body of a metrics API's answer; Incalculable when there is none."""
    try:
        return (await api.raw("GET", path, query=[pair for pair in query if pair[1]])).body
    except NotFound as error:
        missing = f"the server could not find the requested resource (get {where})"
        raise Incalculable(f"unable to fetch metrics from {what}: {error if error.name else missing}") from None
    except (ApiError, TransportError) as error:
        raise Incalculable(f"unable to fetch metrics from {what}: {error}") from None


def metric_selector(metric: MetricIdentifier) -> list[tuple[str, str]]:
    return [("metricLabelSelector", labels.shown(metric.selector))] if metric.selector is not None else []


def pod_samples(items: Sequence[PodMetrics], resource: str) -> dict[str, Sample]:
    """What pods use in all their containers; those of which not all is known are left out."""
    found = {}
    for each in items:
        amounts = [container.usage.get(resource) for container in each.containers]
        if amounts and None not in amounts:
            total = sum(milli(amount) for amount in amounts if amount is not None)
            found[each.metadata.name] = taken(each, total)
    return found


def container_samples(items: Sequence[PodMetrics], resource: str, container: str) -> dict[str, Sample]:
    """What the containers of that name use; Incalculable when a pod has none."""
    found = {}
    for each in items:
        mine = next((one for one in each.containers if one.name == container), None)
        if mine is None:
            about = f"{each.metadata.namespace}/{each.metadata.name}"
            raise Incalculable(
                f"failed to get container metrics: container {container} not present in metrics for pod {about}"
            )
        if (amount := mine.usage.get(resource)) is not None:
            found[each.metadata.name] = taken(each, milli(amount))
    return found


def taken(metrics: PodMetrics, value: int) -> Sample:
    return Sample(value, clock.parse(metrics.timestamp), timedelta(seconds=seconds_of(metrics.window)))


def sample(metric: MetricValue) -> Sample:
    seconds: Any = metric.windowSeconds if metric.windowSeconds is not None else metric.window
    window = WINDOW if seconds is None else timedelta(seconds=seconds)
    return Sample(milli(metric.value), clock.parse(metric.timestamp), window)


def milli(amount: str) -> int:
    return quantity.parse(amount).milli
