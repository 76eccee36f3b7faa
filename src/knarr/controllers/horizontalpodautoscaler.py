"""HorizontalPodAutoscaler: as many replicas as the load asks for.

Every `PERIOD` each autoscaler reads its target's scale and its metrics; `horizontalpodautoscaler_plan` decides, and the
scale is written. What fails is said in a condition and an event, and looked at again with the next period.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from msgspec.structs import replace

from knarr.client.scales import Scaled, Scales
from knarr.client.transport import TransportError
from knarr.controllers import horizontalpodautoscaler_plan as planned
from knarr.controllers.horizontalpodautoscaler_behavior import History, rescaled
from knarr.controllers.horizontalpodautoscaler_metrics import Metrics
from knarr.controllers.horizontalpodautoscaler_plan import Decision
from knarr.controllers.horizontalpodautoscaler_proposals import Reading, Snapshot
from knarr.controllers.horizontalpodautoscaler_replicas import Incalculable
from knarr.kinds.types.autoscaling_v2 import HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec
from knarr.kinds.types.core_v1 import Pod
from knarr.loop import selector_text
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Status, Step
from knarr.meta import clock, labels
from knarr.meta.errors import ApiError, BadRequest
from knarr.meta.labels import Selector

PERIOD = 15.0  #: seconds between two looks at an autoscaler

log = logging.getLogger("knarr.controllers")


@dataclass
class Remembered:
    """What is kept of an autoscaler between passes: when it is due, for which spec; its pods; what it did."""

    due: float = 0.0  # on the loop's clock
    spec: HorizontalPodAutoscalerSpec | None = None
    selector: Selector = labels.NOTHING
    history: History = field(default_factory=History)


class Autoscalers:
    """One controller's memory, and its passes."""

    def __init__(self) -> None:
        self._scales = Scales()
        self._metrics = Metrics(self._scales)
        self._known: dict[Key, Remembered] = {}

    async def sync(self, key: Key, context: Context) -> float | None:
        """Look at one autoscaler when it is due, or when its spec is new."""
        scaler = context.cache(HorizontalPodAutoscaler).get(key[1], key[0])
        if scaler is None:
            self._known.pop(key, None)
            return None
        known = self._known.setdefault(key, Remembered())
        now = asyncio.get_running_loop().time()
        if known.spec == scaler.spec and now < known.due:
            return known.due - now
        known.spec, known.due = scaler.spec, now + PERIOD
        try:
            await self._look(key, scaler, known, context)
        except (ApiError, TransportError) as error:  # upstream too waits for the next period
            log.warning("autoscaler %s/%s: %s", *key, error)
        return PERIOD

    async def _look(self, key: Key, scaler: HorizontalPodAutoscaler, known: Remembered, context: Context) -> None:
        target = scaler.spec.scaleTargetRef
        try:
            scaled = await self._scales.get(context.api, target.apiVersion, target.kind, key[0], target.name)
        except (ApiError, TransportError) as error:
            await write(context, scaler, planned.unreachable(scaler, str(error), clock.now()))
            return
        decision, snapshot = await self._decide(key, scaler, scaled, known, context)
        if decision.replicas is not None:
            decision = await self._rescale(context, scaled, snapshot, decision, known.history)
        await write(context, scaler, decision)

    async def _decide(
        self, key: Key, scaler: HorizontalPodAutoscaler, scaled: Scaled, known: Remembered, context: Context
    ) -> tuple[Decision, Snapshot]:
        bare = Snapshot(scaler, scaled.scale, (), (), clock.now())
        selector = scaled.scale.status.selector
        if not planned.needs_metrics(scaler, bare.current):
            return planned.decide(bare, known.history), bare
        if not selector:
            return planned.unselectable(bare, "SelectorRequired", planned.NO_SELECTOR, "selector is required"), bare
        try:
            known.selector = labels.parse(selector)
        except BadRequest as error:
            message = f"couldn't convert selector into a corresponding internal selector object: {error}"
            return planned.unselectable(bare, "InvalidSelector", ("InvalidSelector", message), message), bare
        pods = [pod for pod in context.cache(Pod).list(key[0]) if known.selector.matches(pod.metadata.labels)]
        if len(rivals := self._rivals(key, pods)) > 1:
            shown = " ".join(f"{{{name} {namespace}}}" for namespace, name in rivals)
            message = f"pods by selector {selector} are controlled by multiple HPAs: [{shown}]"
            return planned.unselectable(bare, "AmbiguousSelector", ("AmbiguousSelector", message), message), bare
        readings = [await self._read(context, key[0], selector, metric) for metric in scaler.spec.metrics]
        snapshot = Snapshot(scaler, scaled.scale, pods, readings, clock.now())
        return planned.decide(snapshot, known.history), snapshot

    def _rivals(self, key: Key, pods: list[Pod]) -> list[Key]:
        """The autoscalers whose targets have some of these pods."""
        return sorted(
            other
            for other, known in self._known.items()
            if other[0] == key[0] and any(known.selector.matches(pod.metadata.labels) for pod in pods)
        )

    async def _rescale(
        self, context: Context, scaled: Scaled, snapshot: Snapshot, decision: Decision, history: History
    ) -> Decision:
        assert decision.replicas is not None
        try:
            await self._scales.set_replicas(context.api, scaled, decision.replicas)
        except (ApiError, TransportError) as error:
            return planned.unscaled(snapshot, decision, str(error))
        rescaled(snapshot.scaler.spec, snapshot.current, decision.replicas, history, snapshot.now)
        return planned.rescaled(snapshot, decision)

    async def _read(self, context: Context, namespace: str, selector: str, metric: MetricSpec) -> Reading:
        """What is known of a metric, or why nothing is."""
        api = context.api
        about = ""
        try:
            if (resource := metric.resource) is not None:
                about = f"unable to get metrics for resource {resource.name}"
                return await self._metrics.resource(api, namespace, selector, resource.name, "")
            if (container := metric.containerResource) is not None:
                about = f"unable to get metrics for resource {container.name}"
                return await self._metrics.resource(api, namespace, selector, container.name, container.container)
            if (pods := metric.pods) is not None:
                about = f"unable to get metric {pods.metric.name}"
                return await self._metrics.pods(api, namespace, selector, pods.metric)
            if (obj := metric.object) is not None:
                described = obj.describedObject
                about = f"unable to get metric {obj.metric.name} on {described.kind} {namespace}/{described.name}"
                return await self._metrics.object(api, namespace, described, obj.metric)
            if (external := metric.external) is not None:
                shown = selector_text.shown(external.metric.selector)
                about = f"unable to get external metric {namespace}/{external.metric.name}/{shown}"
                return await self._metrics.external(api, namespace, external.metric)
        except (Incalculable, ApiError, TransportError, ValueError) as error:
            return Incalculable(f"{about}: {error}")
        return Incalculable(f'unknown metric source type "{metric.type}"')


async def write(context: Context, scaler: HorizontalPodAutoscaler, decision: Decision) -> None:
    """Record the events, and the status if it says something new."""
    steps: list[Step] = [*decision.events]
    if decision.status != scaler.status:
        steps.append(Status(replace(scaler, status=decision.status)))
    await carry_out(context.api, steps, context.recorder)


def respecified(old: HorizontalPodAutoscaler | None, new: HorizontalPodAutoscaler | None) -> bool:
    """Whether an autoscaler came, went or was changed by somebody else than its controller."""
    return old is None or new is None or old.spec != new.spec


def controller() -> Controller:
    """The controller, with memory of its own."""
    return Controller(
        name="horizontalpodautoscaler",
        component="horizontal-pod-autoscaler",
        sources=[Source(HorizontalPodAutoscaler, itself, matters=respecified), Source(Pod)],
        sync=Autoscalers().sync,
    )
