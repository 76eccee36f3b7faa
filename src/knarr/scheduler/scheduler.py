"""The scheduler: gives every pod that has none a node. `run` runs it until cancelled.

Keeps true: a pod counts for its node from the moment of the decision, so two decisions never give away the same room;
a decision is made as soon as the pod is seen, never on a timer; what a pod waits for is said in its PodScheduled
condition and in an event. One pod is decided at a time, bindings run beside each other. Where others have to go for a
pod, the node is written in its status before the first of them is told: so no second node's pods go for it, whatever
fails in between.
"""

import asyncio
import logging

from knarr.client.api import Api
from knarr.client.transport import TransportError
from knarr.kinds.pod_claims import claims_of
from knarr.kinds.types.core_v1 import Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod
from knarr.kinds.types.policy_v1 import PodDisruptionBudget
from knarr.kinds.types.storage_v1 import CSINode, StorageClass
from knarr.loop.runner import Context
from knarr.meta.errors import ApiError, NotFound
from knarr.scheduler.bind import Claims, NotBound, bind_pod, bind_volumes
from knarr.scheduler.board import Board, Key, key_of
from knarr.scheduler.crowd import Waiting
from knarr.scheduler.decision import Decision, schedule
from knarr.scheduler.evict import evict, make_way
from knarr.scheduler.hints import beyond_one_node, has_claims, looks_at_others, matters, room_on
from knarr.scheduler.likeness import Refusals
from knarr.scheduler.nominations import Nominations
from knarr.scheduler.preemption import conclude, ineligible, may_help, verdicts
from knarr.scheduler.queue import Queue
from knarr.scheduler.report import FAILED, UNSCHEDULABLE, report
from knarr.scheduler.storage import Storage, limits
from knarr.scheduler.turns import taking_turns

NAME = "default-scheduler"  #: the pods it is for, and the component of its events
#: what decisions depend on, pods last: they are decided about once all else is known
KINDS = (Node, CSINode, PersistentVolume, PersistentVolumeClaim, StorageClass, Namespace, PodDisruptionBudget, Pod)

log = logging.getLogger("knarr.scheduler")


async def run(context: Context) -> None:
    """Schedule until cancelled."""
    scheduler = Scheduler(context)
    try:
        await scheduler.connect()
        async with asyncio.TaskGroup() as tasks:
            await scheduler.work(tasks)
    finally:
        scheduler.queue.close()


