"""The kubelet API: logs, exec, attach, port-forward and a few facts, for the API server and cluster administrators.

Only clients with a certificate of the cluster's CA get in. The API server passes upgraded connections through byte for
byte, so what a kubectl speaks is decided here: SPDY/3.1 (up to 1.29), WebSocket (from 1.30), or SPDY in a WebSocket.
"""

import asyncio
import ssl
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from knarr.meta import clock
from knarr.node import logs
from knarr.node.config import NodeConfig
from knarr.node.http_server import Answer, HttpServer, Request
from knarr.node.pod import everyone, newest
from knarr.node.runtimes.runtime import ContainerState
from knarr.node.spec import log_path
from knarr.node.streaming import Streaming

if TYPE_CHECKING:
    from knarr.node.pod_workers import PodWorkers
    from knarr.node.worker import Worker

USERS = frozenset({"system:kube-apiserver", "kube-apiserver", "kube-apiserver-kubelet-client"})
GROUPS = frozenset({"system:masters"})


class Refused(Exception):
    """A request that gets a plain-text error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(status, message.encode())


CATCH_UP = 30.0  #: seconds a request waits for an agent that has just started


def serving_context(config: NodeConfig) -> ssl.SSLContext | None:
    """How a kubelet API is served: only to clients with a certificate of the cluster. None: without certificates."""
    if config.serving_cert is None:
        return None
    assert config.ca
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(config.ca))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(config.serving_cert, config.serving_key)
    return context


class KubeletApi:
    """One node's API."""

    def __init__(self, agent: "PodWorkers") -> None:
        self._agent = agent
        self._http = HttpServer(self.answer)
        self._streaming = Streaming(agent.runtime)
        self._secure = agent.config.serving_cert is not None

    async def start(self) -> int:
        """Listen on the node's address; the port."""
        config = self._agent.config
        return await self._http.start(config.node_ip, config.port, serving_context(config))

    async def stop(self) -> None:
        await self._http.stop()

    async def answer(self, request: Request) -> Answer:
        if self._secure and request.user not in USERS and not GROUPS & set(request.groups):
            return Answer(403, f"Forbidden (user={request.user or 'system:anonymous'})".encode())
        try:
            return await self._route(request)
        except Refused as refused:
            return refused.answer

    async def _route(self, request: Request) -> Answer:
        first, *rest = request.path.strip("/").split("/")
        if first in ("healthz", "livez", "readyz"):
            return Answer(body=b"ok")
        await self._know_pods()
        if first == "pods" and not rest:
            items = [worker.pod for worker in self._agent.workers.values()]
            tree = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}
            return Answer(body=msgspec.json.encode(tree), type="application/json")
        if request.path == "/stats/summary":
            return Answer(body=msgspec.json.encode(await self._agent.stats.summary()), type="application/json")
        if first == "containerLogs" and len(rest) == 3:
            return self._logs(request, *rest)
        if first in ("exec", "attach", "run") and len(rest) in (3, 4):
            worker, state = self._running(rest[0], rest[1], rest[-1])
            return await self._streaming.command(request, first, worker.uid, state.id)
        if first == "portForward" and len(rest) in (2, 3):
            worker = self._worker(rest[0], rest[1])
            return await self._streaming.forward(request, worker.uid)
        if first == "dial" and len(rest) == 2:
            worker = self._worker(rest[0], rest[1])
            return await self._streaming.tunnel(request, worker.uid, worker.sandbox.ip if worker.sandbox else "")
        return Answer(404, b"404 page not found")

    # ------------------------------------------------------------------ pods

    async def _know_pods(self) -> None:
        """Wait, as just after a start, until the agent knows its pods: before, none would be found."""
        try:
            await asyncio.wait_for(self._agent.caught_up.wait(), CATCH_UP)
        except TimeoutError:
            raise Refused(503, "the agent does not know its pods yet") from None

    def _worker(self, namespace: str, name: str) -> "Worker":
        for worker in self._agent.workers.values():
            meta = worker.pod.metadata
            if (meta.namespace, meta.name) == (namespace, name) and not worker.memory.removed:
                return worker
        raise Refused(404, f'pod "{namespace}/{name}" not found')

    def _running(self, namespace: str, name: str, container: str) -> tuple["Worker", ContainerState]:
        worker = self._worker(namespace, name)
        state = newest(worker.sandbox).get(container)
        if state is None or state.state != "running":
            raise Refused(404, f'container not found ("{container}")')
        return worker, state

    # ------------------------------------------------------------------ logs

    def _logs(self, request: Request, namespace: str, name: str, container: str) -> Answer:
        worker = self._worker(namespace, name)
        attempt = self._attempt(worker, container, request.asks("previous"))
        if self._agent.runtime.name == "simulated":
            return Answer(body=b"simulated: this container has no process and writes no log\n")
        path = log_path(worker.pod, self._agent.config, container, attempt)
        options = log_options(request)

        def running() -> bool:
            state = newest(worker.sandbox).get(container)
            return state is not None and state.attempt == attempt and state.state == "running"

        return Answer(stream=logs.read(path, options, running))

    def _attempt(self, worker: "Worker", container: str, previous: bool) -> int:
        """Which attempt's log is asked for; Refused in the kubelet's words when there is none."""
        pod, name = worker.pod, worker.pod.metadata.name
        if container not in everyone(pod):
            raise Refused(404, f'container "{container}" in pod "{name}" not found')
        state = newest(worker.sandbox).get(container)
        if previous:
            if state is None or state.attempt == 0:
                raise Refused(400, f'previous terminated container "{container}" in pod "{name}" not found')
            return state.attempt - 1
        if state is not None:
            return state.attempt
        why = worker.memory.waiting.get(container)
        reason = why.reason if why else "PodInitializing" if pod.spec.initContainers else "ContainerCreating"
        pulls = reason in ("ErrImagePull", "ImagePullBackOff")
        detail = "waiting to start: trying and failing to pull image" if pulls else f"waiting to start: {reason}"
        raise Refused(400, f'container "{container}" in pod "{name}" is {detail}')


def log_options(request: Request) -> logs.Options:
    """The query's options; Refused when one is no number or time."""
    try:
        tail, limit = request.parameter("tailLines"), request.parameter("limitBytes")
        seconds, since = request.parameter("sinceSeconds"), request.parameter("sinceTime")
        moment = clock.parse(since) if since else None
        if seconds:
            moment = clock.now() - timedelta(seconds=int(seconds))
        return logs.Options(
            follow=request.asks("follow"),
            tail=int(tail) if tail else None,
            since=moment,
            timestamps=request.asks("timestamps"),
            limit=int(limit) if limit else None,
            stream=request.parameter("stream") or "All",
        )
    except ValueError as error:
        raise Refused(400, str(error)) from None
