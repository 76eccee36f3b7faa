"""From a request's target to what answers it: stored kinds, reviews, and the subresources that do something."""

from collections.abc import Awaitable, Callable
from typing import Any

from knarr.client.transport import Response
from knarr.kinds.kind import Kind
from knarr.kinds.podmetrics import GROUP as METRICS
from knarr.kinds.types.core_v1 import Node, Pod
from knarr.meta.errors import NotFound
from knarr.registry.core import Options
from knarr.registry.delete import check_preconditions
from knarr.registry.registry import Registry
from knarr.server import bodies, component_statuses, eviction, status, token_requests
from knarr.server.admission.webhooks import BODIES
from knarr.server.authentication.service_account_tokens import ServiceAccountTokens
from knarr.server.call import Call, warning
from knarr.server.metrics_api import MetricsApi
from knarr.server.paths import Target
from knarr.server.pod_streams import PodStreams
from knarr.server.protobuf import shapes
from knarr.server.proxies import PROXIED, Proxies
from knarr.server.queries import write_options
from knarr.server.resources import Resources
from knarr.server.reviews import Reviews
from knarr.server.state import RegistryState
from knarr.server.virtual import VIRTUAL, Virtual

STREAMS = ("log", "exec", "attach", "portforward")
CONNECTS = ("exec", "attach", "portforward", "proxy")
FLAGS = ("stdin", "stdout", "stderr", "tty")
TOPOLOGY = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
REVIEWS = {(v.group, v.version, v.plural): v for v in VIRTUAL}