class Scheduler:
    def __init__(self, context: Context) -> None:
        self.api: Api = context.api
        self.board = Board()
        self._recorder = context.recorder.named(NAME)
        self._informers = context.informers
        self._claims = Claims()
        self._nominations = Nominations()
        self.queue = Queue(self._nominations.keys)
        self._refusals = Refusals(self._state)
        self._budgets = 0  # counts the changes of disruption budgets
        self._start = 0
        self._namespaces: dict[str, dict[str, str]] = {}  # their labels

    async def connect(self) -> None:
        """Follow what decisions depend on; return when all of it is known."""
        of = self._informers.of
        for informer in [of(kind) for kind in KINDS]:
            await informer.wait_synced()
        of(Node).on_change(self._node_changed)
        of(PersistentVolumeClaim).on_change(self._claim_changed)
        for kind in (PersistentVolume, StorageClass, CSINode):
            of(kind).on_change(lambda old, new: self.queue.wake(has_claims))
        of(Namespace).on_change(self._namespace_changed)
        of(PodDisruptionBudget).on_change(self._budget_changed)
        of(Pod).on_change(self._pod_changed)

    async def work(self, tasks: asyncio.TaskGroup) -> None:
        """Decide about one pod after the other; each binding is a task of its own."""
        while True:
            waiting, seen = await self.queue.get()
            if self._too_late(waiting):
                self.queue.rest(waiting, seen)
                await asyncio.sleep(0)  # many may be too late
                continue
            try:
                began, apart = self._state(), key_of(waiting.pod) in self._nominations.keys
                known = None if apart else self._refusals.of(waiting.pod, waiting.alike)
                decision = known or await self._decide(waiting.pod)
            except (ApiError, TransportError) as error:
                log.warning("pod %s/%s: %s", *key_of(waiting.pod), error)
                self.queue.retry(waiting)
                continue
            except Exception:  # a fault in a filter: one pod's turn is lost, the others go on
                log.exception("pod %s/%s cannot be decided about", *key_of(waiting.pod))
                self.queue.retry(waiting)
                continue
            log.debug("pod %s/%s: %s", *key_of(waiting.pod), decision)
            if not self.queue.holds(waiting):
                continue  # it is gone, or has its node from somebody else
            if decision.node:
                self.board.put_pod(waiting.pod, decision.node)
                self.queue.settled(waiting)
                if (left := self._nominations.drop(key_of(waiting.pod))) != decision.node:
                    self._free(left)
                tasks.create_task(self._bind(waiting, decision))
            elif decision.nominated:
                victims = frozenset(victim.metadata.uid for victim in decision.victims)
                self._nominations.put(waiting.pod, decision.nominated, victims)
                self.queue.settled(waiting)
                tasks.create_task(self._preempt(waiting, seen, decision))
            else:
                if decision.nominated is not None:
                    self._free(self._nominations.drop(key_of(waiting.pod)))
                self.queue.rest(waiting, seen, decision.message)
                if waiting.alike is not None and not apart:
                    self._refusals.put(waiting.alike, decision, began)
                tasks.create_task(self._refuse(waiting.pod, UNSCHEDULABLE, decision.message, decision.nominated))
            await asyncio.sleep(0)  # let the bindings begin

    def _too_late(self, waiting: Waiting) -> bool:
        """Whether the nodes that could have helped a pod no longer can: others were quicker, and it need not look."""
        if waiting.places is None or beyond_one_node(waiting.pod):
            return False
        for name in [*waiting.places]:
            place = self.board.place(name)
            if place is not None and may_help(place, waiting.pod, self._nominations.by_node):
                return False
            del waiting.places[name]  # those that are like it need not look there either
        return True

    def _state(self) -> tuple[int, ...]:
        """The same as long as nothing has changed that decisions depend on."""
        return self.board.version, self._nominations.version, self.queue.moves, self._budgets

    async def _decide(self, pod: Pod) -> Decision:
        places = self.board.places()
        self._start += 1
        found = schedule(
            pod,
            places,
            await self._storage(pod),
            start=self._start,
            namespaces=self._namespaces,
            nominated=self._nominations.by_node,
        )
        if isinstance(found, Decision):
            return found
        if why := ineligible(found, self._nominations.victims(key_of(pod))):
            return conclude(found, (), why)
        budgets = self._informers.of(PodDisruptionBudget).cache.list()
        return conclude(found, await taking_turns(verdicts(found, budgets)))

    async def _storage(self, pod: Pod) -> Storage:
        """What there is for the pod's claims; a claim not seen yet is asked for, as its pod may be quicker."""
        names = list(claims_of(pod))
        if not names:
            return Storage()
        cache, namespace = self._informers.of(PersistentVolumeClaim).cache, pod.metadata.namespace
        claims: dict[str, PersistentVolumeClaim] = {}
        for name in names:
            claim = cache.get(name, namespace) or await self._fetched(name, namespace)
            if claim is not None:
                claims[name] = claim
        classes = {class_.metadata.name: class_ for class_ in self._informers.of(StorageClass).cache.list()}
        volumes = self._informers.of(PersistentVolume).cache
        nodes = self._informers.of(CSINode).cache

        def claim_of(name: str, space: str) -> PersistentVolumeClaim | None:
            return claims.get(name) if space == namespace and name in claims else cache.get(name, space)

        return Storage(claims, classes, volumes.get, volumes.list, claim_of, lambda node: limits(nodes.get(node)))

    async def _fetched(self, name: str, namespace: str) -> PersistentVolumeClaim | None:
        try:
            return await self.api.get(PersistentVolumeClaim, name, namespace)
        except NotFound:
            return None

    async def _bind(self, waiting: Waiting, decision: Decision) -> None:
        """Carry a decision out; a failure frees the room again and has the pod decided anew."""
        pod = waiting.pod
        try:
            if decision.volumes:
                cache = self._informers.of(PersistentVolumeClaim).cache
                await bind_volumes(self.api, pod, decision, cache, self._claims)
            await bind_pod(self.api, pod, decision.node)
        except (ApiError, TransportError, NotBound) as error:
            log.info("pod %s/%s to %s: %s", *key_of(pod), decision.node, error)
            self._give_up(waiting)
            if not isinstance(error, NotFound):
                await self._refuse(pod, FAILED, str(error), "")
            return
        except Exception:  # a fault in a binding: one pod's turn is lost, the others go on
            log.exception("pod %s/%s cannot be bound to %s", *key_of(pod), decision.node)
            self._give_up(waiting)
            return
        namespace, name = key_of(pod)
        message = f"Successfully assigned {namespace}/{name} to {decision.node}"
        await self._recorder.event(pod, "Normal", "Scheduled", message)

    def _give_up(self, waiting: Waiting) -> None:
        meta = waiting.pod.metadata
        known = self._informers.of(Pod).cache.get(meta.name, meta.namespace)
        if known is None or (known.metadata.uid == meta.uid and not known.spec.nodeName):
            node = self.board.node_of(key_of(waiting.pod))
            self.board.drop_pod(key_of(waiting.pod))
            self._free(node or "")
        self.queue.retry(waiting)

    async def _preempt(self, waiting: Waiting, seen: int, decision: Decision) -> None:
        """Say where the pod is to go, then have its victims leave; a failure has the pod decided anew."""
        pod, node = waiting.pod, decision.nominated
        assert node, "it is nominated"
        told: set[str] = set()
        try:
            wanted = await report(self.api, self._recorder, pod, UNSCHEDULABLE, decision.message, node)
            if not self.queue.holds(waiting):
                return  # and so is not nominated any more
            if not wanted:
                self._leaves_queue(key_of(pod))
                return
            moved = await make_way(self.api, self._nominations, pod, node)
            if moved:
                self.queue.wake_these(moved)
            await evict(self.api, self._recorder, decision.victims, pod, node, told)
        except (ApiError, TransportError) as error:
            log.info("pod %s/%s on %s: %s", *key_of(pod), node, error)
        except Exception:  # a fault: one pod's turn is lost, the others go on
            log.exception("pod %s/%s cannot have others leave %s", *key_of(pod), node)
        else:
            self.queue.rest(waiting, seen)
            return
        self._nominations.expect(key_of(pod), frozenset(told))
        self.queue.retry(waiting)

    async def _refuse(self, pod: Pod, reason: str, message: str, nominated: str | None) -> None:
        """Say on the pod why it has no node; a failure is seen in the log."""
        try:
            await report(self.api, self._recorder, pod, reason, message, nominated)
        except (ApiError, TransportError) as error:
            log.debug("pod %s/%s: %s", *key_of(pod), error)

    def _free(self, node: str) -> None:
        """Try the pods again that room on a node could help."""
        if node and (place := self.board.place(node)) is not None:
            self.queue.wake(room_on(place, self._nominations.by_node), node)

    # What the informers tell

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if new is None:
            assert old is not None, "a change is of something"
            self.board.drop_node(old.metadata.name)
            return
        if old is not None and not matters(old, new):
            return
        self.board.put_node(new)
        self._free(new.metadata.name)

    def _namespace_changed(self, old: Namespace | None, new: Namespace | None) -> None:
        if new is not None:
            self._namespaces[new.metadata.name] = new.metadata.labels
        elif old is not None:
            self._namespaces.pop(old.metadata.name, None)
        self.queue.wake(looks_at_others)

    def _claim_changed(self, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> None:
        self._claims.changed()
        self.queue.wake(has_claims)

    def _budget_changed(self, old: PodDisruptionBudget | None, new: PodDisruptionBudget | None) -> None:
        self._budgets += 1

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None, "a change is of something"
        key = key_of(pod)
        if new is None or new.status.phase in ("Failed", "Succeeded"):
            self._leaves_queue(key)
            if (node := self.board.node_of(key)) is not None:
                self.board.drop_pod(key)
                self.queue.wake(looks_at_others)
                self._free(node)
        elif new.spec.nodeName:
            self._leaves_queue(key)
            self.board.put_pod(new, new.spec.nodeName)
            if old is not None and old.spec.nodeName and old.spec != new.spec:  # it may ask for less
                self._free(new.spec.nodeName)
            if old is None or not old.spec.nodeName or old.metadata.labels != new.metadata.labels:
                self.queue.wake(looks_at_others)
        elif is_ours(new):
            left = self._nominations.follow(old, new)
            self.queue.put(new)
            self._free(left)
        else:
            self._leaves_queue(key)

    def _leaves_queue(self, key: Key) -> None:
        self.queue.drop(key)
        self._free(self._nominations.drop(key))


def is_ours(pod: Pod) -> bool:
    """Whether a pod without a node waits for this scheduler."""
    ours = pod.spec.schedulerName in ("", NAME)
    return ours and not pod.spec.schedulingGates and not pod.metadata.deletionTimestamp