class Routes:
    """Chooses what answers a request on a resource."""

    def __init__(
        self,
        registry: Registry,
        resources: Resources,
        reviews: Reviews,
        state: RegistryState,
        streams: PodStreams,
        proxies: Proxies,
        metrics: MetricsApi,
        tokens: ServiceAccountTokens | None,
    ) -> None:
        self._registry, self._resources, self._reviews = registry, resources, reviews
        self._state, self._streams, self._tokens = state, streams, tokens
        self._proxies, self.metrics = proxies, metrics
        self._actions: dict[tuple[str, str, str], Callable[[Call], Awaitable[Response]]] = {
            ("pods", "binding", "create"): self._bind,
            ("pods", "eviction", "create"): self._evict,
            ("serviceaccounts", "token", "create"): self._token,
        }

    def has_protobuf(self, target: Target) -> bool:
        """Whether what a target names has a protobuf form."""
        if (target.group, target.version, target.resource) in REVIEWS:
            return True
        if target.group == METRICS:
            return False
        kind = self._registry.kinds.by_resource(target.group, target.version, target.resource)
        return kind is None or target.subresource == "scale" or shapes.serves(kind)

    async def answer(self, call: Call) -> Response:
        target = call.target
        if target.subresource and target.verb == "watch":
            return status.no_such_path()  # what opens a connection must not be had for permission to watch
        if target.group == METRICS:
            return await self.metrics.answer(call)
        virtual = REVIEWS.get((target.group, target.version, target.resource))
        if virtual is not None:
            return await self._virtual(call, virtual)
        kind = self._registry.kinds.by_resource(target.group, target.version, target.resource)
        if kind is None and (target.group, target.resource) == ("", component_statuses.KIND.plural):
            kind = component_statuses.KIND
        if kind is None:
            return self._unknown(call)
        if not target.fits(kind.namespaced):
            raise status.no_such_resource()
        if not target.group and target.subresource:
            if target.subresource in CONNECTS:
                await self._connect(call, kind)
            if target.resource == "pods" and target.subresource in STREAMS:
                return await self._streams.answer(call.request, self._pod(call), target.subresource)
            if target.resource in PROXIED and target.subresource == "proxy":
                return await self._proxies.answer(call.request, target)
            action = self._actions.get((target.resource, target.subresource, target.verb))
            if action is not None:
                return await action(call)
        answer = await self._resources.answer(call, kind)
        if kind.deprecation:
            said = [text for text in (answer.headers.get("warning"), warning(kind.deprecation)) if text]
            answer.headers["warning"] = "\n".join(said)
        return answer

    async def _connect(self, call: Call, kind: Kind) -> None:
        """Let webhooks look at what opens a connection; its options are the query."""
        if (body := BODIES.get((kind.plural, call.target.subresource))) is None:
            return
        given: dict[str, Any] = {"kind": body[2], "apiVersion": body[1]}
        for key, value in call.request.query:
            if key == "command":
                given.setdefault(key, []).append(value)
            else:
                given[key] = value in ("1", "true") if key in FLAGS else value
        await self._resources.ask(call, kind, "connect", given)

    def _unknown(self, call: Call) -> Response:
        """A Status inside a group version that is served, plain text outside."""
        target = call.target
        if self._registry.kinds.serves(target.group, target.version):
            raise status.no_such_resource()
        return status.no_such_path()

    def _pod(self, call: Call) -> Pod:
        kind = self._kind("pods")
        found: Pod = self._registry.find(kind, call.target.namespace, call.target.name).object()
        return found

    def _kind(self, plural: str) -> Kind:
        kind = self._registry.kinds.by_resource("", "v1", plural)
        if kind is None:
            raise NotFound("the server could not find the requested resource")
        return kind

    async def _virtual(self, call: Call, virtual: Virtual) -> Response:
        target = call.target
        if not target.fits(virtual.namespaced):
            raise status.no_such_resource()
        if target.verb != "create" or (virtual.namespaced and not target.namespace):
            raise status.no_such_method()
        tree = bodies.typed(call.request, virtual.kind, virtual.type_name)
        if virtual.kind == "Binding":
            name = (tree.get("metadata") or {}).get("name") or ""
            asked = write_options(call.request.query, "CreateOptions")
            await self._place(call, name, tree, dry_run=asked.dry_run)
            return call.answer(201, status.success(201))
        return call.answer(201, await self._reviews.review(virtual, target.namespace, tree, call.user))

    async def _bind(self, call: Call) -> Response:
        asked = write_options(call.request.query, "CreateOptions")
        tree = bodies.typed(call.request, "Binding", "core_v1.Binding")
        kind, target = self._kind("pods"), call.target
        await self._resources.ask(call, kind, "create", tree, dry_run=asked.dry_run)
        await self._place(call, target.name, tree, dry_run=asked.dry_run)
        return call.answer(201, status.success(201))

    async def _place(self, call: Call, name: str, binding: dict[str, Any], *, dry_run: bool) -> None:
        """Bind a pod; it takes over where its node is."""
        node = await self._state.get(Node, "", (binding.get("target") or {}).get("name") or "")
        if node is not None:
            where = {key: node.metadata.labels[key] for key in TOPOLOGY if key in node.metadata.labels}
            metadata = binding.setdefault("metadata", {})
            metadata["labels"] = {**(metadata.get("labels") or {}), **where}
        options = Options(dry_run=dry_run, field_manager=call.manager, user=call.user.name)
        await self._registry.bind(self._kind("pods"), call.target.namespace, name, binding, options)

    async def _evict(self, call: Call) -> Response:
        target = call.target
        asked = bodies.eviction_options(call.request)
        kind = self._kind("pods")
        check_preconditions(kind, self._registry.find(kind, target.namespace, target.name), asked)
        about = {"name": target.name, "namespace": target.namespace}
        tree: dict[str, Any] = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": about}
        await self._resources.ask(call, kind, "create", tree, dry_run=asked.dry_run)
        await eviction.evict(self._registry, self._state, target.namespace, target.name, asked)
        return call.answer(201, status.success(201))

    async def _token(self, call: Call) -> Response:
        if self._tokens is None:
            raise status.no_such_resource()
        tree = bodies.typed(call.request, "TokenRequest", "authentication_v1.TokenRequest")
        target = call.target
        await self._resources.ask(call, self._kind("serviceaccounts"), "create", tree)
        answered = await token_requests.answer(self._tokens, self._state, target.namespace, target.name, tree)
        return call.answer(201, answered)
